import type { Http1Limits } from "./limits.ts";

/** How fast a body arrives while its handler waits for it; the time that the handler takes itself does not count. */
export class BodyRate {
  #waitingSince: number | undefined;
  /** Of this period: the time waited before that, and what had arrived at its start. */
  #waitedMs = 0;
  #periodBytes = 0;

  constructor(readonly limits: Http1Limits, readonly now: () => number) {}

  begin(bytesReceived: number): void {
    this.#waitingSince = undefined;
    this.#waitedMs = 0;
    this.#periodBytes = bytesReceived;
  }

  /** The handler waits, or no longer waits, for the client. */
  waits(waits: boolean, bytesReceived: number): void {
    if (waits) {
      this.#waitingSince ??= this.now();
      return;
    }
    if (this.#waitingSince === undefined) return;
    if (bytesReceived - this.#periodBytes >= this.limits.minBodyBytesPerPeriod) this.begin(bytesReceived);
    else this.#waitedMs += this.now() - this.#waitingSince;
    this.#waitingSince = undefined;
  }

  /** Whether too little came in the period that is over. */
  tooSlow(now: number, bytesReceived: number): boolean {
    if (this.#waitingSince === undefined) return false;
    if (this.#waitedMs + now - this.#waitingSince < this.limits.bodyPeriodMs) return false;
    if (bytesReceived - this.#periodBytes < this.limits.minBodyBytesPerPeriod) return true;
    this.begin(bytesReceived);
    this.#waitingSince = now;
    return false;
  }
}
