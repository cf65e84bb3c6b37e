/**
 * Time and chance as parameters, so that a test can move the one and fix the other.
 *
 * @module
 */

/** Where time comes from. */
export interface Clock {
  /** Milliseconds on a clock that never goes back or jumps; its zero means nothing. */
  elapsed(): number;
  /** Milliseconds since the epoch. Default: those of Date.now(). */
  now?(): number;
  /** Calls `fn` once after `ms`, which may be any time, also Infinity; the returned function cancels it. */
  setTimer(ms: number, fn: () => void): () => void;
}

/** The longest time of the platform's timers, ms; of a longer one they make 1 ms. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** The machine's clock. */
export const systemClock: Clock = {
  elapsed: () => performance.now(),
  setTimer(ms, fn) {
    if (ms === Infinity) return () => {};
    if (ms <= MAX_TIMER_MS) {
      const id = setTimeout(fn, ms);
      return () => clearTimeout(id);
    }
    let cancel = () => {};
    const id = setTimeout(() => cancel = systemClock.setTimer(ms - MAX_TIMER_MS, fn), MAX_TIMER_MS);
    return () => {
      clearTimeout(id);
      cancel();
    };
  },
};

/** A number from 0 up to 1, each time another. */
export type Random = () => number;

/**
 * Resolves after so many ms.
 *
 * @throws The signal's reason, at once when it is aborted.
 */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.setTimer(ms, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
