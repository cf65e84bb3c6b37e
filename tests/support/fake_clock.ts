/**
 * A clock that stands still until it is told to move.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";

export class FakeClock implements Clock {
  #timers: { at: number; fn: () => void }[] = [];

  /** How far it was advanced. */
  #elapsed = 0;

  /** To set `time` is a jump: no timer falls due, and no time has elapsed. */
  constructor(public time: number = Date.now()) {}

  now(): number {
    return this.time;
  }

  elapsed(): number {
    return this.#elapsed;
  }

  setTimer(ms: number, fn: () => void): () => void {
    const timer = { at: this.#elapsed + ms, fn };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((t) => t !== timer);
    };
  }

  /** Moves on by `ms`, calling what falls due on the way, in order. */
  advance(ms: number): void {
    const end = this.#elapsed + ms;
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((t) => t !== due);
      this.#moveTo(due.at);
      due.fn();
    }
    this.#moveTo(end);
  }

  #moveTo(elapsed: number): void {
    this.time += elapsed - this.#elapsed;
    this.#elapsed = elapsed;
  }
}
