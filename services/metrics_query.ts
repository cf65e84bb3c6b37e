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
import { MAX_QUERY_QUANTILES } from "../limits.ts";
import { type BucketResult, type PointStore, type Series, type SeriesFilter } from "../store/types.ts";
import type { Call } from "./call.ts";
import { pageSize } from "./paging.ts";
import { queryRange } from "./query_range.ts";

export interface MetricsQueryOptions {
  readonly points: PointStore;
  readonly clock: Clock;
}

export type MetricsQueries = ReturnType<typeof createMetricsQueries>;

const ALL_AGGREGATIONS = [
  Aggregation.COUNT,
  Aggregation.SUM,
  Aggregation.MIN,
  Aggregation.MAX,
  Aggregation.AVG,
  Aggregation.LAST,
];

export function createMetricsQueries({ points, clock }: MetricsQueryOptions) {
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
      const query = { ...filter(request), ...queryRange(request, clock.now()), step, quantiles };
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
  };
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
