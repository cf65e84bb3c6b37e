/**
 * What a query of points has found so far: buckets by series.
 *
 * @module
 */
import { overLimit } from "../../errors.ts";
import { DAY, HOUR, MAX_INCREASE_SAMPLES, MAX_QUERY_BUCKETS, MAX_QUERY_SERIES } from "../../limits.ts";
import { makeSeries, matches } from "../format/series.ts";
import type { HourRollups } from "../format/hour_rollups.ts";
import type { PointSegment } from "../format/point_segment.ts";
import { Rollup } from "../format/rollup.ts";
import { sortByTime } from "../format/time_sort.ts";
import type { GroupKey, MetricsQuery, MetricsResult, Series } from "../types.ts";
import { type ActiveDeletion, ofSeries, withoutDeleted } from "./deletions.ts";

interface Found {
  /** Of a group, what its series have alike. */
  readonly series: Series;
  /** By the beginning of the bucket. */
  readonly buckets: Map<number, Rollup>;
  /** By the key of the series, where increases are asked for. */
  readonly samples: Map<string, Samples[]>;
}

interface Samples {
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
}

/** What a segment has of one series: a rollup that says all, or columns. */
interface Part {
  readonly series: Series;
  readonly content: Rollup | Samples;
}

export class PointCollector {
  opened = 0;
  skipped = 0;
  damaged = 0;
  readonly #found = new Map<string, Found>();
  /** Groups by the key of a series. */
  readonly #groups = new Map<string, Found>();
  #buckets = 0;
  #samples = 0;
  #samplesRead = 0;

  constructor(
    readonly query: MetricsQuery,
    readonly from: number,
    readonly to: number,
    private readonly maxSamples: number,
  ) {}

  /** An empty one for the same query. */
  fork(): PointCollector {
    return new PointCollector(this.query, this.from, this.to, this.maxSamples);
  }

  /** Adds a segment, if it has anything that the query asks for. Of a damaged one nothing is taken. */
  addSegment(segment: PointSegment, deletions: readonly ActiveDeletion[]): void {
    const isMeant = segment.minTime < this.to && segment.maxTime >= this.from;
    const parts = isMeant ? this.#partsOf(segment, deletions) : [];
    for (const { series, content } of parts) {
      if (content instanceof Rollup) {
        this.#bucket(this.#series(series), this.#start(segment.minTime)).merge(content);
      } else this.#addColumns(series, content);
    }
    if (parts.length > 0) this.opened++;
    else this.skipped++;
  }

  /** Whether rollups of hours say all that the query needs of a day. */
  takesHoursOf(day: number): boolean {
    const { step, quantiles, increase } = this.query;
    const isOutside = (edge: number) => edge <= day * DAY || edge >= (day + 1) * DAY;
    const isBetween = (edge: number) => edge % HOUR === 0 || isOutside(edge);
    return step % HOUR === 0 && quantiles.length === 0 && !increase && isBetween(this.from) && isBetween(this.to);
  }

  /** Adds rollups of hours, where `takesHoursOf()` their day. */
  addHours(segment: HourRollups): void {
    let isOpened = false;
    for (let i = 0; i < segment.seriesCount; i++) {
      const series = segment.series(i);
      if (!matches(series, this.query)) continue;
      for (const [hour, rollup] of segment.rollups(i)) {
        this.#count(1);
        if (hour >= this.from && hour < this.to) this.#bucket(this.#series(series), this.#start(hour)).merge(rollup);
      }
      isOpened = true;
    }
    if (isOpened) this.opened++;
    else this.skipped++;
  }

  /** Adds what another has found of later times. */
  merge(other: PointCollector): void {
    for (const [key, { series, buckets, samples }] of other.#found) {
      const found = this.#place(key, series);
      for (const [start, rollup] of buckets) this.#bucket(found, start).merge(rollup);
      for (const [key, parts] of samples) for (const part of parts) this.#keep(found, key, part);
    }
    this.#count(other.#samplesRead);
    this.opened += other.opened;
    this.skipped += other.skipped;
    this.damaged += other.damaged;
  }

  result(): MetricsResult {
    const { from, opened, skipped, damaged } = this;
    const series = Array.from(this.#found.values(), (found) => {
      const increases = this.#increases(found);
      const buckets = [...found.buckets].sort(([a], [b]) => a - b).map(([start, r]) => ({
        start,
        count: r.count,
        sum: r.sum,
        min: r.min,
        max: r.max,
        last: r.last,
        quantiles: this.query.quantiles.map((q) => r.quantile(q)),
        increase: increases.get(start) ?? 0,
      }));
      return { series: found.series, buckets };
    });
    return { series, from, opened, skipped, damaged };
  }

  #partsOf(segment: PointSegment, deletions: readonly ActiveDeletion[]): Part[] {
    const parts: Part[] = [];
    for (let i = 0; i < segment.seriesCount; i++) {
      const series = segment.series(i);
      if (!matches(series, this.query)) continue;
      const own = ofSeries(deletions, series);
      if (own.length > 0) parts.push({ series, content: withoutDeleted(segment.columns(i), own) });
      else parts.push({ series, content: this.#wholeRollup(segment, i) ?? segment.columns(i) });
    }
    return parts;
  }

  /** The stored rollup, if it says all that the query needs of this segment. */
  #wholeRollup(segment: PointSegment, i: number): Rollup | undefined {
    if (this.query.increase) return undefined;
    const inside = segment.minTime >= this.from && segment.maxTime < this.to &&
      this.#start(segment.minTime) === this.#start(segment.maxTime);
    const rollup = inside ? segment.rollup(i) : undefined;
    return rollup && (this.query.quantiles.length === 0 || rollup.sketch) ? rollup : undefined;
  }

  /** Adds what is in the range; a series that has nothing there has no part in the answer. */
  #addColumns(series: Series, { timestamps, values }: Samples): void {
    this.#count(values.length);
    const first = firstFrom(timestamps, this.from);
    const end = firstFrom(timestamps, this.to);
    if (first === end) return;
    const found = this.#series(series);
    if (this.query.increase) {
      this.#keep(found, series.key, {
        timestamps: timestamps.subarray(first, end),
        values: values.subarray(first, end),
      });
    }
    for (let j = first; j < end; j++) this.#bucket(found, this.#start(timestamps[j])).add(timestamps[j], values[j]);
  }

  /** Counts samples that are read one by one. */
  #count(samples: number): void {
    this.#samplesRead += samples;
    if (this.#samplesRead > this.maxSamples) {
      throw overLimit(`The query reads more than ${this.maxSamples} samples: take a shorter range, or fewer series`);
    }
  }

  #start(timestamp: number): number {
    const { step } = this.query;
    return step === 0 ? this.query.from : Math.floor(timestamp / step) * step;
  }

  #series(series: Series): Found {
    const { groupBy } = this.query;
    if (groupBy === undefined) return this.#place(series.key, series);
    const known = this.#groups.get(series.key);
    if (known) return known;
    const group = groupOf(series, groupBy);
    const found = this.#place(group.key, group);
    this.#groups.set(series.key, found);
    return found;
  }

  #place(key: string, series: Series): Found {
    let found = this.#found.get(key);
    if (!found) {
      const { series: most } = this.#limits;
      if (this.#found.size === most) {
        throw overLimit(
          `The query matches more than ${most} series: name a source or tags to narrow it, group them, or use StreamMetrics`,
        );
      }
      this.#found.set(key, found = { series, buckets: new Map(), samples: new Map() });
    }
    return found;
  }

  get #limits() {
    return this.query.limits ?? { series: MAX_QUERY_SERIES, buckets: MAX_QUERY_BUCKETS };
  }

  /** Keeps samples of one series: they come in any order. */
  #keep(found: Found, key: string, samples: Samples): void {
    this.#samples += samples.values.length;
    if (this.#samples > MAX_INCREASE_SAMPLES) {
      throw overLimit(
        `The query for increases reads more than ${MAX_INCREASE_SAMPLES} samples: take a shorter range or fewer series`,
      );
    }
    const parts = found.samples.get(key);
    if (parts) parts.push(samples);
    else found.samples.set(key, [samples]);
  }

  /** How much the series of a group rose, by the beginning of the bucket. */
  #increases({ samples }: Found): Map<number, number> {
    const increases = new Map<number, number>();
    for (const parts of samples.values()) {
      const { timestamps, values } = inOrder(parts);
      for (let j = 1; j < values.length; j++) {
        const start = this.#start(timestamps[j]);
        // A counter that begins anew begins at 0.
        const rise = values[j] >= values[j - 1] ? values[j] - values[j - 1] : values[j];
        increases.set(start, (increases.get(start) ?? 0) + rise);
      }
    }
    return increases;
  }

  #bucket(found: Found, start: number): Rollup {
    let bucket = found.buckets.get(start);
    if (!bucket) {
      const { buckets: most } = this.#limits;
      if (++this.#buckets > most) {
        throw overLimit(
          `The query makes more than ${most} buckets: take a shorter range, a longer step or fewer series`,
        );
      }
      bucket = new Rollup(this.query.quantiles.length > 0);
      found.buckets.set(start, bucket);
    }
    return bucket;
  }
}

/** Where the samples begin that are not before `time`, of those in the order of time. */
function firstFrom(timestamps: Float64Array, time: number): number {
  let first = 0, end = timestamps.length;
  while (first < end) {
    const middle = (first + end) >>> 1;
    if (timestamps[middle] < time) first = middle + 1;
    else end = middle;
  }
  return first;
}

/** All samples of a series by time; of equal times, in the order of the parts. */
function inOrder(parts: readonly Samples[]): Samples {
  const length = parts.reduce((sum, { values }) => sum + values.length, 0);
  const timestamps = new Float64Array(length);
  const values = new Float64Array(length);
  let at = 0;
  for (const part of parts) {
    timestamps.set(part.timestamps, at);
    values.set(part.values, at);
    at += part.values.length;
  }
  sortByTime(timestamps, values);
  return { timestamps, values };
}

/** What a series has of the names that it is grouped by. */
function groupOf({ source, metric, tags }: Series, groupBy: readonly GroupKey[]): Series {
  const has = (type: GroupKey["type"]) => groupBy.some((key) => key.type === type);
  const named = groupBy.flatMap((key) => key.type === "tag" ? [key.name] : []);
  const of = (name: string) => tags.find(([key]) => key === name)?.[1] ?? "";
  return makeSeries(
    has("source") ? source : "",
    has("metric") ? metric : "",
    named.map((name) => [name, of(name)] as const),
  );
}
