/**
 * Turns of the event loop, for work that takes long and waits for nothing.
 *
 * @module
 */
import { type Clock, pause } from "../../clock.ts";
import { QUERY_TURN_MS } from "../../limits.ts";

/** The turns that one question takes. */
export class Turns {
  #began: number;

  constructor(private readonly clock: Clock, private readonly signal: AbortSignal) {
    this.#began = clock.elapsed();
  }

  /** Whether this turn has taken QUERY_TURN_MS. */
  get isOver(): boolean {
    return this.clock.elapsed() - this.#began >= QUERY_TURN_MS;
  }

  /** Call it after everything that takes time: once a turn is over, others have theirs. Throws the signal's reason. */
  async next(): Promise<void> {
    this.signal.throwIfAborted();
    if (!this.isOver) return;
    await pause(this.clock, 0, this.signal);
    this.#began = this.clock.elapsed();
  }
}
