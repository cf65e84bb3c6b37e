/**
 * QueryMetrics over segments: walks the hours of the range, skips segments by their time range, and takes a series'
 * rollup where the whole segment falls into one bucket; only else are its columns decoded. A damaged segment gives
 * nothing at all, and the answer says how many there were.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import { overLimit } from "../../errors.ts";
import { HOUR, MAX_QUERY_BUCKETS, MAX_QUERY_SERIES } from "../../limits.ts";
import { openPointSegment, type PointSegment } from "../format/point_segment.ts";
import { Rollup } from "../format/rollup.ts";
import { FORMAT } from "../format/value.ts";
import type { MetricsQuery, MetricsResult, Series } from "../types.ts";
import { hoursRange } from "./keys.ts";
import type { KvClient } from "./kv.ts";
import { openValue } from "./records.ts";
import { matches } from "./series_index.ts";

export interface PointQueryOptions {
  readonly kv: KvClient;
  readonly clock: Clock;
  readonly retention: number;
}

interface Found {
  readonly series: Series;
  /** By the beginning of the bucket. */
  readonly buckets: Map<number, Rollup>;
}

export async function queryPoints(
  { kv, clock, retention }: PointQueryOptions,
  tenant: string,
  query: MetricsQuery,
  signal: AbortSignal,
): Promise<MetricsResult> {
  // A segment outlives its oldest point by up to an hour, so the range says what is past retention.
  const from = Math.max(query.from, clock.now() - retention);
  const { to } = query;
  if (from >= to) return { series: [], opened: 0, skipped: 0, damaged: 0 };
  const collector = new Collector(query, from, to);
  let opened = 0;
  let skipped = 0;
  let damaged = 0;
  const selector = hoursRange("points", tenant, Math.floor(from / HOUR), Math.ceil(to / HOUR));
  for await (const page of kv.pages(selector)) {
    signal.throwIfAborted();
    for (const entry of page) {
      const state = kv.decodeOrSkip(entry, () => {
        const payload = openValue(FORMAT.pointSegment, clock.now(), entry.value);
        if (!payload) return "expired";
        const segment = openPointSegment(payload);
        return segment.minTime < to && segment.maxTime >= from && collector.add(segment) ? "opened" : "skipped";
      });
      if (state === undefined) damaged++;
      else if (state === "opened") opened++;
      else if (state === "skipped") skipped++;
    }
  }
  return { series: collector.results(), opened, skipped, damaged };
}

/** What a segment has of one series: a rollup that says all, or columns. */
interface Part {
  readonly series: Series;
  readonly content: Rollup | { readonly timestamps: Float64Array; readonly values: Float64Array };
}

class Collector {
  readonly #found = new Map<string, Found>();
  #buckets = 0;

  constructor(private readonly query: MetricsQuery, private readonly from: number, private readonly to: number) {}

  /** Whether the segment has any series that the query asks for. Of a damaged one nothing is taken. */
  add(segment: PointSegment): boolean {
    const parts: Part[] = [];
    for (let i = 0; i < segment.seriesCount; i++) {
      const series = segment.series(i);
      if (matches(series, this.query)) {
        parts.push({ series, content: this.#wholeRollup(segment, i) ?? segment.columns(i) });
      }
    }
    for (const { series, content } of parts) {
      const found = this.#series(series);
      if (content instanceof Rollup) this.#bucket(found, segment.minTime).merge(content);
      else this.#addColumns(found, content);
    }
    return parts.length > 0;
  }

  results(): MetricsResult["series"] {
    return [...this.#found.values()].filter(({ buckets }) => buckets.size > 0).map(({ series, buckets }) => ({
      series,
      buckets: [...buckets].sort(([a], [b]) => a - b).map(([start, r]) => ({
        start,
        count: r.count,
        sum: r.sum,
        min: r.min,
        max: r.max,
        last: r.last,
        quantiles: this.query.quantiles.map((q) => r.quantile(q)),
      })),
    }));
  }

  /** The stored rollup, if it says all that the query needs of this segment. */
  #wholeRollup(segment: PointSegment, i: number): Rollup | undefined {
    const inside = segment.minTime >= this.from && segment.maxTime < this.to &&
      this.#start(segment.minTime) === this.#start(segment.maxTime);
    const rollup = inside ? segment.rollup(i) : undefined;
    return rollup && (this.query.quantiles.length === 0 || rollup.sketch) ? rollup : undefined;
  }

  #addColumns(found: Found, { timestamps, values }: Exclude<Part["content"], Rollup>): void {
    for (let j = 0; j < timestamps.length; j++) {
      const t = timestamps[j];
      if (t >= this.from && t < this.to) this.#bucket(found, t).add(t, values[j]);
    }
  }

  #start(timestamp: number): number {
    const { step } = this.query;
    return step === 0 ? this.query.from : Math.floor(timestamp / step) * step;
  }

  #series(series: Series): Found {
    let found = this.#found.get(series.key);
    if (!found) {
      if (this.#found.size === MAX_QUERY_SERIES) {
        throw overLimit(
          `The query matches more than ${MAX_QUERY_SERIES} series: name a source or tags to narrow it`,
        );
      }
      this.#found.set(series.key, found = { series, buckets: new Map() });
    }
    return found;
  }

  #bucket(found: Found, timestamp: number): Rollup {
    const start = this.#start(timestamp);
    let bucket = found.buckets.get(start);
    if (!bucket) {
      if (++this.#buckets > MAX_QUERY_BUCKETS) {
        throw overLimit(
          `The query makes more than ${MAX_QUERY_BUCKETS} buckets: take a shorter range, a longer step or fewer series`,
        );
      }
      bucket = new Rollup(this.query.quantiles.length > 0);
      found.buckets.set(start, bucket);
    }
    return bucket;
  }
}
