/**
 * What hosts throw, and abort signals with, where a request breaks off: the caller's doing, and no fault of ours. They are
 * known by their names, for hosts and RPC know nothing else of each other.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";

const GONE: ReadonlySet<string> = new Set(["AbortError", "Http1RequestAborted", "Http2RequestAborted"]);
const MALFORMED = "Http1RequestError";

/** The caller has left: nobody is there to be told. */
export function callerGone(): ConnectError {
  return new ConnectError("the caller is gone", Code.Canceled);
}

/** The error for a request that broke off, or undefined if that is not what happened. */
export function brokenOff(error: unknown): ConnectError | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error.name === MALFORMED) return new ConnectError(`malformed request: ${error.message}`, Code.InvalidArgument);
  return GONE.has(error.name) ? callerGone() : undefined;
}
