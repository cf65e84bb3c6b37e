/**
 * The Sluice client: sends files, data points and log entries, and reads them back. It runs in Deno and Node 20 or
 * later, and in browsers once bundled; with Deno it is imported by URL and needs no import map.
 *
 * Streams go out as they are made: many items in one body chunk, no faster than the network takes them. The calls of
 * this module resolve when the server has answered, and a receipt says what the server has committed.
 *
 * In a browser, what a call sends is collected before it is sent, for browsers do not stream bodies over HTTP/1.1.
 *
 * Errors: what a server answers is a `ConnectError` with a `code`, as is a connection that failed (`unavailable`, the
 * reason in `cause`). What a producer throws, and a signal's reason, reach the caller as they are.
 *
 * @example
 * ```ts ignore
 * import { createSluice } from "http://localhost:8000/client/mod.ts";
 *
 * const sluice = createSluice({ url: "http://127.0.0.1:8080" });
 *
 * const receipt = await sluice.uploadFile("./report.csv", {
 *   onProgress: ({ sent, total }) => console.log(`${sent} of ${total} bytes`),
 * });
 * console.log(receipt.fileId, receipt.checksum);
 *
 * const { successfulCount, errorCount } = await sluice.sendPoints([
 *   { source: "web-1", timestamp: Date.now(), metrics: { cpu: 0.7 }, tags: { zone: "a" } },
 * ]);
 * console.log(successfulCount, errorCount);
 * ```
 *
 * @module
 */
import {
  type CollectionResult,
  DataCollectionService,
  type LogCollectionResult,
} from "../gen/sluice/v1/data_collection_pb.ts";
import { FileUploadService, type UploadResult } from "../gen/sluice/v1/file_upload_pb.ts";
import {
  type ListSeriesRequestSchema,
  type ListSeriesResponse,
  type QueryMetricsRequestSchema,
  type QueryMetricsResponse,
  QueryService,
  type SearchLogsRequestSchema,
  type SearchLogsResponse,
} from "../gen/sluice/v1/query_pb.ts";
import { createClient, createConnectTransport, type Interceptor, type MessageInitShape } from "./deps.ts";
import { createFiles, type Files } from "./files.ts";
import { type LogInit, type PointInit, writeLog, writePoint } from "./items.ts";
import { createMeter, type OnProgress } from "./progress.ts";
import type { FileSource } from "./source.ts";
import { callClientStreaming, type Endpoint } from "./stream_call.ts";
import {
  uploadFile,
  uploadFiles,
  type UploadFilesOptions,
  type UploadItem,
  type UploadOptions,
  type UploadOutcome,
} from "./upload.ts";

export { Code, ConnectError } from "./deps.ts";
export { Aggregation, SearchOrder } from "../gen/sluice/v1/query_pb.ts";
export type { CollectionResult, LogCollectionResult, Rejection } from "../gen/sluice/v1/data_collection_pb.ts";
export type { FileInfo, ListFilesResponse, UploadResult } from "../gen/sluice/v1/file_upload_pb.ts";
export type { ListSeriesResponse, QueryMetricsResponse, SearchLogsResponse } from "../gen/sluice/v1/query_pb.ts";
export type { DownloadOptions, Files, ListFilesOptions } from "./files.ts";
export type { LogInit, PointInit, Timestamp } from "./items.ts";
export type { OnProgress, Progress } from "./progress.ts";
export type { FileSource } from "./source.ts";
export type { UploadFilesOptions, UploadItem, UploadOptions, UploadOutcome } from "./upload.ts";

/** Where the server is, and who calls. */
export interface SluiceOptions {
  /** Such as `http://127.0.0.1:8080`. */
  url: string | URL;
  /** Sent as `authorization: Bearer ...`. */
  token?: string;
  /** What makes the requests. Default: the platform's. */
  fetch?: typeof globalThis.fetch;
}

/** How items are sent. */
export interface SendOptions {
  /** In items. */
  onProgress?: OnProgress;
  signal?: AbortSignal;
}

/** How a question is asked. */
export interface QueryOptions {
  signal?: AbortSignal;
}

/** A client of one server. */
export interface Sluice {
  /**
   * Uploads one file: a path (Deno, Node), a Blob or File, bytes, or a stream of bytes, whose length need not be
   * known. Unless `checksum` is false, each chunk and the whole file go with their SHA-256.
   *
   * @throws {TypeError} if there is no name for the file, or the source is none.
   * @throws {ConnectError} What the server answered: `invalid_argument` for a name or content that it does not take,
   * `resource_exhausted` for a file that is too large, `data_loss` if bytes arrived damaged.
   * @throws What the source throws, or the signal's reason.
   *
   * @example
   * ```ts ignore
   * const bytes = new TextEncoder().encode("a,b\n1,2\n");
   * const { fileId } = await sluice.uploadFile(bytes, { name: "small.csv" });
   * ```
   */
  uploadFile(source: FileSource, options?: UploadOptions): Promise<UploadResult>;
  /**
   * Uploads several files, `maxConcurrency` at a time. One that fails does not stop the others.
   *
   * @returns What became of each, in the order of the sources.
   *
   * @example
   * ```ts ignore
   * for (const outcome of await sluice.uploadFiles(["a.csv", "b.csv"], { maxConcurrency: 2 })) {
   *   console.log(outcome.ok ? outcome.result.fileId : outcome.error);
   * }
   * ```
   */
  uploadFiles(sources: Iterable<UploadItem>, options?: UploadFilesOptions): Promise<UploadOutcome[]>;
  /**
   * Sends points, which may come from a generator that never ends; what a slow one has yielded goes out after 100 ms.
   * A bad point becomes a rejection in the receipt, and the others are stored.
   *
   * @throws {TypeError} if a point does not have the shape of one.
   * @throws {ConnectError} What the server answered.
   * @throws What the iterable throws, or the signal's reason.
   *
   * @example
   * ```ts ignore
   * async function* load() {
   *   while (true) {
   *     yield { source: "web-1", timestamp: Date.now(), metrics: { load: Deno.loadavg()[0] } };
   *     await new Promise((resolve) => setTimeout(resolve, 1000));
   *   }
   * }
   * await sluice.sendPoints(load());
   * ```
   */
  sendPoints(points: Iterable<PointInit> | AsyncIterable<PointInit>, options?: SendOptions): Promise<CollectionResult>;
  /**
   * Sends log entries, as {@linkcode Sluice.sendPoints} does points.
   *
   * @throws {TypeError} if an entry does not have the shape of one.
   * @throws {ConnectError} What the server answered.
   * @throws What the iterable throws, or the signal's reason.
   *
   * @example
   * ```ts ignore
   * await sluice.sendLogs([{ application: "shop", level: "warn", timestamp: new Date(), message: "slow answer" }]);
   * ```
   */
  sendLogs(entries: Iterable<LogInit> | AsyncIterable<LogInit>, options?: SendOptions): Promise<LogCollectionResult>;
  /** Stored files. */
  readonly files: Files;
  /**
   * Aggregates of a metric, by series and bucket of time. Times are in milliseconds since the epoch.
   *
   * @throws {ConnectError} What the server answered.
   */
  queryMetrics(
    request: MessageInitShape<typeof QueryMetricsRequestSchema>,
    options?: QueryOptions,
  ): Promise<QueryMetricsResponse>;
  /**
   * One page of the series that there are.
   *
   * @throws {ConnectError} What the server answered.
   */
  listSeries(
    request?: MessageInitShape<typeof ListSeriesRequestSchema>,
    options?: QueryOptions,
  ): Promise<ListSeriesResponse>;
  /**
   * One page of the log entries that match.
   *
   * @throws {ConnectError} What the server answered.
   */
  searchLogs(
    request: MessageInitShape<typeof SearchLogsRequestSchema>,
    options?: QueryOptions,
  ): Promise<SearchLogsResponse>;
}

/**
 * Makes a client. Nothing is sent before its first call.
 *
 * @throws {TypeError} if the URL is none, or is not http(s).
 */
export function createSluice(options: SluiceOptions): Sluice {
  const endpoint = createEndpoint(options);
  const authorize: Interceptor = (next) => (request) => {
    for (const [name, value] of Object.entries(endpoint.headers)) request.header.set(name, value);
    return next(request);
  };
  const transport = createConnectTransport({
    baseUrl: endpoint.url,
    fetch: endpoint.fetch,
    useBinaryFormat: true,
    interceptors: [authorize],
  });
  const query = createClient(QueryService, transport);

  return {
    uploadFile: (source, options) => uploadFile(endpoint, source, options),
    uploadFiles: (sources, options) => uploadFiles(endpoint, sources, options),
    sendPoints: async (items, { signal, onProgress } = {}) =>
      await callClientStreaming(endpoint, DataCollectionService.method.collectDataPoints, {
        items,
        write: writePoint,
        onBatch: createMeter(onProgress, countOf(items)),
        signal,
      }),
    sendLogs: async (items, { signal, onProgress } = {}) =>
      await callClientStreaming(endpoint, DataCollectionService.method.collectLogs, {
        items,
        write: writeLog,
        onBatch: createMeter(onProgress, countOf(items)),
        signal,
      }),
    files: createFiles(createClient(FileUploadService, transport)),
    queryMetrics: (request, options) => query.queryMetrics(request, options),
    listSeries: (request = {}, options) => query.listSeries(request, options),
    searchLogs: (request, options) => query.searchLogs(request, options),
  };
}

function createEndpoint({ url, token, fetch = globalThis.fetch }: SluiceOptions): Endpoint {
  const { protocol, href } = new URL(url);
  if (protocol !== "http:" && protocol !== "https:") {
    throw new TypeError(`Cannot use url: it must begin with http:// or https://, not ${protocol}`);
  }
  return {
    url: href.replace(/\/+$/, ""),
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    // Not handed on as it is: a browser's fetch must not be called as a method of something else.
    fetch: (input, init) => fetch(input, init),
  };
}

function countOf(items: object): number | undefined {
  return Array.isArray(items) ? items.length : undefined;
}
