/**
 * The one router: services behind connect-es's protocol handlers. Every host feeds it, so that they cannot drift apart.
 *
 * @module
 */
import type { JsonReadOptions } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ConnectRouterOptions,
  createConnectRouter,
  type HandlerContext,
  type Interceptor,
} from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import type { Clock } from "../clock.ts";
import { Health } from "../gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../gen/grpc/reflection/v1/reflection_pb.ts";
import { DataCollectionService, type DataPoint, type LogEntry } from "../gen/sluice/v1/data_collection_pb.ts";
import { type FileChunk, FileUploadService } from "../gen/sluice/v1/file_upload_pb.ts";
import { QueryService } from "../gen/sluice/v1/query_pb.ts";
import { MAX_DEADLINE_MS, MAX_MESSAGE_BYTES } from "../limits.ts";
import type { Call } from "../services/call.ts";
import type { DataCollectionService as DataCollection } from "../services/data_collection.ts";
import type { FileUploadService as FileUpload } from "../services/file_upload.ts";
import type { QueryService as Query } from "../services/query.ts";
import { ALIASES, aliasFiles } from "./aliases.ts";
import { inBatches } from "./batches.ts";
import { isEndCertain } from "./body_end.ts";
import { brokenOff } from "./broken_off.ts";
import { gzipCompression } from "./gzip.ts";
import { createHealth } from "./health.ts";
import { logEvent } from "./log.ts";
import { createReflection } from "./reflection.ts";

export interface RouterOptions {
  /** Whether native gRPC is served: it needs a host that can send trailers. */
  readonly grpc: boolean;
  /** Ends calls that are still open when the server stops. */
  readonly shutdownSignal: AbortSignal;
  /** Whether the server takes work. */
  isReady(): Promise<boolean>;
  readonly clock: Clock;
}

export interface Services {
  readonly files: FileUpload;
  readonly collection: DataCollection;
  readonly query: Query;
}

/** Bytes of memory that an empty message takes, and an entry of one of its maps. */
const MESSAGE_BYTES = 200;
const MAP_ENTRY_BYTES = 80;

/** Whose data a call is about. There is one tenant until callers have names. */
export const TENANT = "default";

/** How calls are read and answered: protocols, compression, limits and errors. */
export function routerOptions(
  { grpc, shutdownSignal }: Pick<RouterOptions, "grpc" | "shutdownSignal">,
): ConnectRouterOptions {
  return {
    grpc,
    grpcWeb: true,
    connect: true,
    acceptCompression: [gzipCompression],
    // As for protobuf: what is no UTF-8 is refused, not stored as something else.
    jsonOptions: { textDecoder: new TextDecoder("utf-8", { fatal: true }) } as Partial<JsonReadOptions>,
    // Nobody asks for them, and they would be held with the message.
    binaryOptions: { readUnknownFields: false },
    readMaxBytes: MAX_MESSAGE_BYTES,
    maxTimeoutMs: MAX_DEADLINE_MS,
    shutdownSignal,
    interceptors: [codedErrors],
  };
}

/** Handlers by request path. */
export function createRouter(services: Services, options: RouterOptions): ReadonlyMap<string, UniversalHandler> {
  const { files, collection, query } = services;
  const router = createConnectRouter(routerOptions(options));
  router.service(FileUploadService, {
    uploadFile: (chunks, context) => files.uploadFile(inBatches(chunks, chunkSize, context.signal), call(context)),
    getFile: (request, context) => files.getFile(request, call(context)),
    listFiles: (request, context) => files.listFiles(request, call(context)),
    downloadFile: (request, context) => files.downloadFile(request, call(context)),
    deleteFile: (request, context) => files.deleteFile(request, call(context)),
  });
  router.service(DataCollectionService, {
    collectDataPoints: (points, context) =>
      collection.collectDataPoints(inBatches(points, pointSize, context.signal), call(context)),
    collectLogs: (entries, context) =>
      collection.collectLogs(inBatches(entries, entrySize, context.signal), call(context)),
  });
  router.service(QueryService, {
    queryMetrics: (request, context) => query.queryMetrics(request, call(context)),
    listSeries: (request, context) => query.listSeries(request, call(context)),
    searchLogs: (request, context) => query.searchLogs(request, call(context)),
  });

  const described = [FileUploadService, DataCollectionService, QueryService, Health, ServerReflection];
  const names = new Set([...described.map(({ typeName }) => typeName), ...ALIASES.keys()]);
  router.service(Health, createHealth(names, options.isReady, options.clock));
  const reflect = createReflection([...described.map(({ file }) => file), ...aliasFiles()]);
  router.service(ServerReflection, { serverReflectionInfo: reflect });

  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  for (const handler of router.handlers) {
    for (const [alias, service] of ALIASES) {
      if (handler.service === service) handlers.set(`/${alias}/${handler.method.name}`, handler);
    }
  }
  return handlers;
}

function call({ signal, values }: HandlerContext): Call {
  return { tenant: TENANT, signal, isEndCertain: values.get(isEndCertain) };
}

/** About how many bytes of memory a decoded message takes: the objects of a small one take more than its text. */
const chunkSize = ({ data, fileName }: FileChunk) => MESSAGE_BYTES + data.length + fileName.length;
const pointSize = ({ source, metrics, tags }: DataPoint) =>
  MESSAGE_BYTES + source.length + mapSize(metrics) + mapSize(tags);
const entrySize = ({ application, message, fields }: LogEntry) =>
  MESSAGE_BYTES + application.length + message.length + mapSize(fields);

function mapSize(map: Readonly<Record<string, string | number>>): number {
  let size = 0;
  for (const key in map) {
    const value = map[key];
    size += MAP_ENTRY_BYTES + key.length + (typeof value === "string" ? value.length : 0);
  }
  return size;
}

/** An error that is not ours is "internal error" to the caller; the log has all of it. */
const codedErrors: Interceptor = (next) => async (request) => {
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

function coded(error: unknown, url: string): ConnectError {
  const known = error instanceof ConnectError;
  if (known && isUnparsable(error)) return new ConnectError(error.rawMessage, Code.InvalidArgument);
  // What was wrong with a store is for the operator; the caller gets the code and the text.
  if (known && error.code !== Code.Internal && error.cause === undefined) return error;
  if (known && error.code === Code.Canceled) return error;
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
