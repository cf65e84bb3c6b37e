/**
 * Runs of h2load, and what it says about them.
 *
 * @module
 */
import { SECOND } from "../../limits.ts";

/** Nothing here takes so long; a server that hangs must not stop the others' measurement. */
const TIMEOUT_MS = 120 * SECOND;

export interface Run {
  /** Requests. */
  readonly count: number;
  /** Seconds, connecting included. */
  readonly seconds: number;
  /** Bytes of the answers' bodies, of all requests. */
  readonly answerBytes: number;
  /** From the beginning of each request to the end of its answer, ms, ascending. */
  readonly latencies: readonly number[];
}

export interface RunOptions {
  readonly requests: number;
  readonly connections: number;
  /** Streams at once on each connection. */
  readonly perConnection: number;
  readonly http1: boolean;
  /** File with the body of each request. */
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** One for all requests, or one for each. */
  readonly urls: readonly string[];
  /** A folder for h2load's own files. */
  readonly folder: string;
  /** Kills h2load. */
  readonly signal: AbortSignal;
}

/** Drives a server; throws if a request was not answered with a status of success. */
export async function h2load(options: RunOptions): Promise<Run> {
  const { requests, connections, perConnection, folder, urls } = options;
  const [log, list] = [`${folder}/h2load.log`, `${folder}/h2load.urls`];
  await Deno.writeTextFile(list, urls.join("\n") + "\n");
  await Deno.remove(log).catch(() => {});
  const args = [
    ...["-n", `${requests}`, "-c", `${connections}`, "-m", `${perConnection}`, "-d", options.body],
    ...["-i", list, "--log-file", log],
    ...options.http1 ? ["--h1"] : [],
    ...Object.entries(options.headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]),
  ];
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const signal = AbortSignal.any([options.signal, timeout]);
  const { stdout } = await new Deno.Command("h2load", { args, stderr: "null", signal }).output();
  const text = new TextDecoder().decode(stdout);
  const done = /(\d+) succeeded, (\d+) failed/.exec(text);
  const finished = /finished in ([\d.]+)(us|ms|s),/.exec(text);
  const data = /\((\d+)\) data/.exec(text);
  if (!done || !finished || !data || Number(done[1]) !== requests) {
    throw new Error(`h2load: ${timeout.aborted ? "took too long" : /^requests: .*$/m.exec(text)?.[0] ?? "no answer"}`);
  }
  const latencies = (await Deno.readTextFile(log)).trim().split("\n").map((line) => Number(line.split("\t")[2]) / 1000);
  return {
    count: requests,
    seconds: Number(finished[1]) / { us: 1e6, ms: 1e3, s: 1 }[finished[2] as "us" | "ms" | "s"],
    answerBytes: Number(data[1]),
    latencies: latencies.sort((a, b) => a - b),
  };
}

/** The nearest-rank percentile of ascending values. */
export function percentile(values: readonly number[], share: number): number {
  return values[Math.max(Math.ceil(values.length * share) - 1, 0)];
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
