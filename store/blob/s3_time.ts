/**
 * Waiting with an end.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";

/**
 * What `fn` comes to. After `ms`, or when `ended` aborts, it throws, and the signal that `fn` was given aborts; whatever
 * `fn` comes to after that is dropped.
 */
export async function within<T>(
  clock: Clock,
  ms: number,
  ended: AbortSignal | undefined,
  fn: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  ended?.throwIfAborted();
  const controller = new AbortController();
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const stop = (reason: unknown) => {
    reject(reason);
    controller.abort(reason);
  };
  const onEnded = () => stop(ended!.reason);
  ended?.addEventListener("abort", onEnded);
  const cancel = clock.setTimer(ms, () => stop(new Error(`no answer in ${ms} ms`)));
  try {
    return await Promise.race([fn(controller.signal), stopped]);
  } finally {
    cancel();
    ended?.removeEventListener("abort", onEnded);
  }
}
