/**
 * One client-streaming call of the Connect protocol. connect-web has none, because browsers did not stream request
 * bodies; this is the protocol by hand, over `fetch`.
 *
 * @module
 */
import { decodeAnswer, readAnswer } from "./answer.ts";
import {
  contentTypeStreamProto,
  type DescMessage,
  type DescMethodClientStreaming,
  headerContentType,
  headerProtocolVersion,
  type MessageShape,
  protocolVersion,
} from "./deps.ts";

/** Where calls go to. */
export interface Endpoint {
  /** Without a slash at its end. */
  url: string;
  /** Sent with every call. */
  headers: Record<string, string>;
  fetch: typeof globalThis.fetch;
}

/**
 * Sends a body of envelopes and returns the server's answer, which may come before all of the body has been sent.
 *
 * @throws {ConnectError} What the server answered; a ForeignAnswer if it is no server of ours.
 * @throws What fetch throws.
 */
export async function postStream<I extends DescMessage, O extends DescMessage>(
  endpoint: Endpoint,
  method: DescMethodClientStreaming<I, O>,
  body: ReadableStream<Uint8Array<ArrayBuffer>> | Blob,
  signal: AbortSignal,
): Promise<MessageShape<O>> {
  const response = await endpoint.fetch(`${endpoint.url}/${method.parent.typeName}/${method.name}`, {
    method: "POST",
    headers: {
      ...endpoint.headers,
      [headerContentType]: contentTypeStreamProto,
      [headerProtocolVersion]: protocolVersion,
    },
    body,
    signal,
    // fetch wants it said that it need not read the answer while it sends. It may do so all the same.
    ...body instanceof ReadableStream && { duplex: "half" },
  } as RequestInit);
  return decodeAnswer(method.output, await readAnswer(response));
}
