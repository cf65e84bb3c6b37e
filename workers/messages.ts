/**
 * What the main thread asks of a worker, and what the worker answers.
 *
 * @module
 */
import type { Config } from "../config.ts";
import type { Certificate } from "../http/listen.ts";
import type { CommonMemory } from "./common.ts";

/** What a worker needs to serve the port that the main thread has opened. */
export interface WorkerStart {
  readonly config: Config;
  readonly port: number;
  readonly certificate: Certificate | undefined;
  readonly memory: CommonMemory;
}

export type Task =
  | { readonly type: "start"; readonly start: WorkerStart }
  | { readonly type: "reload"; readonly certificate: Certificate }
  | { readonly type: "stop" };

export interface Request {
  /** Comes back in the answer. */
  readonly id: number;
  readonly task: Task;
}

export interface Answer {
  readonly id: number;
  /** Why it was not done; undefined if it was. */
  readonly error: string | undefined;
}
