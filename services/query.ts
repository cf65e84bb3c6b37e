/**
 * QueryService: answers about points and logs.
 *
 * @module
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Clock } from "../clock.ts";
import { invalidArgument } from "../errors.ts";
import {
  Aggregation,
  type BucketSchema,
  type ListSeriesRequest,
  type ListSeriesResponseSchema,
  type QueryMetricsRequest,
  type QueryMetricsResponseSchema,
  type SearchLogsRequest,
  type SearchLogsResponseSchema,
  SearchOrder,
  type SeriesSchema,
} from "../gen/sluice/v1/query_pb.ts";
import { MAX_FUTURE_MS, MAX_QUERY_QUANTILES, MAX_SEARCH_TERMS } from "../limits.ts";
import { highlightsOf } from "../store/format/log_highlight.ts";
import { foldWord } from "../store/format/tokens.ts";
import type { LogCondition } from "../store/log_condition.ts";
import {
  type BucketResult,
  LEVELS,
  type LogStore,
  type PointStore,
  type Series,
  type SeriesFilter,
} from "../store/types.ts";
import type { Call } from "./call.ts";
import { parseQuery } from "./log_language/parser.ts";
import { parseLevel } from "./log_level.ts";
import { pageSize } from "./paging.ts";
import { quoted } from "./text.ts";

export interface QueryOptions {
  readonly points: PointStore;
  readonly logs: LogStore;
  readonly clock: Clock;
}

export type QueryService = ReturnType<typeof createQueryService>;

const ALL_AGGREGATIONS = [
  Aggregation.COUNT,
  Aggregation.SUM,
  Aggregation.MIN,
  Aggregation.MAX,
  Aggregation.AVG,
  Aggregation.LAST,
];

export function createQueryService({ points, logs, clock }: QueryOptions) {
  /** A range of time from a request; 0 as the end means everything up to now and what may lie ahead. */
  function range(request: { from: bigint; to: bigint }): { from: number; to: number } {
    const from = Number(request.from);
    const to = request.to === 0n ? clock.now() + MAX_FUTURE_MS + 1 : Number(request.to);
    if (from < 0) throw invalidArgument("from", `must not be negative: current value is ${from}`);
    if (to <= from) throw invalidArgument("to", `must be after from, which is ${from}: current value is ${to}`);
    if (to > Number.MAX_SAFE_INTEGER) throw invalidArgument("to", "must be a time in milliseconds since the epoch");
    return { from, to };
  }

  return {
    async queryMetrics(
      request: QueryMetricsRequest,
      call: Call,
    ): Promise<MessageInitShape<typeof QueryMetricsResponseSchema>> {
      if (request.metric === "") throw invalidArgument("metric", "must not be empty");
      const step = Number(request.stepMs);
      if (step < 0) throw invalidArgument("step_ms", `must not be negative: current value is ${step}`);
      const { quantiles } = request;
      if (quantiles.length > MAX_QUERY_QUANTILES) {
        throw invalidArgument("quantiles", `must be at most ${MAX_QUERY_QUANTILES}: there are ${quantiles.length}`);
      }
      for (const q of quantiles) {
        if (!(q >= 0 && q <= 1)) throw invalidArgument("quantiles", `must be from 0 to 1: current value is ${q}`);
      }
      const asked = new Set(request.aggregations.length === 0 ? ALL_AGGREGATIONS : request.aggregations);
      for (const aggregation of asked) {
        if (!ALL_AGGREGATIONS.includes(aggregation)) {
          throw invalidArgument("aggregations", `must be known ones: current value is ${aggregation}`);
        }
      }
      const query = { ...filter(request), ...range(request), step, quantiles };
      const { series, opened, skipped, damaged } = await points.query(call.tenant, query, call.signal);
      return {
        series: series.map((found) => ({
          series: seriesMessage(found.series),
          buckets: found.buckets.map((bucket) => bucketMessage(bucket, asked)),
        })),
        segmentsOpened: BigInt(opened),
        segmentsSkipped: BigInt(skipped),
        segmentsDamaged: BigInt(damaged),
      };
    },

    async listSeries(
      request: ListSeriesRequest,
      call: Call,
    ): Promise<MessageInitShape<typeof ListSeriesResponseSchema>> {
      const limit = pageSize(request.pageSize);
      if (!/^([0-9a-f]{32})?$/.test(request.pageToken)) {
        throw invalidArgument("page_token", "must be the next_page_token of a page");
      }
      const { series, next } = await points.series(
        call.tenant,
        filter(request),
        limit,
        request.pageToken || undefined,
        call.signal,
      );
      return { series: series.map(seriesMessage), nextPageToken: next ?? "" };
    },

    async searchLogs(
      request: SearchLogsRequest,
      call: Call,
    ): Promise<MessageInitShape<typeof SearchLogsResponseSchema>> {
      const where = conditionOf(request, clock.now());
      const { hits, more, opened, skipped, damaged } = await logs.search(call.tenant, {
        where,
        ...range(request),
        newestFirst: request.order !== SearchOrder.OLDEST_FIRST,
        limit: pageSize(request.pageSize),
        after: request.pageToken === "" ? undefined : parsePageToken(request.pageToken),
      }, call.signal);
      const last = hits.at(-1);
      return {
        hits: hits.map(({ id, application, level, timestamp, message, fields }) => ({
          id,
          entry: {
            application,
            level: LEVELS[level],
            timestamp: BigInt(timestamp),
            message,
            fields: Object.fromEntries(fields),
          },
          highlights: highlightsOf({ application, level, timestamp, message, fields }, where).map((
            { field, start, end },
          ) => ({ field: field === undefined ? "" : fields[field][0], start, end })),
        })),
        nextPageToken: more && last ? `${last.timestamp}.${last.id}` : "",
        segmentsOpened: BigInt(opened),
        segmentsSkipped: BigInt(skipped),
        segmentsDamaged: BigInt(damaged),
      };
    },
  };
}

function filter(request: { source: string; metric: string; tags: Record<string, string> }): SeriesFilter {
  return {
    source: request.source || undefined,
    metric: request.metric || undefined,
    tags: Object.entries(request.tags),
  };
}

/** What a search asks for, in its fields and in its query. */
function conditionOf(request: SearchLogsRequest, now: number): LogCondition {
  const minLevel = request.minLevel === "" ? 0 : parseLevel(request.minLevel);
  if (minLevel === undefined) {
    throw invalidArgument(
      "min_level",
      `must be one of ${LEVELS.join(", ")}: current value is ${quoted(request.minLevel)}`,
    );
  }
  const fields = Object.entries(request.fields);
  if (request.words.length + fields.length > MAX_SEARCH_TERMS) {
    throw invalidArgument("words", `must, with fields, be at most ${MAX_SEARCH_TERMS}`);
  }
  const of: LogCondition[] = [{ type: "level", from: minLevel, to: LEVELS.length - 1 }];
  if (request.application !== "") {
    of.push({ type: "application", value: { type: "exact", value: request.application } });
  }
  for (const [name, value] of fields) of.push({ type: "field", name, value: { type: "exact", value } });
  for (const text of request.words.map(foldWord)) {
    if (!/^[\p{L}\p{M}\p{N}_]+$/u.test(text)) {
      throw invalidArgument("words", `must be runs of letters, digits and underscores: ${quoted(text)} is none`);
    }
    of.push({ type: "words", where: "anywhere", words: { text, isPrefix: false } });
  }
  return { type: "all", of: [...of, parseQuery(request.query, now)] };
}

/** A page token is where the page before ended: timestamp and id of its last entry. */
function parsePageToken(token: string): { timestamp: number; id: string } {
  const match = /^(\d{1,16})\.([0-9A-Z]{26}-[0-9a-z]{1,8})$/.exec(token);
  if (!match) throw invalidArgument("page_token", "must be the next_page_token of a page");
  return { timestamp: Number(match[1]), id: match[2] };
}

function seriesMessage({ source, metric, tags }: Series): MessageInitShape<typeof SeriesSchema> {
  return { source, metric, tags: Object.fromEntries(tags) };
}

function bucketMessage(bucket: BucketResult, asked: ReadonlySet<Aggregation>): MessageInitShape<typeof BucketSchema> {
  const { start, count, sum, min, max, last, quantiles } = bucket;
  const ifAsked = <T>(aggregation: Aggregation, value: T) => asked.has(aggregation) ? value : undefined;
  return {
    timestamp: BigInt(start),
    count: ifAsked(Aggregation.COUNT, BigInt(count)),
    sum: ifAsked(Aggregation.SUM, sum),
    min: ifAsked(Aggregation.MIN, min),
    max: ifAsked(Aggregation.MAX, max),
    avg: ifAsked(Aggregation.AVG, sum / count),
    last: ifAsked(Aggregation.LAST, last),
    quantiles: [...quantiles],
  };
}
