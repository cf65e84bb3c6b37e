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
import { type FacetKey, type Histogram, LEVELS, type LogCounting, type LogCounts } from "../log_types.ts";
import { clamped } from "./log_range.ts";
import { type FoundHour, type FoundSegment, LogSegments, type LogSegmentsOptions } from "./log_segments.ts";

export async function countLogs(
  options: LogSegmentsOptions,
  tenant: string,
  asked: LogCounting,
  signal: AbortSignal,
): Promise<LogCounts> {
  const counting = clamped(asked, options);
  const segments = new LogSegments(options, tenant, signal);
  const counter = new Counter(counting);
  const read = async (hours: readonly FoundHour[]) => {
    const own = new Counter(counting);
    for (const segment of hours.flat()) {
      if (own.addIndex(segment)) segments.skip(1);
      else for (const entry of await segments.open(segment)) own.add(entry);
    }
    return own;
  };
  await segments.each(counting, true, read, (own) => {
    counter.merge(own);
    return true;
  });
  return { ...counter.result(), ...segments.counts };
}

/** Counts by the beginning of their bucket. */
type Buckets = Map<number, number>;

class Counter {
  readonly #all: Buckets = new Map();
  readonly #facets: readonly Map<string, Buckets>[];
  readonly #isMet: (entry: LogRow) => boolean;
  #buckets = 0;

  constructor(private readonly counting: LogCounting) {
    this.#facets = counting.facets.map(() => new Map());
    this.#isMet = logMatcher(counting.where);
  }

  add(entry: LogRow): void {
    const { from, to, facets } = this.counting;
    const { timestamp } = entry;
    if (!(timestamp >= from && timestamp < to) || !this.#isMet(entry)) return;
    const start = this.#start(timestamp);
    this.#count(this.#all, start, 1);
    for (const [i, facet] of facets.entries()) {
      const value = valueOf(entry, facet);
      if (value !== undefined) this.#count(this.#bucketsOf(i, value), start, 1);
    }
  }

  /** Counts a segment by its index; false if the index does not say enough. */
  addIndex({ index, minTime, maxTime, deletions }: FoundSegment): boolean {
    const { where, from, to, facets } = this.counting;
    if (deletions.length > 0 || index === undefined || minTime < from || maxTime >= to || mayFail(index, where)) {
      return false;
    }
    const start = this.#start(minTime);
    if (this.#start(maxTime) !== start) return false;
    const counts = facets.map((facet) => indexCounts(index, facet));
    if (counts.includes(undefined)) return false;
    this.#count(this.#all, start, index.count);
    for (const [i, values] of counts.entries()) {
      for (const [value, count] of values ?? []) this.#count(this.#bucketsOf(i, value), start, count);
    }
    return true;
  }

  /** Adds what another has counted. */
  merge(other: Counter): void {
    for (const [start, count] of other.#all) this.#count(this.#all, start, count);
    for (const [i, values] of other.#facets.entries()) {
      for (const [value, buckets] of values) {
        for (const [start, count] of buckets) this.#count(this.#bucketsOf(i, value), start, count);
      }
    }
  }

  result(): Pick<LogCounts, "count" | "histogram" | "facets"> {
    const { limit } = this.counting;
    const facets = this.#facets.map((found) => {
      const values = Array.from(found, ([value, buckets]) => ({ value, count: sum(buckets), buckets }))
        .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1));
      return {
        values: values.slice(0, limit).map(({ value, count, buckets }) => ({
          value,
          count,
          histogram: sorted(buckets),
        })),
        other: values.slice(limit).reduce((all, { count }) => all + count, 0),
      };
    });
    return { count: sum(this.#all), histogram: sorted(this.#all), facets };
  }

  #start(timestamp: number): number {
    const { step, from } = this.counting;
    return step === 0 ? from : Math.floor(timestamp / step) * step;
  }

  #bucketsOf(facet: number, value: string): Buckets {
    const values = this.#facets[facet];
    let buckets = values.get(value);
    if (!buckets) values.set(value, buckets = new Map());
    return buckets;
  }

  #count(buckets: Buckets, start: number, count: number): void {
    const before = buckets.get(start);
    if (before === undefined && ++this.#buckets > MAX_FACET_BUCKETS) {
      throw overLimit(
        `The question makes more than ${MAX_FACET_BUCKETS} buckets: take a shorter range, a longer step, or fields of fewer values`,
      );
    }
    buckets.set(start, (before ?? 0) + count);
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

function sum(buckets: Buckets): number {
  return buckets.values().reduce((all, count) => all + count, 0);
}

function sorted(buckets: Buckets): Histogram {
  return [...buckets].sort(([a], [b]) => a - b);
}
