/**
 * One client-streaming call of the Connect protocol. connect-web has none, because browsers did not stream request
 * bodies; this is the protocol by hand, over `fetch`.
 *
 * @module
 */
import {
  Code,
  ConnectError,
  contentTypeStreamProto,
  type DescMessage,
  type DescMethodClientStreaming,
  fromBinary,
  headerContentType,
  headerProtocolVersion,
  type MessageShape,
  protocolVersion,
} from "./deps.ts";
import { hasNodeModules } from "./platform.ts";
import { readAnswer } from "./answer.ts";
import { BatchedBody, type BatchedBodyOptions } from "./body.ts";

/** Where calls go to. */
export interface Endpoint {
  /** Without a slash at its end. */
  url: string;
  /** Sent with every call. */
  headers: Record<string, string>;
  fetch: typeof globalThis.fetch;
}

/** One call's items, and what to do with them. */
export interface StreamCallOptions<T> extends BatchedBodyOptions<T> {
  items: Iterable<T> | AsyncIterable<T>;
  signal?: AbortSignal;
}

/**
 * Sends the items and returns the server's answer, which may come before all have been sent; the rest is then not
 * asked for.
 *
 * @throws {ConnectError} What the server answered; `unavailable` with a `cause` if the connection failed.
 * @throws What the producer threw, or the signal's reason. The call is cancelled then.
 */
export async function callClientStreaming<T, I extends DescMessage, O extends DescMessage>(
  endpoint: Endpoint,
  method: DescMethodClientStreaming<I, O>,
  options: StreamCallOptions<T>,
): Promise<MessageShape<O>> {
  const { signal } = options;
  signal?.throwIfAborted();
  const body = new BatchedBody(options.items, options);
  const abort = new AbortController();
  const onAbort = () => {
    body.stop(signal?.reason);
    abort.abort(signal?.reason);
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    const response = await endpoint.fetch(`${endpoint.url}/${method.parent.typeName}/${method.name}`, {
      method: "POST",
      headers: {
        ...endpoint.headers,
        [headerContentType]: contentTypeStreamProto,
        [headerProtocolVersion]: protocolVersion,
      },
      body: await requestBody(body.stream),
      signal: abort.signal,
      // fetch wants it said that it need not read the answer while it sends. It may do so all the same.
      duplex: "half",
    } as RequestInit);
    return fromBinary(method.output, await readAnswer(response));
  } catch (error) {
    throw outcome(error, body, signal);
  } finally {
    signal?.removeEventListener("abort", onAbort);
    if (!body.sent) {
      const reason = new DOMException("The call is over", "AbortError");
      body.stop(reason);
      abort.abort(reason);
    }
  }
}

/** What the caller is told: the first cause, not what fetch makes of it. */
function outcome<T>(error: unknown, body: BatchedBody<T>, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  if (body.failure !== undefined) return body.failure.error;
  if (error instanceof ConnectError) return error;
  return new ConnectError(`The connection failed: ${explain(error)}`, Code.Unavailable, undefined, undefined, error);
}

/** fetch says no more than that it failed; why is in the cause. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${explain(error.cause)}` : error.message;
}

/**
 * Browsers stream a request's body over HTTP/2 only, or not at all; there, it is collected first. So in a browser a
 * file is read before it is sent, and a producer that never ends does not work.
 */
async function requestBody(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<ReadableStream | Blob> {
  return hasNodeModules ? stream : await new Response(stream).blob();
}
