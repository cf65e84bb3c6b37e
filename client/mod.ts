/**
 * The Sluice client: sends files, data points and log entries, and reads them back. It runs in Deno and Node 20 or
 * later, and in browsers once bundled; with Deno it is imported by URL and needs no import map.
 *
 * Whatever is sent goes as a stream with an id, in windows of bounded size, each of them a call. Where the network, a
 * proxy or a server fails, the client waits, asks what is committed, and goes on from there, on another endpoint if there
 * is one; each item is stored once. It holds no more than one window on its way and the next one being filled, and then
 * the producer waits. A receipt says what the server has committed.
 *
 * Where fetch can stream a request (Deno, Node, Chromium over HTTP/2), a window goes out while it is being made;
 * elsewhere it is sent whole. See docs/client.md.
 *
 * Errors: every call ends in its result or a {@linkcode SluiceError}, which is a ConnectError too. Options that are none
 * are a TypeError or RangeError.
 *
 * @example
 * ```ts ignore
 * import { createSluice } from "http://localhost:8000/client/mod.ts";
 *
 * const sluice = createSluice({ url: "http://127.0.0.1:8080" });
 *
 * const receipt = await sluice.uploadFile("./report.csv", {
 *   onProgress: ({ committed, total }) => console.log(`${committed} of ${total} bytes`),
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
import type { CollectionResult, LogCollectionResult } from "../gen/sluice/v1/data_collection_pb.ts";
import type { UploadResult } from "../gen/sluice/v1/file_upload_pb.ts";
import type { BufferedItemWriter, BufferedWriterOptions } from "./buffer_options.ts";
import { sendItems, type SendOptions } from "./collect.ts";
import type { Connection } from "./connection.ts";
import { createFiles, type Files } from "./files.ts";
import { type LogInit, type PointInit, writeLog, writePoint } from "./items.ts";
import { LOGS, POINTS } from "./kinds.ts";
import type { ItemWriter, WriterOptions } from "./long_writer.ts";
import { openWriter } from "./open_writer.ts";
import { createCore, type SluiceOptions } from "./options.ts";
import { createDeletions, type Deletions } from "./deletions.ts";
import { createQuestions, type Questions } from "./questions.ts";
import type { Sending } from "./progress.ts";
import type { FileSource } from "./source.ts";
import {
  uploadFile,
  uploadFiles,
  type UploadFilesOptions,
  type UploadItem,
  type UploadOptions,
  type UploadOutcome,
} from "./upload.ts";
import type { Way } from "./way.ts";

export { Code, ConnectError } from "./deps.ts";
export { Aggregation, SearchOrder } from "../gen/sluice/v1/query_pb.ts";
export type { CollectionResult, LogCollectionResult, Rejection } from "../gen/sluice/v1/data_collection_pb.ts";
export type { Deletion, ListDeletionsResponse } from "../gen/sluice/v1/deletion_pb.ts";
export type { FileInfo, ListFilesResponse, UploadResult } from "../gen/sluice/v1/file_upload_pb.ts";
export type {
  ListSeriesResponse,
  LogFacetsResponse,
  LogHit,
  QueryMetricsResponse,
  SearchLogsResponse,
  TailLogsResponse,
} from "../gen/sluice/v1/query_pb.ts";
export type { SendOptions } from "./collect.ts";
export type { Connection, ConnectionState } from "./connection.ts";
export type { DownloadOptions } from "./download.ts";
export type { EndpointInfo } from "./endpoints.ts";
export { SluiceError, type SluiceReason } from "./errors.ts";
export type { OnEvent, SluiceEvent } from "./events.ts";
export type { Files, ListFilesOptions } from "./files.ts";
export type { WindowLimits } from "./window_limits.ts";
export type { LogInit, PointInit, Timestamp } from "./items.ts";
export type { BufferedItemWriter, BufferedWriterOptions } from "./buffer_options.ts";
export type { ItemWriter, WriterOptions } from "./long_writer.ts";
export type { SluiceOptions } from "./options.ts";
export type { OnProgress, Progress, Sending } from "./progress.ts";
export type { Deletions } from "./deletions.ts";
export type { QueryOptions, Questions, StreamOptions } from "./questions.ts";
export type { RateOptions } from "./rate.ts";
export type { RetryOptions } from "./retry.ts";
export type { FileSource } from "./source.ts";
export type { UploadFilesOptions, UploadItem, UploadOptions, UploadOutcome } from "./upload.ts";
export type { Transport, Way } from "./way.ts";

/** A client of one server, or of several endpoints of one. */
export interface Sluice extends Questions, Deletions {
  /**
   * Uploads one file: a path (Deno, Node), a Blob or File, bytes, or a stream of bytes, whose length need not be
   * known. Unless `checksum` is false, each chunk and the whole file go with their SHA-256.
   *
   * An upload that broke off goes on where it was: of a path if the client has a `stateDir`, of a File in a browser; of
   * others with the `streamId` of the error.
   *
   * @throws {TypeError} if there is no name for the file, or the source is none.
   * @throws {SluiceError} What the server answered: `invalid_argument` for a name or content that it does not take,
   * `resource_exhausted` for a file that is too large, `data_loss` if bytes arrived damaged. `reason` is `source` if the
   * source cannot be read.
   *
   * @example
   * ```ts ignore
   * const bytes = new TextEncoder().encode("a,b\n1,2\n");
   * const { fileId } = await sluice.uploadFile(bytes, { name: "small.csv" });
   * ```
   */
  uploadFile(source: FileSource, options?: UploadOptions): Sending<UploadResult>;
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
   * @throws {SluiceError} What the server answered; `reason` is `item` if a point does not have the shape of one, and
   * `producer` if the iterable throws: all that came before is committed then.
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
  sendPoints(points: Iterable<PointInit> | AsyncIterable<PointInit>, options?: SendOptions): Sending<CollectionResult>;
  /**
   * Sends log entries, as {@linkcode Sluice.sendPoints} does points.
   *
   * @throws {SluiceError} as there.
   *
   * @example
   * ```ts ignore
   * await sluice.sendLogs([{ application: "shop", level: "warn", timestamp: new Date(), message: "slow answer" }]);
   * ```
   */
  sendLogs(entries: Iterable<LogInit> | AsyncIterable<LogInit>, options?: SendOptions): Sending<LogCollectionResult>;
  /**
   * Opens a stream of points that is written to one by one.
   *
   * @example
   * ```ts ignore
   * await using writer = sluice.pointWriter();
   * await writer.write({ source: "web-1", timestamp: Date.now(), metrics: { load: 0.3 } });
   * await writer.flush();
   * ```
   *
   * With an offline buffer, what is written survives the program and is sent by the next one, if need be:
   * ```ts ignore
   * await using writer = sluice.pointWriter({ buffer: "sensor-7" });
   * await writer.write({ source: "web-1", timestamp: Date.now(), metrics: { load: 0.3 } });
   * await writer.saved();
   * ```
   *
   * @throws {TypeError} if there is no place for the buffer: in Deno and Node the client needs a `stateDir`.
   */
  pointWriter(options: BufferedWriterOptions): BufferedItemWriter<PointInit, CollectionResult>;
  pointWriter(options?: WriterOptions): ItemWriter<PointInit, CollectionResult>;
  /** Opens a stream of log entries that is written to one by one, as {@linkcode Sluice.pointWriter} does one of points. */
  logWriter(options: BufferedWriterOptions): BufferedItemWriter<LogInit, LogCollectionResult>;
  logWriter(options?: WriterOptions): ItemWriter<LogInit, LogCollectionResult>;
  /** Stored files. */
  readonly files: Files;
  /** The connection's state, and that of the endpoints. */
  readonly connection: Connection;
  /** Changes how streams are sent, those under way from their next window on. */
  useTransport(way: Way): void;
  /** Ends whatever is under way, and takes no more. What is committed stays, and can be gone on with. */
  close(): void;
  [Symbol.dispose](): void;
}

/**
 * Makes a client. Nothing is sent before its first call.
 *
 * @throws {TypeError} if a URL is none, or is not http(s).
 */
export function createSluice(options: SluiceOptions): Sluice {
  const { core, memory, close } = createCore(options);
  const { pool } = core;
  return {
    uploadFile: (source, options) => uploadFile(core, memory, source, options),
    uploadFiles: (sources, options) => uploadFiles(core, memory, sources, options),
    sendPoints: (points, options) => sendItems(core, POINTS, writePoint, points, options),
    sendLogs: (entries, options) => sendItems(core, LOGS, writeLog, entries, options),
    pointWriter: ((options?: WriterOptions) => openWriter(core, POINTS, writePoint, options)) as Sluice["pointWriter"],
    logWriter: ((options?: WriterOptions) => openWriter(core, LOGS, writeLog, options)) as Sluice["logWriter"],
    files: createFiles(core),
    ...createQuestions(core),
    ...createDeletions(core),
    connection: {
      get state() {
        return pool.state.state;
      },
      get endpoints() {
        return pool.endpoints;
      },
      watch: () => pool.state.watch(),
    },
    useTransport: (way) => core.way.use(way),
    close,
    [Symbol.dispose]: close,
  };
}
