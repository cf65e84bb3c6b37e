/**
 * What a query of points has found so far: buckets by series.
 *
 * @module
 */
import { overLimit } from "../../errors.ts";
import { MAX_QUERY_BUCKETS, MAX_QUERY_SERIES } from "../../limits.ts";
import type { PointSegment } from "../format/point_segment.ts";
import { Rollup } from "../format/rollup.ts";
import type { MetricsQuery, MetricsResult, Series } from "../types.ts";
import { matches } from "./series_index.ts";

interface Found {
  readonly series: Series;
  /** By the beginning of the bucket. */
  readonly buckets: Map<number, Rollup>;
}

/** What a segment has of one series: a rollup that says all, or columns. */
interface Part {
  readonly series: Series;
  readonly content: Rollup | { readonly timestamps: Float64Array; readonly values: Float64Array };
}

export class PointCollector {
  opened = 0;
  skipped = 0;
  damaged = 0;
  readonly #found = new Map<string, Found>();
  #buckets = 0;

  constructor(readonly query: MetricsQuery, readonly from: number, readonly to: number) {}

  /** An empty one for the same query. */
  fork(): PointCollector {
    return new PointCollector(this.query, this.from, this.to);
  }

  /** Adds a segment, if it has anything that the query asks for. Of a damaged one nothing is taken. */
  addSegment(segment: PointSegment): void {
    const parts = segment.minTime < this.to && segment.maxTime >= this.from ? this.#partsOf(segment) : [];
    for (const { series, content } of parts) {
      const found = this.#series(series);
      if (content instanceof Rollup) this.#bucket(found, this.#start(segment.minTime)).merge(content);
      else this.#addColumns(found, content);
    }
    if (parts.length > 0) this.opened++;
    else this.skipped++;
  }

  /** Adds what another has found of later times. */
  merge(other: PointCollector): void {
    for (const { series, buckets } of other.#found.values()) {
      const found = this.#series(series);
      for (const [start, rollup] of buckets) this.#bucket(found, start).merge(rollup);
    }
    this.opened += other.opened;
    this.skipped += other.skipped;
    this.damaged += other.damaged;
  }

  result(): MetricsResult {
    const { opened, skipped, damaged } = this;
    const series = [...this.#found.values()].filter(({ buckets }) => buckets.size > 0).map(({ series, buckets }) => ({
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
    return { series, opened, skipped, damaged };
  }

  #partsOf(segment: PointSegment): Part[] {
    const parts: Part[] = [];
    for (let i = 0; i < segment.seriesCount; i++) {
      const series = segment.series(i);
      if (!matches(series, this.query)) continue;
      parts.push({ series, content: this.#wholeRollup(segment, i) ?? segment.columns(i) });
    }
    return parts;
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
      if (t >= this.from && t < this.to) this.#bucket(found, this.#start(t)).add(t, values[j]);
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

  #bucket(found: Found, start: number): Rollup {
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
