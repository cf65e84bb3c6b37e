/**
 * One call of a stream: the body of a window goes out, and a receipt comes. A slow link, a low rate and a slow producer
 * may take their time; a transport that takes nothing, and a receipt that does not come, may not.
 *
 * @module
 */
import type { Clock } from "./clock.ts";
import { Code } from "./deps.ts";
import { SluiceError } from "./errors.ts";
import type { OpenWindow } from "./feed.ts";
import { UNCONNECTED_BYTES } from "./limits.ts";
import { untilAborted } from "./until_aborted.ts";

type Body = ReadableStream<Uint8Array<ArrayBuffer>>;

/** How a window is sent. */
export interface WindowCallOptions {
  clock: Clock;
  /** How long the transport may take nothing, and a receipt not come once it has all, ms. */
  timeoutMs: number;
  signal: AbortSignal;
  /** Told that somebody takes the body, though there is no answer yet. */
  onTaken(): void;
}

/**
 * Sends a window by `post`, and stops it.
 *
 * @throws What `post` throws; what its body failed with, if it did; that it took too long; the signal's reason.
 */
export async function callWindow<R>(
  window: OpenWindow,
  post: (body: Body | Blob, signal: AbortSignal) => Promise<R>,
  { clock, timeoutMs, signal, onTaken }: WindowCallOptions,
): Promise<R> {
  const abort = new AbortController();
  const onAbort = () => abort.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  let cancelTimer = () => {};
  const rest = () => cancelTimer();
  const expect = (what: string) => {
    rest();
    cancelTimer = clock.setTimer(timeoutMs, () => abort.abort(timedOut(what, timeoutMs)));
  };
  let failure: { error: unknown } | undefined;
  try {
    const body = window.body instanceof ReadableStream
      ? watched(window.body, {
        onAsked: rest,
        onTaken,
        onGiven: () => expect("Nothing was taken"),
        onEnd: () => expect("No receipt came"),
        onFailed: (error) => failure = { error },
      })
      : await untilAborted(abort.signal, window.body);
    expect(body instanceof Blob ? "No receipt came" : "Nothing was taken");
    return await post(body, abort.signal);
  } catch (error) {
    // fetch calls a body that fails a network that does.
    if (failure !== undefined) throw failure.error;
    throw abort.signal.aborted ? abort.signal.reason : error;
  } finally {
    rest();
    signal.removeEventListener("abort", onAbort);
    const reason = new DOMException("The call is over", "AbortError");
    // In this order: of a body that has failed by itself, Node's fetch throws the reason at nobody.
    abort.abort(reason);
    window.stop(reason);
  }
}

/** A body that tells how it is read. */
function watched(body: Body, told: {
  /** More is wanted, and has yet to be made. */
  onAsked(): void;
  /** More was taken than a platform does by itself. */
  onTaken(): void;
  onGiven(): void;
  onEnd(): void;
  onFailed(error: unknown): void;
}): Body {
  const reader = body.getReader();
  let given = 0;
  return new ReadableStream({
    async pull(controller) {
      told.onAsked();
      if (given > UNCONNECTED_BYTES) told.onTaken();
      try {
        const { done, value } = await reader.read();
        if (done) {
          told.onEnd();
          return controller.close();
        }
        given += value.length;
        told.onGiven();
        controller.enqueue(value);
      } catch (error) {
        told.onFailed(error);
        throw error;
      }
    },
    cancel: (reason) => reader.cancel(reason),
    // Nothing is made ahead of what the transport asks for.
  }, { highWaterMark: 0 });
}

function timedOut(what: string, ms: number): SluiceError {
  return new SluiceError(`${what} within ${Math.round(ms)} ms`, {
    code: Code.DeadlineExceeded,
    reason: "connection",
    retryable: true,
  });
}
