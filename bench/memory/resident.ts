/**
 * How much memory a process has resident, over time, from /proc (Linux).
 *
 * @module
 */
import { MIB } from "../../limits.ts";

const INTERVAL_MS = 500;

/** MiB, at the seconds since the first. */
export type Sample = readonly [seconds: number, mib: number];

export interface Summary {
  /** MiB. */
  readonly start: number;
  readonly peak: number;
  readonly end: number;
  readonly growth: number;
}

/** Takes a sample at once, and one every half second until it is disposed of. */
export class ResidentMemory implements Disposable {
  readonly samples: Sample[] = [];
  readonly #began = performance.now();
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(private readonly pid: number) {
    this.take();
    this.#timer = setInterval(() => this.take(), INTERVAL_MS);
  }

  take(): void {
    const status = Deno.readTextFileSync(`/proc/${this.pid}/status`);
    const mib = Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]) * 1024 / MIB;
    this.samples.push([(performance.now() - this.#began) / 1000, mib]);
  }

  summary(): Summary {
    const mibs = this.samples.map(([, mib]) => Math.round(mib * 10) / 10);
    const peak = Math.max(...mibs);
    return { start: mibs[0], peak, end: mibs[mibs.length - 1], growth: Math.round((peak - mibs[0]) * 10) / 10 };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
