/**
 * What callers get to know of errors. An error that is not ours is "internal error" to them; the log has all of it.
 *
 * @module
 */
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { brokenOff } from "./broken_off.ts";
import { logEvent } from "./log.ts";

/** For the calls that connect-es's handlers serve. */
export const codedErrors: Interceptor = (next) => async (request) => {
  try {
    const response = await next(request);
    return response.stream ? { ...response, message: codedStream(response.message, request.url) } : response;
  } catch (error) {
    throw coded(error, request.url);
  }
};

async function* codedStream<T>(messages: AsyncIterable<T>, url: string): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    throw coded(error, url);
  }
}

/** The error for the caller of the method at `url`. */
export function coded(error: unknown, url: string): ConnectError {
  const known = error instanceof ConnectError;
  if (known && isUnparsable(error)) return new ConnectError(error.rawMessage, Code.InvalidArgument);
  // What was wrong with a store is for the operator; the caller gets the code and the text.
  if (known && error.code !== Code.Internal && error.cause === undefined) return error;
  if (known && (error.code === Code.Canceled || isMiscompressed(error))) return error;
  const broken = brokenOff(error);
  if (broken) return broken;
  logEvent(known && error.code !== Code.Internal ? "warn" : "error", "a call failed", {
    method: new URL(url).pathname,
    error,
  });
  return known ? error : new ConnectError("internal error", Code.Internal);
}

/** What connect-es throws for a message that is no protobuf (as an internal error) or no JSON. */
function isUnparsable({ code, rawMessage, cause }: ConnectError): boolean {
  return code === Code.Internal
    ? rawMessage.startsWith("parse binary: ")
    : code === Code.InvalidArgument && cause !== undefined;
}

/** What connect-es throws for a message that says it is compressed where the call says that none is: INTERNAL, by gRPC. */
function isMiscompressed({ rawMessage }: ConnectError): boolean {
  return rawMessage.startsWith("received compressed envelope");
}
