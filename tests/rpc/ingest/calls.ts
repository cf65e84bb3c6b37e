/**
 * Calls of one client-streaming method, without a network: through the ingest path, and through connect-es's own handler
 * of the same method with the same service behind it.
 *
 * @module
 */
import {
  create,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import {
  type ConnectError,
  type ConnectRouterOptions,
  createConnectRouter,
  type HandlerContext,
} from "@connectrpc/connect";
import { endStreamFromJson } from "@connectrpc/connect/protocol-connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import { trailerParse } from "@connectrpc/connect/protocol-grpc-web";
import { gunzipSync } from "node:zlib";
import type { UniversalHandler, UniversalServerRequest } from "@connectrpc/connect/protocol";
import {
  CollectionResultSchema,
  DataCollectionService,
  DataPointSchema,
} from "../../../gen/sluice/v1/data_collection_pb.ts";
import { coded } from "../../../rpc/coded_errors.ts";
import { createIngestHandler } from "../../../rpc/ingest/handler.ts";
import { routerOptions } from "../../../rpc/router.ts";
import { MessageDecoder } from "../../support/message_decoder.ts";
import { concat, envelope } from "../../support/wire.ts";
import { bytesOf } from "./support.ts";

export const METHOD = DataCollectionService.method.collectDataPoints;
export type Point = MessageShape<typeof DataPointSchema>;
export type Receipt = MessageInitShape<typeof CollectionResultSchema>;
/** What a service does with the points of a call, as they come. */
export type Serve = (points: AsyncIterable<Point>, context: HandlerContext) => Promise<Receipt>;

/** The options of the real server, and a signal that nobody aborts. */
export function options(more: ConnectRouterOptions = {}): ConnectRouterOptions {
  return { ...routerOptions({ grpc: true, shutdownSignal: new AbortController().signal }), ...more };
}

/** The handler of the ingest path. */
export function ingestHandler(serve: Serve, handling = options()): UniversalHandler {
  return createIngestHandler({
    method: METHOD,
    createDecoder: () => new MessageDecoder(METHOD.input),
    serve: (batches, context) => serve(flat(batches), context),
    toConnectError: coded,
  }, handling);
}

async function* flat<T>(batches: AsyncIterable<readonly T[]>): AsyncGenerator<T> {
  for await (const batch of batches) yield* batch;
}

/** That of connect-es. */
export function connectHandler(serve: Serve, handling = options()): UniversalHandler {
  const router = createConnectRouter(handling);
  router.service(DataCollectionService, {
    collectDataPoints: async (points, context) => create(CollectionResultSchema, await serve(points, context)),
  });
  return router.handlers.find(({ method }) => method === METHOD)!;
}

export type CallInit = Omit<Partial<UniversalServerRequest>, "header"> & {
  readonly contentType?: string;
  readonly header?: Record<string, string>;
};

/** A request as a host makes it. */
export function requestOf(
  { contentType = "application/grpc+proto", header, ...more }: CallInit,
): UniversalServerRequest {
  return {
    httpVersion: "2.0",
    method: "POST",
    url: `http://127.0.0.1/${METHOD.parent.typeName}/${METHOD.name}`,
    header: new Headers({ "content-type": contentType, ...header }),
    body: bodyOf(),
    signal: new AbortController().signal,
    ...more,
  };
}

export async function* bodyOf(...parts: Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield await Promise.resolve(part);
}

/** A whole answer, with everything that a client sees of it. */
export interface Seen {
  readonly status: number;
  readonly header: Record<string, string>;
  readonly body: Uint8Array;
  readonly trailer: Record<string, string> | undefined;
}

/** Calls a handler and reads the whole answer. */
export async function callOf(handler: UniversalHandler, init: CallInit): Promise<Seen> {
  const { status, header, body, trailer } = await handler(requestOf(init));
  const parts: Uint8Array[] = [];
  if (body && Symbol.asyncIterator in body) { for await (const part of body) parts.push(part); }
  return {
    status,
    header: Object.fromEntries(header ?? []),
    body: Uint8Array.from(parts.flatMap((part) => [...part])),
    // Only now: a call may end with an error while its answer is being sent.
    trailer: trailer && Object.fromEntries(trailer),
  };
}

export const BINARY = ["application/grpc+proto", "application/grpc-web+proto", "application/connect+proto"];
export const JSON_TYPES = ["application/grpc+json", "application/grpc-web+json", "application/connect+json"];
/** The flag of an envelope that is no message; gRPC has none. */
export const END_FLAG: Readonly<Record<string, number>> = { grpc: 0, "grpc-web": 0x80, connect: 2 };

export const protocolOf = (contentType: string) => contentType.split("/")[1].split(/[+;]/)[0];
export const isJson = (contentType: string) => contentType.includes("json");

/** Counts points, and shows what the call's headers, trailers and sources are good for. */
export const counting: Serve = async (points, context) => {
  context.responseHeader.set("seen-custom", context.requestHeader.get("custom") ?? "none");
  context.responseTrailer.set("after", "all");
  const sources: string[] = [];
  for await (const { source } of points) sources.push(source);
  return { totalProcessed: sources.length, errors: sources };
};

export function encoded(contentType: string, source: string): Uint8Array {
  const message = create(DataPointSchema, { source, timestamp: 7n, metrics: { cpu: 0.5 } });
  return isJson(contentType) ? bytesOf(toJsonString(DataPointSchema, message)) : toBinary(DataPointSchema, message);
}

export function points(contentType: string, ...sources: string[]): Uint8Array {
  return concat(sources.map((source) => envelope(encoded(contentType, source))));
}

/** What the answer says: its message, and its error. */
export function meaning(
  { header, body, trailer }: Seen,
  contentType: string,
): [sources: string[] | undefined, ConnectError?] {
  const protocol = protocolOf(contentType);
  let sources: string[] | undefined;
  let error = trailer && findTrailerError(new Headers(trailer));
  for (let at = 0; at < body.length;) {
    const flags = body[at];
    const length = new DataView(body.buffer, body.byteOffset + at).getUint32(1);
    let data = body.subarray(at + 5, at + 5 + length);
    at += 5 + length;
    if (flags & 1) data = gunzipSync(data);
    if (flags & END_FLAG[protocol]) {
      error = protocol === "connect" ? endStreamFromJson(data).error : findTrailerError(trailerParse(data));
    } else {
      sources = isJson(header["content-type"])
        ? JSON.parse(new TextDecoder().decode(data)).errors ?? []
        : fromBinary(CollectionResultSchema, data).errors;
    }
  }
  return [sources, error];
}
