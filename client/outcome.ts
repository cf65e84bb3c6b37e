/**
 * What ended a stream, as its caller sees it.
 *
 * @module
 */
import { Code } from "./deps.ts";
import { changed, SluiceError, type StreamPosition, toSluiceError } from "./errors.ts";
import type { Feed } from "./feed.ts";
import { ItemRefused, SourceFailed } from "./refused.ts";

/**
 * The error that ended a stream, with what is known of that. Where nobody could say what became of the last call, it
 * says that more may be stored.
 */
export function outcomeOf(error: unknown, feed: Feed, streamId: string, uncertain: boolean): SluiceError {
  const position = { streamId, committed: feed.committed };
  const own = error instanceof SluiceError && error.reason === "buffer";
  if (!own && feed.failure?.error === error) return producerError(error, position);
  const known = toSluiceError(error, position);
  return uncertain ? changed(known, { rawMessage: `${known.rawMessage} (more may be stored than is known)` }) : known;
}

/** The error for what whoever makes the items threw. */
function producerError(error: unknown, position: StreamPosition): SluiceError {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof ItemRefused ? Code.InvalidArgument : Code.Aborted;
  const init = { code, retryable: false, ...position };
  if (error instanceof ItemRefused) return new SluiceError(message, { ...init, reason: "item", cause: error.cause });
  if (error instanceof SourceFailed) {
    return new SluiceError(message, { ...init, reason: "source", cause: error.cause ?? error });
  }
  return new SluiceError(`The producer threw: ${message}`, { ...init, reason: "producer", cause: error });
}

/** The error of a stream of which the server knows less than it had committed, or more than was sent. */
export function lostError(committed: number, feed: Feed, streamId: string): SluiceError {
  const what = committed < feed.committed
    ? `no more than ${committed} of the ${feed.committed} that were committed`
    : `${committed}, although only ${feed.sent} have been sent under its id`;
  return new SluiceError(`The server knows ${what} of stream ${streamId}`, {
    code: Code.DataLoss,
    reason: "lost",
    retryable: false,
    streamId,
    committed,
  });
}
