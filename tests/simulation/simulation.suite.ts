/**
 * Runs the simulation with many seeds: `deno task test:simulation [--seeds N] [--from SEED] [--seed SEED] [--verbose]
 * [--fault NAME|all] [--jobs N]`. With a deliberate fault (deliberate_faults.ts) it ends at the first violation, and fails
 * if there is none.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { parseOptions, type SuiteOptions } from "./options.ts";
import type { Done, Job } from "./worker.ts";

/** Runs that have a violation which are printed whole. */
const SHOWN = 10;

interface Summary {
  readonly ran: number;
  readonly failed: readonly Done[];
  readonly events: number;
  readonly calls: number;
  /** Of the hashes of all traces, in the order of the seeds. */
  readonly hash: string;
  readonly seconds: number;
}

/** Runs the seeds on threads; until the first violation, if `untilFound`. */
async function runSeeds(options: SuiteOptions, fault: string | undefined, untilFound: boolean): Promise<Summary> {
  const { first, seeds, verbose, jobs } = options;
  const began = performance.now();
  const hashes: string[] = [];
  const failed: Done[] = [];
  let next = first, ran = 0, events = 0, calls = 0;
  const runOne = (worker: Worker, job: Job) =>
    new Promise<Done>((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<Done>) => resolve(data);
      worker.onerror = (event) => reject(new Error(`seed ${job.seed}: ${event.message}`));
      worker.postMessage(job);
    });
  await Promise.all(Array.from({ length: Math.min(jobs, seeds) }, async () => {
    const worker = new Worker(new URL("worker.ts", import.meta.url), { type: "module" });
    while (next < first + seeds && !(untilFound && failed.length > 0)) {
      const seed = next++;
      const done = await runOne(worker, { seed, fault, verbose });
      hashes[seed - first] = done.hash;
      if (done.violations.length > 0) failed.push(done);
      ran++;
      events += done.events;
      calls += done.calls;
      if (ran % 1000 === 0) console.log(`${ran} seeds, ${failed.length} with violations`);
    }
    worker.terminate();
  }));
  const hash = createHash("sha256").update(hashes.join()).digest("hex");
  return { ran, failed, events, calls, hash, seconds: (performance.now() - began) / 1000 };
}

function print({ ran, failed, events, calls, hash, seconds }: Summary, fault: string | undefined): void {
  for (const { seed, violations } of failed.toSorted((a, b) => a.seed - b.seed).slice(0, SHOWN)) {
    console.log(`\nseed ${seed}: ${violations.length} violations`);
    for (const violation of violations.slice(0, SHOWN)) console.log(`  ${violation}`);
    const faulty = fault === undefined ? "" : ` --fault ${fault}`;
    console.log(`  again: deno task test:simulation --seed ${seed}${faulty} --verbose`);
  }
  const total = failed.reduce((sum, { violations }) => sum + violations.length, 0);
  console.log(
    `\n${fault === undefined ? "" : `${fault}: `}${ran} seeds, ${total} violations in ${failed.length} of them; ` +
      `${calls} calls, ${events} events, ${seconds.toFixed(1)} s; trace ${hash}`,
  );
}

async function main(): Promise<boolean> {
  const options = parseOptions(Deno.args);
  if (options.faults.length === 0) {
    const summary = await runSeeds(options, undefined, false);
    print(summary, undefined);
    return summary.failed.length === 0;
  }
  const missed: string[] = [];
  for (const fault of options.faults) {
    const summary = await runSeeds(options, fault, true);
    print(summary, fault);
    if (summary.failed.length === 0) missed.push(fault);
  }
  if (missed.length > 0) console.log(`\nnot found: ${missed.join(", ")}`);
  return missed.length === 0;
}

try {
  Deno.exit(await main() ? 0 : 1);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(2);
}
