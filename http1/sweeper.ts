import type { Clock } from "../http2/clock.ts";

/** How often connections are looked at for what takes too long. */
const SWEEP_MS = 500;

interface Swept {
  sweep(now: number): void;
}

/**
 * What connections on one clock share: one timer, instead of one that is set and cleared with each request, and the
 * `date` field.
 */
export class Sweeper {
  readonly #connections = new Set<Swept>();
  #stop: (() => void) | undefined;
  #second = -1;
  #date = "";

  constructor(readonly clock: Clock) {}

  add(connection: Swept): void {
    this.#connections.add(connection);
    this.#stop ??= this.clock.setTimer(this.#sweep, SWEEP_MS);
  }

  delete(connection: Swept): void {
    this.#connections.delete(connection);
    if (this.#connections.size > 0) return;
    this.#stop?.();
    this.#stop = undefined;
  }

  /** RFC 9110 section 6.6.1, made once a second. */
  get date(): string {
    const second = Math.floor(this.clock.wallTime() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#date = new Date(second * 1000).toUTCString();
    }
    return this.#date;
  }

  readonly #sweep = (): void => {
    this.#stop = undefined;
    const now = this.clock.now();
    for (const connection of this.#connections) connection.sweep(now);
    if (this.#connections.size > 0) this.#stop ??= this.clock.setTimer(this.#sweep, SWEEP_MS);
  };
}

const sweepers = new WeakMap<Clock, Sweeper>();

export function sweeperOf(clock: Clock): Sweeper {
  let sweeper = sweepers.get(clock);
  if (!sweeper) sweepers.set(clock, sweeper = new Sweeper(clock));
  return sweeper;
}
