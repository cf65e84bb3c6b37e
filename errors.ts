/**
 * The errors that cross the wire. Each is a ConnectError: a status code, a text that names the current value, and the
 * google.rpc detail that tells a program what a person reads in the text. Anything else that is thrown is "internal
 * error" to the caller and stands whole in the log.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.ts";

/** The request is wrong in `field`; sending it again cannot help. */
export function invalidArgument(field: string, description: string): ConnectError {
  return new ConnectError(`${field}: ${description}`, Code.InvalidArgument, undefined, [
    { desc: BadRequestSchema, value: { fieldViolations: [{ field, description }] } },
  ]);
}

/** A gap: the caller is ahead of what is committed. */
export function outOfRange(field: string, description: string): ConnectError {
  return new ConnectError(`${field}: ${description}`, Code.OutOfRange, undefined, [
    { desc: BadRequestSchema, value: { fieldViolations: [{ field, description }] } },
  ]);
}

/** Bytes are not what they were said to be. */
export function dataLoss(message: string): ConnectError {
  return new ConnectError(message, Code.DataLoss);
}

/** A final limit: a retry cannot help, so there is no RetryInfo. */
export function overLimit(message: string): ConnectError {
  return new ConnectError(message, Code.ResourceExhausted);
}

/** Too much is going on for now; a retry after `retryMs` can help. */
export function overloaded(message: string, retryMs = 1000): ConnectError {
  return new ConnectError(message, Code.ResourceExhausted, undefined, [retryInfo(retryMs)]);
}

/** A store is down, slow or full for now; a retry after `retryMs` can help. */
export function unavailable(message: string, cause?: unknown, retryMs = 1000): ConnectError {
  return new ConnectError(message, Code.Unavailable, undefined, [retryInfo(retryMs)], cause);
}

/** Another writer has taken the stream; a retry begins by asking how far it is. */
export function aborted(message: string): ConnectError {
  return new ConnectError(message, Code.Aborted);
}

/** The stream is not in a state for this; a retry cannot help. */
export function failedPrecondition(message: string): ConnectError {
  return new ConnectError(message, Code.FailedPrecondition);
}

/** What is sent under an id is not what was sent under it before. */
export function alreadyExists(message: string): ConnectError {
  return new ConnectError(message, Code.AlreadyExists);
}

/** Nothing of that name. */
export function notFound(message: string): ConnectError {
  return new ConnectError(message, Code.NotFound);
}

/** google.rpc.RetryInfo. */
function retryInfo(ms: number) {
  const retryDelay = { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 };
  return { desc: RetryInfoSchema, value: { retryDelay } };
}
