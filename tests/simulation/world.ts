/**
 * What all parts of a simulation share.
 *
 * @module
 */
import { Faults } from "./faults.ts";
import { Random } from "./random.ts";
import { Scheduler } from "./scheduler.ts";
import { Trace } from "./trace.ts";

/** 2026-01-01T00:00:00Z */
const START = 1_767_225_600_000;

export interface WorldOptions {
  readonly seed: number;
  /** Whether things go wrong. */
  readonly faults: boolean;
  /** Told of every line of the trace. */
  readonly print?: (line: string) => void;
}

export class World {
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly faults: Faults;
  readonly trace: Trace;
  /** Whether what runs all the time is to stop. */
  isOver = false;
  /** When things stopped going wrong. */
  calmSince: number | undefined;

  constructor({ seed, faults, print }: WorldOptions) {
    this.random = new Random(seed);
    this.scheduler = new Scheduler(this.random.fork(), START);
    this.faults = new Faults(faults ? this.random.fork() : undefined);
    this.trace = new Trace(print);
  }

  /** Notes that `who` did or was told `what`. */
  note(who: string, what: string): void {
    this.trace.add(`${this.scheduler.now - START} ${who} ${what}`);
  }

  /** How long something takes that is usually quick, ms. */
  delay(slow: boolean): number {
    return slow ? this.random.between(50, 5000) : this.random.between(0, 4);
  }
}
