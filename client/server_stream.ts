/**
 * Calls that are answered by a stream of messages.
 *
 * @module
 */
import { readMessages } from "./answer.ts";
import type { Core } from "./core.ts";
import {
  contentTypeStreamProto,
  create,
  type DescMessage,
  type DescMethodServerStreaming,
  fromBinary,
  headerContentType,
  headerProtocolVersion,
  type MessageInitShape,
  type MessageShape,
  protocolVersion,
  toBinary,
} from "./deps.ts";
import { HEADER_BYTES } from "./envelope.ts";
import { type SluiceError, toSluiceError } from "./errors.ts";
import { Retries } from "./retry.ts";
import type { Endpoint } from "./stream_call.ts";
import { cancelled, waitToRetry } from "./unary.ts";

/** Makes the call at one endpoint. @throws What fetch throws. */
export function postMessage<I extends DescMessage, O extends DescMessage>(
  { url, headers, fetch }: Endpoint,
  method: DescMethodServerStreaming<I, O>,
  request: MessageInitShape<I>,
  signal: AbortSignal,
): Promise<Response> {
  const message = toBinary(method.input, create(method.input, request));
  const body = new Uint8Array(HEADER_BYTES + message.length);
  new DataView(body.buffer).setUint32(1, message.length);
  body.set(message, HEADER_BYTES);
  return fetch(`${url}/${method.parent.typeName}/${method.name}`, {
    method: "POST",
    headers: { ...headers, [headerContentType]: contentTypeStreamProto, [headerProtocolVersion]: protocolVersion },
    body,
    signal,
  });
}

/**
 * The messages of an answer. Until the first of them has come, the call is tried again where that can help; whoever stops
 * iterating ends it.
 *
 * @throws {SluiceError} What ended the answer.
 */
export async function* askStream<I extends DescMessage, O extends DescMessage>(
  core: Core,
  method: DescMethodServerStreaming<I, O>,
  request: MessageInitShape<I>,
  { signal }: { signal?: AbortSignal } = {},
): AsyncGenerator<MessageShape<O>> {
  const abort = new AbortController();
  const either = AbortSignal.any([core.closed, abort.signal, ...signal ? [signal] : []]);
  const retries = new Retries(core.retry, { signal: either });
  try {
    for (let begun = false;;) {
      let failure: SluiceError;
      try {
        const response = await core.pool.use((endpoint) => postMessage(endpoint, method, request, either));
        for await (const message of readMessages(response)) {
          begun = true;
          yield fromBinary(method.output, message);
        }
        return;
      } catch (error) {
        if (either.aborted) throw cancelled(either);
        failure = toSluiceError(error);
      }
      if (begun) throw failure;
      await waitToRetry(core, retries, failure, either);
    }
  } finally {
    abort.abort();
  }
}
