/**
 * The one router: services behind protocol handlers, those of the ingest path (ingest/) for client-streaming methods and
 * connect-es's for all others. Every host feeds it, so that they cannot drift apart.
 *
 * @module
 */
import type { JsonReadOptions } from "@bufbuild/protobuf";
import { type ConnectRouterOptions, createConnectRouter, type HandlerContext } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import type { Clock } from "../clock.ts";
import { ChunkDecoder } from "../decode/chunks.ts";
import { LogDecoder, type LogShapes } from "../decode/logs.ts";
import { PointDecoder, type PointShapes } from "../decode/points.ts";
import { ShapeCache } from "../decode/shape_cache.ts";
import { Health } from "../gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../gen/grpc/reflection/v1/reflection_pb.ts";
import { DeletionService } from "../gen/sluice/v1/deletion_pb.ts";
import { DataCollectionService } from "../gen/sluice/v1/data_collection_pb.ts";
import { FileUploadService } from "../gen/sluice/v1/file_upload_pb.ts";
import { QueryService } from "../gen/sluice/v1/query_pb.ts";
import { StreamService } from "../gen/sluice/v1/stream_pb.ts";
import { MAX_CARRIED_BYTES, MAX_DEADLINE_MS, MAX_MESSAGE_BYTES } from "../limits.ts";
import type { Call } from "../services/call.ts";
import type { DataCollectionService as DataCollection } from "../services/data_collection.ts";
import type { DeletionService as Deletions } from "../services/deletions.ts";
import type { FileUploadService as FileUpload } from "../services/file_upload.ts";
import type { LogsQueries } from "../services/logs_query.ts";
import type { MetricsQueries } from "../services/metrics_query.ts";
import type { StreamService as Streams } from "../services/streams.ts";
import { ALIASES, aliasFiles } from "./aliases.ts";
import { isEndCertain } from "./body_end.ts";
import { coded, codedErrors } from "./coded_errors.ts";
import { gzipCompression } from "./gzip.ts";
import { createHealth } from "./health.ts";
import { CarryBudget } from "./ingest/envelopes.ts";
import { createIngestHandler } from "./ingest/handler.ts";
import { createReflection } from "./reflection.ts";
import { streamOf } from "./stream_headers.ts";

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
  readonly metricsQueries: MetricsQueries;
  readonly logsQueries: LogsQueries;
  readonly streams: Streams;
  readonly deletions: Deletions;
}

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
  const { files, metricsQueries, logsQueries, streams, deletions } = services;
  const handling = routerOptions(options);
  const router = createConnectRouter(handling);
  router.service(FileUploadService, {
    getFile: (request, context) => files.getFile(request, call(context)),
    listFiles: (request, context) => files.listFiles(request, call(context)),
    downloadFile: (request, context) => files.downloadFile(request, call(context)),
    deleteFile: (request, context) => files.deleteFile(request, call(context)),
  });
  router.service(QueryService, {
    queryMetrics: (request, context) => metricsQueries.queryMetrics(request, call(context)),
    streamMetrics: (request, context) => metricsQueries.streamMetrics(request, call(context)),
    listSeries: (request, context) => metricsQueries.listSeries(request, call(context)),
    searchLogs: (request, context) => logsQueries.searchLogs(request, call(context)),
    tailLogs: (request, context) => logsQueries.tailLogs(request, call(context)),
    logFacets: (request, context) => logsQueries.logFacets(request, call(context)),
  });

  router.service(DeletionService, {
    deletePoints: (request, context) => deletions.deletePoints(request, call(context)),
    deleteLogs: (request, context) => deletions.deleteLogs(request, call(context)),
    listDeletions: (request, context) => deletions.listDeletions(request, call(context)),
  });

  router.service(StreamService, {
    getStream: (request, context) => streams.getStream(request, call(context)),
    listStreams: (request, context) => streams.listStreams(request, call(context)),
    watchStreams: (request, context) => streams.watchStreams(request, call(context)),
  });

  const own = [FileUploadService, DataCollectionService, QueryService, StreamService, DeletionService];
  const described = [...own, Health, ServerReflection];
  const names = new Set([...described.map(({ typeName }) => typeName), ...ALIASES.keys()]);
  router.service(Health, createHealth(names, options.isReady, options.clock));
  const reflect = createReflection([...described.map(({ file }) => file), ...aliasFiles()]);
  router.service(ServerReflection, { serverReflectionInfo: reflect });

  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  for (const handler of ingestHandlers(services, handling)) handlers.set(handler.requestPath, handler);
  for (const handler of [...handlers.values()]) {
    for (const [alias, service] of ALIASES) {
      if (handler.service === service) handlers.set(`/${alias}/${handler.method.name}`, handler);
    }
  }
  return handlers;
}

/** The client-streaming methods. */
function ingestHandlers({ files, collection }: Services, handling: ConnectRouterOptions): UniversalHandler[] {
  const pointShapes: PointShapes = new ShapeCache();
  const logShapes: LogShapes = new ShapeCache();
  const carried = new CarryBudget(MAX_CARRIED_BYTES);
  return [
    createIngestHandler(
      {
        method: FileUploadService.method.uploadFile,
        createDecoder: () => new ChunkDecoder(),
        serve: (chunks, context) => files.uploadFile(chunks, streamCall(context)),
        toConnectError: coded,
      },
      handling,
      carried,
    ),
    createIngestHandler(
      {
        method: DataCollectionService.method.collectDataPoints,
        createDecoder: () => new PointDecoder(pointShapes),
        serve: (points, context) => collection.collectDataPoints(points, streamCall(context)),
        toConnectError: coded,
      },
      handling,
      carried,
    ),
    createIngestHandler(
      {
        method: DataCollectionService.method.collectLogs,
        createDecoder: () => new LogDecoder(logShapes),
        serve: (entries, context) => collection.collectLogs(entries, streamCall(context)),
        toConnectError: coded,
      },
      handling,
      carried,
    ),
  ];
}

function call({ signal }: HandlerContext): Call {
  return { tenant: TENANT, signal };
}

/** A call that streams in. */
function streamCall({ signal, values, requestHeader }: HandlerContext): Call {
  return { tenant: TENANT, signal, isEndCertain: values.get(isEndCertain), stream: streamOf(requestHeader) };
}
