/**
 * A thread that runs one seed after the other.
 *
 * @module
 */
import { DELIBERATE_FAULTS } from "./deliberate_faults.ts";
import { type RunResult, runSimulation } from "./simulation.ts";

export interface Job {
  readonly seed: number;
  readonly fault: string | undefined;
  readonly verbose: boolean;
}

export type Done = Job & RunResult;

declare const self: { onmessage: (event: MessageEvent<Job>) => void; postMessage(done: Done): void };

self.onmessage = async ({ data: job }) => {
  const fault = job.fault === undefined ? undefined : DELIBERATE_FAULTS[job.fault];
  // deno-lint-ignore no-console -- the trace is what was asked for
  const print = job.verbose ? (line: string) => console.log(line) : undefined;
  self.postMessage({ ...job, ...await runSimulation({ seed: job.seed, fault, print }) });
};
