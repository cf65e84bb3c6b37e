/**
 * Waiting that an abort ends.
 *
 * @module
 */

/**
 * Settles as `work` does, or rejects with the signal's reason once that is aborted. Work that goes on all the same is
 * nobody's concern any more; no listener stays behind.
 */
export function untilAborted<T>(signal: AbortSignal, work: PromiseLike<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    const over = () => signal.removeEventListener("abort", onAbort);
    signal.addEventListener("abort", onAbort, { once: true });
    work.then((value) => (over(), resolve(value)), (error) => (over(), reject(error)));
    if (signal.aborted) onAbort();
  });
}
