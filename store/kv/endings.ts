/**
 * Calls that have broken off, and whose last items are on their way into the store. Whoever asks how far such a stream is, or
 * goes on with it, waits a little: else it would be told too little, and its own call would fence off what is about to be
 * durable, to send it again.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import { ENDING_MS } from "../../limits.ts";

export class Endings {
  readonly #endings = new Map<string, Promise<void>>();

  constructor(private readonly clock: Clock) {}

  /** The stream under `key` has a call that ends with `work`. */
  add(key: Deno.KvKey, work: Promise<unknown>): void {
    const text = key.join("/");
    const before = this.#endings.get(text);
    const ending = Promise.allSettled([before, work]).then(() => {
      if (this.#endings.get(text) === ending) this.#endings.delete(text);
    });
    this.#endings.set(text, ending);
  }

  /** Resolves when no call on the stream is ending, but after ENDING_MS at the latest. */
  async wait(key: Deno.KvKey): Promise<void> {
    const ending = this.#endings.get(key.join("/"));
    if (!ending) return;
    let cancel = () => {};
    const elapsed = new Promise<void>((resolve) => cancel = this.clock.setTimer(ENDING_MS, resolve));
    await Promise.race([ending, elapsed]);
    cancel();
  }
}
