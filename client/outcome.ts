/**
 * What ended a stream, as its caller sees it.
 *
 * @module
 */
import { Code } from "./deps.ts";
import { changed, isTooOld, SluiceError, type StreamPosition, toSluiceError } from "./errors.ts";
import type { Feed } from "./feed.ts";
import { ItemRefused, SourceFailed } from "./refused.ts";

/** What else is known of a stream that has ended. */
export interface Circumstances {
  streamId: string;
  /** Nobody could say what became of the last call. */
  uncertain: boolean;
  /** The stream was begun just now. */
  fresh: boolean;
}

/** The error that ended a stream, with what is known of that. */
export function outcomeOf(error: unknown, feed: Feed, { streamId, uncertain, fresh }: Circumstances): SluiceError {
  const position = { streamId, committed: feed.committed };
  const own = error instanceof SluiceError && error.reason === "buffer";
  if (!own && feed.failure?.error === error) return producerError(error, position);
  const known = toSluiceError(error, position);
  if (fresh && feed.committed === 0 && isTooOld(known)) return withClockInDoubt(known);
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

/** A server forgets streams by the time in their ids. If a new one is too old, its id was made by a wrong clock. */
export function withClockInDoubt(error: SluiceError): SluiceError {
  return changed(error, { rawMessage: `${error.rawMessage} (it was begun just now: the clock here may be wrong)` });
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
