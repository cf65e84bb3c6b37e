/**
 * Streaming calls by hand, byte by byte as the protocols have them: what no well-behaved client would send can be sent,
 * and what a server answers is seen as it is.
 *
 * @module
 */
import {
  create,
  type DescMessage,
  fromBinary,
  fromJsonString,
  type MessageInitShape,
  type MessageShape,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { endStreamFlag, endStreamFromJson } from "@connectrpc/connect/protocol-connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import { trailerFlag, trailerParse } from "@connectrpc/connect/protocol-grpc-web";
import { BadRequestSchema, type RetryInfo, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";

/** Content types without `application/`. */
export const PROTOCOLS = ["connect+proto", "connect+json", "grpc-web+proto"] as const;
export type Protocol = typeof PROTOCOLS[number];

/** A streaming method, as generated code describes it. */
export interface Method<I extends DescMessage, O extends DescMessage> {
  readonly parent: { readonly typeName: string };
  readonly name: string;
  readonly input: I;
  readonly output: O;
}

/** Any of them. */
export type AnyMethod = Method<DescMessage, DescMessage>;

export interface Answer<O extends DescMessage> {
  readonly status: number;
  readonly messages: MessageShape<O>[];
  readonly error: ConnectError | undefined;
}

export interface SendOptions {
  readonly protocol?: Protocol;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly fetch?: typeof globalThis.fetch;
}

/** Sends a body as it is, and parses the answer. */
export async function sendBody<I extends DescMessage, O extends DescMessage>(
  url: string,
  method: Method<I, O>,
  body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>>,
  { protocol = "connect+proto", headers = {}, signal, fetch = globalThis.fetch }: SendOptions = {},
): Promise<Answer<O>> {
  const response = await fetch(`${url}/${method.parent.typeName}/${method.name}`, {
    method: "POST",
    headers: { "content-type": `application/${protocol}`, ...headers },
    body,
    signal,
  });
  return parse(
    response.status,
    response.headers,
    new Uint8Array(await response.arrayBuffer()),
    method.output,
    protocol,
  );
}

/** Sends messages, and parses the answer. */
export function send<I extends DescMessage, O extends DescMessage>(
  url: string,
  method: Method<I, O>,
  messages: readonly MessageInitShape<I>[],
  options: SendOptions = {},
): Promise<Answer<O>> {
  const protocol = options.protocol ?? "connect+proto";
  return sendBody(url, method, concat(messages.map((m) => envelope(encode(method.input, m, protocol)))), options);
}

/** The error of an answer that is one. */
export async function refusal<O extends DescMessage>(answer: Promise<Answer<O>>): Promise<ConnectError> {
  const { error, messages, status } = await answer;
  if (!error) throw new Error(`the call was not refused: status ${status}, ${messages.length} messages`);
  return error;
}

/** The one message of an answer without an error. */
export async function receipt<O extends DescMessage>(answer: Promise<Answer<O>>): Promise<MessageShape<O>> {
  const { error, messages, status } = await answer;
  if (error) throw error;
  if (messages.length !== 1) throw new Error(`not one message but ${messages.length}, status ${status}`);
  return messages[0];
}

/** Fields that the BadRequest detail of an error names. */
export function badFields(error: ConnectError): string[] {
  return error.findDetails(BadRequestSchema).flatMap((d) => d.fieldViolations.map(({ field }) => field));
}

export function retryInfo(error: ConnectError): RetryInfo | undefined {
  return error.findDetails(RetryInfoSchema)[0];
}

export function encode<D extends DescMessage>(schema: D, init: MessageInitShape<D>, protocol: Protocol): Uint8Array {
  const message = create(schema, init);
  if (protocol !== "connect+json") return toBinary(schema, message);
  return new TextEncoder().encode(toJsonString(schema, message));
}

/** Flags, length, message. `length` may be a lie. */
export function envelope(data: Uint8Array, flags = 0, length = data.length): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(5 + data.length);
  bytes[0] = flags;
  new DataView(bytes.buffer).setUint32(1, length);
  bytes.set(data, 5);
  return bytes;
}

export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function parse<O extends DescMessage>(
  status: number,
  headers: Headers,
  body: Uint8Array,
  schema: O,
  protocol: Protocol,
): Answer<O> {
  const messages: MessageShape<O>[] = [];
  // A gRPC-Web error may stand in the headers, with no body.
  if (protocol === "grpc-web+proto" && headers.has("grpc-status")) {
    return { status, messages, error: findTrailerError(headers) };
  }
  if (!headers.get("content-type")?.startsWith(`application/${protocol}`)) {
    const text = new TextDecoder().decode(body);
    return { status, messages, error: new ConnectError(`HTTP ${status}: ${text}`, Code.Unknown) };
  }
  for (let at = 0; at < body.length;) {
    const flags = body[at];
    const length = new DataView(body.buffer, body.byteOffset + at).getUint32(1);
    const data = body.subarray(at + 5, at + 5 + length);
    if (data.length !== length) throw new Error("the answer was cut");
    at += 5 + length;
    if (protocol === "grpc-web+proto" && flags & trailerFlag) {
      return { status, messages, error: findTrailerError(trailerParse(data)) };
    }
    if (protocol !== "grpc-web+proto" && flags & endStreamFlag) {
      return { status, messages, error: endStreamFromJson(data).error };
    }
    messages.push(
      protocol === "connect+json" ? fromJsonString(schema, new TextDecoder().decode(data)) : fromBinary(schema, data),
    );
  }
  throw new Error(`the answer has no end: status ${status}, ${body.length} bytes`);
}
