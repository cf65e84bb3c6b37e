/**
 * QueryService: answers about points.
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
  type SeriesSchema,
} from "../gen/sluice/v1/query_pb.ts";
import {
  MAX_GROUP_BY,
  MAX_QUERY_QUANTILES,
  MAX_STREAMED_BUCKETS,
  MAX_STREAMED_SERIES,
  METRICS_PART_BUCKETS,
} from "../limits.ts";
import type {
  BucketResult,
  GroupKey,
  MetricsQuery,
  MetricsRead,
  PointStore,
  Series,
  SeriesBuckets,
  SeriesFilter,
} from "../store/types.ts";
import type { Call } from "./call.ts";
import { pageSize } from "./paging.ts";
import type { QuerySlots } from "./query_slots.ts";
import { queryRange } from "./query_range.ts";

export interface MetricsQueryOptions {
  readonly points: PointStore;
  readonly clock: Clock;
  /** Shared with questions about logs. */
  readonly slots: QuerySlots;
}

export type MetricsQueries = ReturnType<typeof createMetricsQueries>;

type Width = (start: number) => number;

const DEFAULT_AGGREGATIONS = [
  Aggregation.COUNT,
  Aggregation.SUM,
  Aggregation.MIN,
  Aggregation.MAX,
  Aggregation.AVG,
  Aggregation.LAST,
];

export function createMetricsQueries({ points, clock, slots }: MetricsQueryOptions) {
  return {
    async queryMetrics(
      request: QueryMetricsRequest,
      call: Call,
    ): Promise<MessageInitShape<typeof QueryMetricsResponseSchema>> {
      const now = clock.now();
      const { query, asked } = parse(request, now);
      using _slot = slots.take();
      const result = await points.query(call.tenant, query, call.signal);
      const width = widths(query, result.from, now);
      return { series: result.series.map((found) => resultMessage(found, asked, width)), ...segmentCounts(result) };
    },

    async *streamMetrics(
      request: QueryMetricsRequest,
      call: Call,
    ): AsyncGenerator<MessageInitShape<typeof QueryMetricsResponseSchema>> {
      const now = clock.now();
      const { query, asked } = parse(request, now);
      using _slot = slots.take();
      const limits = { series: MAX_STREAMED_SERIES, buckets: MAX_STREAMED_BUCKETS };
      const found = await points.queryParts(call.tenant, { ...query, limits }, METRICS_PART_BUCKETS, call.signal);
      const width = widths(query, found.from, now);
      for await (const part of found.parts) {
        yield { series: part.map((series) => resultMessage(series, asked, width)) };
        call.signal.throwIfAborted();
      }
      yield segmentCounts(found);
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
  };
}

/** What a request asks for. @throws {ConnectError} INVALID_ARGUMENT */
function parse(request: QueryMetricsRequest, now: number) {
  if (request.metric === "") throw invalidArgument("metric", "must not be empty");
  const step = Number(request.stepMs);
  if (step < 0) throw invalidArgument("step_ms", `must not be negative: current value is ${step}`);
  const { quantiles, groupBy } = request;
  if (quantiles.length > MAX_QUERY_QUANTILES) {
    throw invalidArgument("quantiles", `must be at most ${MAX_QUERY_QUANTILES}: there are ${quantiles.length}`);
  }
  for (const q of quantiles) {
    if (!(q >= 0 && q <= 1)) throw invalidArgument("quantiles", `must be from 0 to 1: current value is ${q}`);
  }
  if (groupBy.length > MAX_GROUP_BY) {
    throw invalidArgument("group_by", `must be at most ${MAX_GROUP_BY}: there are ${groupBy.length}`);
  }
  if (groupBy.includes("")) throw invalidArgument("group_by", "must not hold an empty name");
  const asked = new Set(request.aggregations.length === 0 ? DEFAULT_AGGREGATIONS : request.aggregations);
  for (const aggregation of asked) {
    if (Aggregation[aggregation] === undefined || aggregation === Aggregation.UNSPECIFIED) {
      throw invalidArgument("aggregations", `must be known ones: current value is ${aggregation}`);
    }
  }
  const query: MetricsQuery = {
    ...{ ...filter(request), ...queryRange(request, now), step, quantiles },
    increase: asked.has(Aggregation.INCREASE) || asked.has(Aggregation.RATE),
    groupBy: groupBy.length === 0 ? undefined : groupBy.map(groupKey),
  };
  return { query, asked };
}

/** Milliseconds of a bucket that are in the range, of which nothing is kept before `from`, and have passed. */
function widths({ to, step }: MetricsQuery, from: number, now: number): Width {
  const end = Math.min(to, now);
  return (start) => (step === 0 ? end : Math.min(start + step, end)) - Math.max(start, from);
}

function groupKey(name: string): GroupKey {
  if (name === "source" || name === "metric") return { type: name };
  return { type: "tag", name: name.startsWith("tag:") ? name.slice("tag:".length) : name };
}

function resultMessage({ series, buckets }: SeriesBuckets, asked: ReadonlySet<Aggregation>, width: Width) {
  return { series: seriesMessage(series), buckets: buckets.map((bucket) => bucketMessage(bucket, asked, width)) };
}

function segmentCounts({ opened, skipped, damaged }: MetricsRead) {
  return { segmentsOpened: BigInt(opened), segmentsSkipped: BigInt(skipped), segmentsDamaged: BigInt(damaged) };
}

function filter(request: { source: string; metric: string; tags: Record<string, string> }): SeriesFilter {
  return {
    source: request.source || undefined,
    metric: request.metric || undefined,
    tags: Object.entries(request.tags),
  };
}

function seriesMessage({ source, metric, tags }: Series): MessageInitShape<typeof SeriesSchema> {
  return { source, metric, tags: Object.fromEntries(tags) };
}

function bucketMessage(
  bucket: BucketResult,
  asked: ReadonlySet<Aggregation>,
  width: Width,
): MessageInitShape<typeof BucketSchema> {
  const { start, count, sum, min, max, last, quantiles, increase } = bucket;
  const ms = width(start);
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
    increase: ifAsked(Aggregation.INCREASE, increase),
    // Of a bucket that has not begun, only what is ahead of the clock is there.
    rate: ifAsked(Aggregation.RATE, ms > 0 ? increase / (ms / 1000) : undefined),
  };
}
