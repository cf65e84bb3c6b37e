/**
 * Log entries as they come, for longer than any one connection lasts.
 *
 * @module
 */
import { type Clock, type Random, sleep, systemClock } from "../clock.ts";
import { BACKOFF_MS, MAX_BACKOFF_MS } from "../limits.ts";
import { SluiceError } from "../mod.ts";

/** How it goes on. */
export interface TailOptions {
  signal: AbortSignal;
  /** An answer has ended: what comes until the next one is missed. */
  onLost(): void;
  clock?: Clock;
  random?: Random;
}

/**
 * The messages of one answer after the other, without end. Before the next one it waits: for longer and longer while
 * answers end soon, since a server in trouble, or what stands before it, would be asked on and on otherwise.
 *
 * @throws {SluiceError} What another try cannot mend, or what kept an answer from beginning for as long as whoever asks is
 * patient; or the signal's reason.
 */
export async function* tailOn<T>(ask: () => AsyncIterable<T>, options: TailOptions): AsyncGenerator<T> {
  const { signal, onLost, clock = systemClock, random = Math.random } = options;
  for (let soon = 0;;) {
    const start = clock.elapsed();
    let hasBegun = false;
    try {
      for await (const message of ask()) {
        hasBegun = true;
        yield message;
      }
    } catch (error) {
      if (signal.aborted || !hasBegun || !(error instanceof SluiceError && error.retryable)) throw error;
    }
    onLost();
    soon = clock.elapsed() - start < MAX_BACKOFF_MS ? soon + 1 : 0;
    await sleep(clock, random() * Math.min(MAX_BACKOFF_MS, BACKOFF_MS * 2 ** soon), signal);
  }
}
