/**
 * LogFacets over segments: counts entries by application, level and fields, over time. Where all of a segment falls into
 * one bucket, and its index says that all of its entries are meant, the index has the counts, and the segment stays closed.
 *
 * @module
 */
import { overLimit } from "../../errors.ts";
import { MAX_FACET_BUCKETS } from "../../limits.ts";
import type { LogIndex } from "../format/log_index.ts";
import { logMatcher } from "../format/log_match.ts";
import { mayFail } from "../format/log_may_match.ts";
import type { LogRow } from "../format/log_row.ts";
import { type FacetKey, LEVELS, type LogCounting, type LogCounts } from "../log_types.ts";
import { clamped } from "./log_range.ts";
import type { FoundPart, FoundSegment } from "./log_parts.ts";
import { LogSegments, type LogSegmentsOptions } from "./log_segments.ts";

export async function countLogs(
  options: LogSegmentsOptions,
  tenant: string,
  asked: LogCounting,
  signal: AbortSignal,
): Promise<LogCounts> {
  const counting = clamped(asked, options);
  const segments = new LogSegments(options, tenant, signal);
  const counter = new Counter(counting);
  const read = async (parts: AsyncIterable<FoundPart>) => {
    const own = new Counter(counting);
    for await (const { segments: found } of parts) {
      for (const segment of found) {
        if (own.addIndex(segment)) segments.skip(1);
        else for (const entry of await segments.open(segment)) own.add(entry);
      }
    }
    return own;
  };
  await segments.each(counting, true, read, (own) => {
    counter.merge(own);
    return true;
  });
  return { ...counter.result(), ...segments.counts };
}

/** What was counted in one bucket of time. */
interface Bucket {
  count: number;
  /** By value, of each facet. */
  readonly facets: readonly Map<string, number>[];
}

class Counter {
  /** By their beginning. */
  readonly #buckets = new Map<number, Bucket>();
  readonly #isMet: (entry: LogRow) => boolean;
  /** Values in all buckets, and buckets. */
  #size = 0;
  /** The bucket that was counted in last: entries mostly come in the order of time. */
  #start = NaN;
  #bucket: Bucket = { count: 0, facets: [] };

  constructor(private readonly counting: LogCounting) {
    this.#isMet = logMatcher(counting.where);
  }

  add(entry: LogRow): void {
    const { from, to, facets } = this.counting;
    const { timestamp } = entry;
    if (!(timestamp >= from && timestamp < to) || !this.#isMet(entry)) return;
    const bucket = this.#bucketAt(this.#startOf(timestamp));
    bucket.count++;
    for (let i = 0; i < facets.length; i++) {
      const value = valueOf(entry, facets[i]);
      if (value !== undefined) this.#count(bucket.facets[i], value, 1);
    }
  }

  /** Counts a segment by its index; false if the index does not say enough. */
  addIndex({ index, minTime, maxTime, deletions }: FoundSegment): boolean {
    const { where, from, to, facets } = this.counting;
    if (deletions.length > 0 || index === undefined || minTime < from || maxTime >= to || mayFail(index, where)) {
      return false;
    }
    const start = this.#startOf(minTime);
    if (this.#startOf(maxTime) !== start) return false;
    const counts = facets.map((facet) => indexCounts(index, facet));
    if (counts.includes(undefined)) return false;
    const bucket = this.#bucketAt(start);
    bucket.count += index.count;
    for (const [i, values] of counts.entries()) {
      for (const [value, count] of values ?? []) this.#count(bucket.facets[i], value, count);
    }
    return true;
  }

  /** Adds what another has counted. */
  merge(other: Counter): void {
    for (const [start, { count, facets }] of other.#buckets) {
      const bucket = this.#bucketAt(start);
      bucket.count += count;
      for (const [i, values] of facets.entries()) {
        for (const [value, count] of values) this.#count(bucket.facets[i], value, count);
      }
    }
  }

  result(): Pick<LogCounts, "count" | "histogram" | "facets"> {
    const { limit } = this.counting;
    const buckets = [...this.#buckets].sort(([a], [b]) => a - b);
    const facets = this.counting.facets.map((_, i) => {
      const found = new Map<string, { count: number; histogram: [start: number, count: number][] }>();
      for (const [start, { facets }] of buckets) {
        for (const [value, count] of facets[i]) {
          let own = found.get(value);
          if (own === undefined) found.set(value, own = { count: 0, histogram: [] });
          own.count += count;
          own.histogram.push([start, count]);
        }
      }
      const values = Array.from(found, ([value, counts]) => ({ value, ...counts }))
        .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1));
      return {
        values: values.slice(0, limit),
        other: values.slice(limit).reduce((all, { count }) => all + count, 0),
      };
    });
    const histogram = buckets.map(([start, { count }]) => [start, count] as const);
    return { count: histogram.reduce((all, [, count]) => all + count, 0), histogram, facets };
  }

  #startOf(timestamp: number): number {
    const { step, from } = this.counting;
    return step === 0 ? from : Math.floor(timestamp / step) * step;
  }

  #bucketAt(start: number): Bucket {
    if (start === this.#start) return this.#bucket;
    let bucket = this.#buckets.get(start);
    if (bucket === undefined) {
      this.#grow();
      this.#buckets.set(start, bucket = { count: 0, facets: this.counting.facets.map(() => new Map()) });
    }
    this.#start = start;
    return this.#bucket = bucket;
  }

  #count(values: Map<string, number>, value: string, count: number): void {
    const before = values.get(value);
    if (before === undefined) this.#grow();
    values.set(value, (before ?? 0) + count);
  }

  #grow(): void {
    if (++this.#size > MAX_FACET_BUCKETS) {
      throw overLimit(
        `The question makes more than ${MAX_FACET_BUCKETS} buckets: take a shorter range, a longer step, or fields of fewer values`,
      );
    }
  }
}

function valueOf(entry: LogRow, facet: FacetKey): string | undefined {
  switch (facet.type) {
    case "application":
      return entry.application;
    case "level":
      return LEVELS[entry.level];
    case "field":
      return entry.field(facet.name);
  }
}

/** What an index knows of a facet; undefined if that is not all. */
function indexCounts(index: LogIndex, facet: FacetKey): Iterable<readonly [string, number]> | undefined {
  switch (facet.type) {
    case "application":
      return index.names.applicationsComplete ? index.names.applications : undefined;
    case "level":
      return index.levels.flatMap((count, level) => count > 0 ? [[LEVELS[level], count] as const] : []);
    case "field":
      return index.names.fieldNamesComplete && !index.names.fieldNames.includes(facet.name) ? [] : undefined;
  }
}
