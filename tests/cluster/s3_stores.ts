/**
 * S3 blob stores on a real server.
 *
 * @module
 */
import { assertRejects } from "@std/assert";
import { type Code, ConnectError } from "@connectrpc/connect";
import { ulid } from "ulid";
import { type Clock, systemClock } from "../../clock.ts";
import { createS3BlobStore } from "../../store/blob/s3.ts";
import { systemPlatform } from "../../store/platform.ts";
import type { BlobStore } from "../../store/types.ts";
import type { BlobSubject } from "../contract/blob_contract.ts";
import { type S3Server, startS3 } from "../support/s3.ts";

/** How many times faster timers of a clock in a hurry run, so that a deadline is seen without being waited for. */
export const HURRY = 20;

/** A clock that can be hurried: only while a deadline is waited for, or a busy machine would miss others. */
export class PacedClock implements Clock {
  #factor = 1;
  readonly now = systemClock.now;
  readonly elapsed = systemClock.elapsed;

  setTimer(ms: number, fn: () => void): () => void {
    return systemClock.setTimer(ms / this.#factor, fn);
  }

  async hurry<T>(fn: () => Promise<T>): Promise<T> {
    this.#factor = HURRY;
    try {
      return await fn();
    } finally {
      this.#factor = 1;
    }
  }
}

/** A server for the tests that do not hurt it. */
export const shared = await startS3();
globalThis.addEventListener("unload", () => {
  shared.signal("SIGKILL");
  Deno.removeSync(shared.dir, { recursive: true });
});

export interface OpenOptions {
  readonly clock?: Clock;
  /** Stands between the store and the network. */
  readonly fetch?: typeof fetch;
}

/** A store under a prefix of its own. */
export function open(
  server: S3Server,
  { clock = systemClock, ...rest }: OpenOptions = {},
): { prefix: string; store: BlobStore; subject: BlobSubject } {
  const prefix = `tests/${ulid()}`;
  const store = createS3BlobStore(server.config(prefix), { ...systemPlatform(clock), ...rest });
  return { prefix, store, subject: { store, commit: () => Promise.resolve(), close: () => Promise.resolve() } };
}

export async function codeOf(promise: () => Promise<unknown>): Promise<Code> {
  return (await assertRejects(promise, ConnectError)).code;
}
