/**
 * Turns messages that arrive one by one into batches, so that services never wait for a single message.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { MAX_BATCH_BYTES, MAX_BATCH_ITEMS } from "../limits.ts";

/**
 * Yields what has arrived since the last batch was taken: all messages of a body chunk become one batch, and a message
 * that comes alone is not kept waiting. Reads ahead by at most one batch, and no further while the consumer is busy.
 * `sizeOf` says about how many bytes a message holds. Throws what `messages` throws, after what came before it; and the
 * reason of `signal` when that aborts, for a client that neither sends nor ends would outlast every deadline.
 */
export async function* inBatches<T>(
  messages: AsyncIterable<T>,
  sizeOf: (message: T) => number,
  signal: AbortSignal,
): AsyncGenerator<T[]> {
  let batch: T[] = [];
  let bytes = 0;
  let ended = false;
  let failure: { error: unknown } | undefined;
  let wakeConsumer = () => {};
  let wakeReader = () => {};
  let stopped = false;

  async function read(): Promise<void> {
    try {
      for await (const message of messages) {
        batch.push(message);
        bytes += sizeOf(message);
        if (batch.length === 1) wakeConsumer();
        if (batch.length >= MAX_BATCH_ITEMS || bytes >= MAX_BATCH_BYTES) {
          wakeConsumer();
          await new Promise<void>((resolve) => wakeReader = resolve);
        }
        if (stopped) return;
      }
    } catch (error) {
      failure ??= { error };
    }
    ended = true;
    wakeConsumer();
  }

  function abort(): void {
    failure ??= { error: signal.reason };
    ended = true;
    wakeConsumer();
  }

  const reading = read();
  signal.addEventListener("abort", abort);
  if (signal.aborted) abort();
  try {
    for (;;) {
      if (batch.length === 0 && !ended) await new Promise<void>((resolve) => wakeConsumer = resolve);
      // The messages of a chunk that is here already are decoded by promises alone: one turn of the event loop later, all
      // of them are in the batch.
      if (!ended && batch.length < MAX_BATCH_ITEMS && bytes < MAX_BATCH_BYTES) {
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
      const taken = batch;
      batch = [];
      bytes = 0;
      wakeReader();
      if (taken.length > 0) yield taken;
      if (ended && batch.length === 0) break;
    }
    if (failure) throw failure.error;
    await reading;
  } finally {
    signal.removeEventListener("abort", abort);
    stopped = true;
    wakeReader();
  }
}
