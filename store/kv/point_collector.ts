/**
 * What a query of points has found so far: buckets by series.
 *
 * @module
 */
import { overLimit } from "../../errors.ts";
import {
  DAY,
  HOUR,
  MAX_INCREASE_SAMPLES,
  MAX_QUERY_BUCKETS,
  MAX_QUERY_SERIES,
  MAX_QUERY_SKETCH_BYTES,
  MIB,
} from "../../limits.ts";
import { makeSeries, matches } from "../format/series.ts";
import type { HourRollups } from "../format/hour_rollups.ts";
import type { PointSegment } from "../format/point_segment.ts";
import { Rollup } from "../format/rollup.ts";
import type { GroupKey, MetricsQuery, Series, SeriesBuckets } from "../types.ts";
import { type ActiveDeletion, ofSeries, withoutDeleted } from "./deletions.ts";
import { bucketStart, type Found, partsOf, type Samples } from "./point_parts.ts";
import type { ReadBudget } from "./read_budget.ts";
import type { Turns } from "./turns.ts";

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
  /** Bytes of their sketches. */
  #bytes = 0;
  /** Samples that are kept for increases. */
  #samples = 0;

  constructor(
    readonly query: MetricsQuery,
    readonly from: number,
    readonly to: number,
    readonly budget: ReadBudget,
  ) {}

  /** An empty one for the same query, or for a part of its range. */
  fork(from = this.from, to = this.to): PointCollector {
    return new PointCollector(this.query, Math.max(this.from, from), Math.min(this.to, to), this.budget);
  }

  /** Adds a segment, if it has anything that the query asks for. Of a damaged one nothing is taken. */
  addSegment(segment: PointSegment, deletions: readonly ActiveDeletion[]): void {
    const isMeant = segment.minTime < this.to && segment.maxTime >= this.from;
    const parts = isMeant ? this.#partsOf(segment, deletions) : [];
    for (const { series, content } of parts) {
      if (content instanceof Rollup) {
        this.#merge(this.#series(series), bucketStart(this.query, segment.minTime), content);
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
        this.budget.takeSamples(1);
        if (hour < this.from || hour >= this.to) continue;
        this.#merge(this.#series(series), bucketStart(this.query, hour), rollup);
      }
      isOpened = true;
    }
    if (isOpened) this.opened++;
    else this.skipped++;
  }

  /** Takes over what another has found of later times. */
  async merge(other: PointCollector, turns: Turns): Promise<void> {
    for (const [key, { series, buckets, samples }] of other.#found) {
      const found = this.#place(key, series);
      for (const [start, rollup] of buckets) {
        if (found.buckets.has(start)) this.#merge(found, start, rollup);
        else this.#put(found, start, rollup);
        if (turns.isOver) await turns.next();
      }
      for (const [key, parts] of samples) for (const part of parts) this.#keep(found, key, part);
    }
    this.opened += other.opened;
    this.skipped += other.skipped;
    this.damaged += other.damaged;
  }

  /** What was found, which is no more here then: in parts of `most` buckets. */
  parts(most: number, turns: Turns): AsyncIterable<readonly SeriesBuckets[]> {
    return partsOf(this.#found, this.query, most, turns);
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
      bucketStart(this.query, segment.minTime) === bucketStart(this.query, segment.maxTime);
    const rollup = inside ? segment.rollup(i) : undefined;
    return rollup && (this.query.quantiles.length === 0 || rollup.sketch) ? rollup : undefined;
  }

  /** Adds what is in the range; a series that has nothing there has no part in the answer. */
  #addColumns(series: Series, { timestamps, values }: Samples): void {
    this.budget.takeSamples(values.length);
    const first = firstFrom(timestamps, this.from);
    const end = firstFrom(timestamps, this.to);
    if (first === end) return;
    const found = this.#series(series);
    if (this.query.increase) {
      const own = { timestamps: timestamps.subarray(first, end), values: values.subarray(first, end) };
      this.#keep(found, series.key, own);
    }
    for (let j = first; j < end;) {
      const start = bucketStart(this.query, timestamps[j]);
      const next = this.query.step === 0 ? Infinity : start + this.query.step;
      const bucket = this.#bucket(found, start);
      const before = bucket.bytes;
      do bucket.add(timestamps[j], values[j]); while (++j < end && timestamps[j] < next);
      this.#grow(bucket.bytes - before);
    }
  }

  #merge(found: Found, start: number, rollup: Rollup): void {
    const bucket = this.#bucket(found, start);
    const before = bucket.bytes;
    bucket.merge(rollup);
    this.#grow(bucket.bytes - before);
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

  #bucket(found: Found, start: number): Rollup {
    const known = found.buckets.get(start);
    if (known) return known;
    const bucket = new Rollup(this.query.quantiles.length > 0);
    this.#put(found, start, bucket);
    return bucket;
  }

  #put(found: Found, start: number, bucket: Rollup): void {
    const { buckets: most } = this.#limits;
    if (++this.#buckets > most) {
      throw overLimit(`The query makes more than ${most} buckets: take a shorter range, a longer step or fewer series`);
    }
    this.#grow(bucket.bytes);
    found.buckets.set(start, bucket);
  }

  #grow(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > MAX_QUERY_SKETCH_BYTES) {
      throw overLimit(
        `The quantiles of the query take more than ${
          MAX_QUERY_SKETCH_BYTES / MIB
        } MiB of memory: take a shorter range, ` +
          "a longer step or fewer series",
      );
    }
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
