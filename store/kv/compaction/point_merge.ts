/**
 * Points of many segments, series by series.
 *
 * @module
 */
import { openCursors } from "./cursor.ts";
import { RUN_SEGMENT_SAMPLES } from "../../../limits.ts";
import {
  openPointSegment,
  type PackedPoints,
  packPointSegments,
  type PointSegment,
} from "../../format/point_segment.ts";
import { compareSeries } from "../../format/run_footer.ts";
import { SeriesList } from "../../format/series.ts";
import type { Series } from "../../types.ts";
import { type ActiveDeletion, ofSeries, withoutDeleted } from "../deletions.ts";

/** Series that are handed on at once. */
const BATCH = 256;

/** Samples that a table has room for at first. */
const FIRST_SAMPLES = 16 * 1024;

/** Samples of one series; there may be more of it. */
export interface SeriesSamples {
  readonly series: Series;
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
}

/** The samples of a segment that no deletion holds for. */
export function* samplesOf(segment: PointSegment, deletions: readonly ActiveDeletion[]): Generator<SeriesSamples> {
  for (let i = 0; i < segment.seriesCount; i++) {
    const series = segment.series(i);
    const own = ofSeries(deletions, series);
    const samples = own.length > 0 ? withoutDeleted(segment.columns(i), own) : segment.columns(i);
    if (samples.values.length > 0) yield { series, ...samples };
  }
}

/** Gathers segments in whatever order their series have: in columns, for most parts are of a few samples. */
export class SeriesTable {
  readonly #series = new SeriesList();
  #length = 0;
  #seriesOf = new Int32Array(FIRST_SAMPLES);
  #timestamps = new Float64Array(FIRST_SAMPLES);
  #values = new Float64Array(FIRST_SAMPLES);

  /** Adds a segment. Of equal times, samples that are added later count as later. */
  add(segment: PointSegment, deletions: readonly ActiveDeletion[]): void {
    for (const { series, timestamps, values } of samplesOf(segment, deletions)) {
      const end = this.#length + values.length;
      if (end > this.#values.length) this.#grow(end);
      this.#seriesOf.fill(this.#series.place(series), this.#length, end);
      this.#timestamps.set(timestamps, this.#length);
      this.#values.set(values, this.#length);
      this.#length = end;
    }
  }

  /** All of it in the order of a run. */
  sorted(): SeriesSamples[] {
    const { series } = this.#series;
    const order = Array.from(series.keys()).sort((a, b) => compareSeries(series[a], series[b]));
    const next = new Int32Array(series.length);
    for (let i = 0; i < this.#length; i++) next[this.#seriesOf[i]]++;
    let start = 0;
    const starts = new Int32Array(series.length);
    for (const place of order) {
      const count = next[place];
      next[place] = starts[place] = start;
      start += count;
    }
    const timestamps = new Float64Array(this.#length);
    const values = new Float64Array(this.#length);
    for (let i = 0; i < this.#length; i++) {
      const at = next[this.#seriesOf[i]]++;
      timestamps[at] = this.#timestamps[i];
      values[at] = this.#values[i];
    }
    return order.map((place) => ({
      series: series[place],
      timestamps: timestamps.subarray(starts[place], next[place]),
      values: values.subarray(starts[place], next[place]),
    }));
  }

  #grow(least: number): void {
    const size = Math.max(least, 2 * this.#values.length);
    const grown = <A extends Int32Array | Float64Array>(from: A, to: A): A => (to.set(from), to);
    this.#seriesOf = grown(this.#seriesOf, new Int32Array(size));
    this.#timestamps = grown(this.#timestamps, new Float64Array(size));
    this.#values = grown(this.#values, new Float64Array(size));
  }
}

/** What goes in the order of a run, in lists: pieces of a series follow one another. */
export type SeriesSource = AsyncIterator<readonly SeriesSamples[]> | Iterator<readonly SeriesSamples[]>;

/**
 * Several sources as one, in their order. Of one series, the samples of the sources before come first. What is handed on at
 * once is BATCH series or RUN_SEGMENT_SAMPLES samples at the most, and what one list adds to that: a series may have more than
 * fits memory.
 */
export async function* mergeSeries(sources: readonly SeriesSource[]): AsyncGenerator<readonly SeriesSamples[]> {
  const cursors = await openCursors(sources);
  let merged: SeriesSamples[] = [];
  let samples = 0;
  while (cursors.length > 0) {
    let least = cursors[0].head.series;
    for (const { head: { series } } of cursors) if (compareSeries(series, least) < 0) least = series;
    for (const cursor of [...cursors]) {
      while (cursor.head.series.key === least.key) {
        merged.push(cursor.head);
        samples += cursor.head.values.length;
        if (merged.length >= BATCH || samples >= RUN_SEGMENT_SAMPLES) {
          yield merged;
          merged = [];
          samples = 0;
        }
        if (cursor.next()) continue;
        if (await cursor.refill()) continue;
        cursors.splice(cursors.indexOf(cursor), 1);
        break;
      }
    }
  }
  if (merged.length > 0) yield merged;
}

/** A segment of a run, with its first and its last series. */
export interface PackedRunPoints extends PackedPoints {
  /** The same, open. */
  readonly segment: PointSegment;
  readonly first: Series;
  readonly last: Series;
}

/** Packs samples, which come in the order of a run, to segments of about RUN_SEGMENT_SAMPLES. */
export async function* packSeries(lists: AsyncIterable<readonly SeriesSamples[]>): AsyncGenerator<PackedRunPoints> {
  let parts: SeriesSamples[] = [];
  let count = 0;
  for await (const list of lists) {
    for (const part of list) {
      // A series of many samples goes over several segments, each of its own time.
      for (let from = 0; from < part.values.length;) {
        const to = Math.min(part.values.length, from + RUN_SEGMENT_SAMPLES - count);
        parts.push(to - from === part.values.length ? part : sliceOf(part, from, to));
        count += to - from;
        from = to;
        if (count < RUN_SEGMENT_SAMPLES) continue;
        yield* pack(parts, count);
        parts = [];
        count = 0;
      }
    }
  }
  if (count > 0) yield* pack(parts, count);
}

function sliceOf({ series, timestamps, values }: SeriesSamples, from: number, to: number): SeriesSamples {
  return { series, timestamps: timestamps.subarray(from, to), values: values.subarray(from, to) };
}

function* pack(parts: readonly SeriesSamples[], count: number): Generator<PackedRunPoints> {
  const series: Series[] = [];
  const columns = {
    series,
    seriesOf: new Int32Array(count),
    timestamps: new Float64Array(count),
    values: new Float64Array(count),
  };
  let at = 0;
  for (const { series: own, timestamps, values } of parts) {
    if (series.at(-1)?.key !== own.key) series.push(own);
    columns.seriesOf.fill(series.length - 1, at, at + values.length);
    columns.timestamps.set(timestamps, at);
    columns.values.set(values, at);
    at += values.length;
  }
  for (const packed of packPointSegments(columns)) {
    const segment = openPointSegment(packed.bytes);
    yield { ...packed, segment, first: segment.series(0), last: segment.series(segment.seriesCount - 1) };
  }
}
