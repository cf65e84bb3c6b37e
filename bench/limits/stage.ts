/**
 * A stage of the way of a body through the server, run on its own, and how long it takes.
 *
 * @module
 */
import process from "node:process";
import { median } from "../peers/h2load.ts";

export interface Stage {
  readonly title: string;
  /** Whether the whole server does this too, beside the other stages that are part: their sum is compared with the whole. */
  readonly isPart: boolean;
  /** Whether it is the whole that the others are compared with. */
  readonly isWhole?: boolean;
  /** Takes so many bodies through the stage. Returns the ms it took, if not all of the time was the stage's. */
  run(bodies: number): Promise<number | void> | number | void;
  /** Undoes what the stage leaves behind. Not measured. */
  cleanUp?(): Promise<void>;
  /** CPU time of the process that does the work, ms so far; by default this one. */
  cpu?(): number;
}

export interface Timing {
  readonly stage: Stage;
  /** Medians of the rounds, ms a body. */
  readonly wall: number;
  readonly cpu: number;
}

/** Bodies are as many as fill this, ms: many times the resolution of CPU time. */
const RUN_MS = 250;
const WARM_UP_RUNS = 3;

/** Warms up all stages and then runs each once a round. */
export async function measure(stages: readonly Stage[], rounds: number): Promise<Timing[]> {
  const bodies: number[] = [];
  for (const stage of stages) {
    let count = 4;
    for (let i = 0; i < WARM_UP_RUNS; i++) {
      const { wall } = await once(stage, count);
      count = Math.max(4, Math.min(2000, Math.round(RUN_MS / wall)));
    }
    bodies.push(count);
  }
  const runs: { wall: number; cpu: number }[][] = stages.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, stage] of stages.entries()) runs[i].push(await once(stage, bodies[i]));
  }
  return stages.map((stage, i) => ({
    stage,
    wall: median(runs[i].map(({ wall }) => wall)),
    cpu: median(runs[i].map(({ cpu }) => cpu)),
  }));
}

async function once(stage: Stage, bodies: number): Promise<{ wall: number; cpu: number }> {
  const cpu = stage.cpu ?? ownCpu;
  const cpuBefore = cpu();
  const began = performance.now();
  const took = await stage.run(bodies) ?? performance.now() - began;
  const used = cpu() - cpuBefore;
  await stage.cleanUp?.();
  return { wall: took / bodies, cpu: used / bodies };
}

function ownCpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
