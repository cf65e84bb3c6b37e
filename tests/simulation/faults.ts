/**
 * What goes wrong, and how often. Each seed leaves about half of the faults out and gives the others rates of its own, for
 * some bugs show only where a certain fault is frequent and others stay away (Groce et al., "Swarm Testing", ISSTA 2012).
 *
 * @module
 */
import type { Random } from "./random.ts";

/** Every fault with the highest probability, for one operation, that a seed may give it. */
const HIGHEST = {
  /** An answer takes up to seconds. */
  "kv.slow": 0.05,
  /** Refused before anything happens. */
  "kv.error": 0.05,
  /** Another process holds the lock of a local store. */
  "kv.locked": 0.1,
  /** Done, but the answer is an error. */
  "kv.lost": 0.05,
  /** Done, sent again by the client's library as the answer was lost, and the second try is answered. */
  "kv.resent": 0.05,
  /** Done, but long after everybody gave up. */
  "kv.late": 0.03,
  /** Neither done nor answered. */
  "kv.silent": 0.03,
  "disk.slow": 0.05,
  /** A write, or the making of a file, fails; of a write a part may have been done. */
  "disk.error": 0.02,
  "disk.readError": 0.02,
  /** A sync fails; what it should have written may never be written. */
  "disk.syncError": 0.03,
  "s3.slow": 0.05,
  /** 500 or 503 before anything happens. */
  "s3.error": 0.05,
  /** No answer comes, or a broken connection; done or not. */
  "s3.lost": 0.05,
  /** Done, but long after everybody gave up. */
  "s3.late": 0.03,
  /** The body arrives damaged, and is refused for its checksum. */
  "s3.damaged": 0.02,
  /** A call's request stops arriving, or its answer is lost. */
  "call.cut": 0.3,
  /** A call has less time than it needs. */
  "call.deadline": 0.2,
  /** A client sends again while its last call is still under way. */
  "call.doubled": 0.2,
} as const;

export type Fault = keyof typeof HIGHEST;

export class Faults {
  readonly #rates = new Map<Fault, number>();
  #isStopped = false;

  /** @param random undefined: nothing ever goes wrong. */
  constructor(private readonly random?: Random) {
    if (!random) return;
    for (const [fault, highest] of Object.entries(HIGHEST) as [Fault, number][]) {
      const rate = highest * random.next() ** 2;
      if (random.chance(0.5)) this.#rates.set(fault, rate);
    }
  }

  /** Whether this fault happens now. */
  happens(fault: Fault): boolean {
    const rate = this.#isStopped ? undefined : this.#rates.get(fault);
    return rate !== undefined && (rate === 1 || this.random!.chance(rate));
  }

  /** Makes a fault happen always. */
  force(fault: Fault): void {
    this.#rates.set(fault, 1);
  }

  /** From now on nothing goes wrong. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Things go wrong again. */
  resume(): void {
    this.#isStopped = false;
  }

  toString(): string {
    return Array.from(this.#rates, ([fault, rate]) => `${fault} ${rate.toFixed(4)}`).join(", ");
  }
}
