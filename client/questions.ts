/**
 * Questions about points and logs.
 *
 * @module
 */
import {
  type ListSeriesRequestSchema,
  type ListSeriesResponse,
  type LogFacetsRequestSchema,
  type LogFacetsResponse,
  type QueryMetricsRequestSchema,
  type QueryMetricsResponse,
  QueryService,
  type SearchLogsRequestSchema,
  type SearchLogsResponse,
  type TailLogsRequestSchema,
  type TailLogsResponse,
} from "../gen/sluice/v1/query_pb.ts";
import type { Core } from "./core.ts";
import type { MessageInitShape } from "./deps.ts";
import { askStream } from "./server_stream.ts";
import { ask } from "./unary.ts";

/** How a question is asked that is answered in parts. */
export interface StreamOptions {
  signal?: AbortSignal;
  /** How long it may take, retries and all, ms. Default: that of the client. */
  deadlineMs?: number;
}

/** How a question is asked. */
export interface QueryOptions {
  signal?: AbortSignal;
  /** How long it may take, retries and all, ms. Default: that of the client. */
  deadlineMs?: number;
}

/** What can be asked. */
export interface Questions {
  /**
   * Aggregates of a metric, by series and bucket of time. Times are in milliseconds since the epoch.
   *
   * @throws {SluiceError} What the server answered.
   */
  queryMetrics(
    request: MessageInitShape<typeof QueryMetricsRequestSchema>,
    options?: QueryOptions,
  ): Promise<QueryMetricsResponse>;
  /**
   * One page of the series that there are.
   *
   * @throws {SluiceError} What the server answered.
   */
  listSeries(
    request?: MessageInitShape<typeof ListSeriesRequestSchema>,
    options?: QueryOptions,
  ): Promise<ListSeriesResponse>;
  /**
   * One page of the log entries that match.
   *
   * @throws {SluiceError} What the server answered.
   */
  searchLogs(
    request: MessageInitShape<typeof SearchLogsRequestSchema>,
    options?: QueryOptions,
  ): Promise<SearchLogsResponse>;
  /**
   * The answer of `queryMetrics` in parts, and of more series and buckets.
   *
   * @throws {SluiceError} What ended the answer.
   */
  streamMetrics(
    request: MessageInitShape<typeof QueryMetricsRequestSchema>,
    options?: StreamOptions,
  ): AsyncIterable<QueryMetricsResponse>;
  /**
   * How many log entries match, over time, and by application, level and fields.
   *
   * @throws {SluiceError} What the server answered.
   */
  logFacets(
    request: MessageInitShape<typeof LogFacetsRequestSchema>,
    options?: QueryOptions,
  ): Promise<LogFacetsResponse>;
  /**
   * Log entries that match, as they are committed, until whoever iterates stops. The first message has no entries: what is
   * committed from then on comes. `missed` counts entries that came faster than they were taken. A deadline is one for the
   * first message.
   *
   * @throws {SluiceError} What ended the answer: to follow on, ask again.
   */
  tailLogs(
    request?: MessageInitShape<typeof TailLogsRequestSchema>,
    options?: StreamOptions,
  ): AsyncIterable<TailLogsResponse>;
}

export function createQuestions(core: Core): Questions {
  const { queryMetrics, listSeries, searchLogs, logFacets, streamMetrics, tailLogs } = QueryService.method;
  return {
    queryMetrics: (request, options) => ask(core, queryMetrics, request, options),
    listSeries: (request = {}, options) => ask(core, listSeries, request, options),
    searchLogs: (request, options) => ask(core, searchLogs, request, options),
    logFacets: (request, options) => ask(core, logFacets, request, options),
    streamMetrics: (request, options) => askStream(core, streamMetrics, request, options),
    // Where nothing is logged, nothing comes.
    tailLogs: (request = {}, options) => askStream(core, tailLogs, request, { ...options, mayBeSilent: true }),
  };
}
