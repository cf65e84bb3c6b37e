/**
 * Points of many segments, series by series.
 *
 * @module
 */
import { RUN_SEGMENT_SAMPLES } from "../../../limits.ts";
import {
  openPointSegment,
  type PackedPoints,
  packPointSegments,
  type PointSegment,
} from "../../format/point_segment.ts";
import { compareSeries } from "../../format/run_footer.ts";
import type { Series } from "../../types.ts";
import { type ActiveDeletion, ofSeries, withoutDeleted } from "../deletions.ts";

/** Samples of one series in the order of time; there may be more of it. */
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

/** Gathers segments in whatever order their series have. */
export class SeriesTable {
  readonly #series = new Map<string, SeriesSamples[]>();

  /** Adds a segment. Of equal times, samples that are added later count as later. */
  add(segment: PointSegment, deletions: readonly ActiveDeletion[]): void {
    for (const samples of samplesOf(segment, deletions)) {
      const known = this.#series.get(samples.series.key);
      if (known === undefined) this.#series.set(samples.series.key, [samples]);
      else known.push(samples);
    }
  }

  /** All of it in the order of a run. */
  sorted(): SeriesSamples[] {
    return [...this.#series.values()].sort(([a], [b]) => compareSeries(a.series, b.series)).flat();
  }
}

/** What goes in the order of a run: pieces of a series follow one another. */
export type SeriesSource = AsyncIterator<SeriesSamples> | Iterator<SeriesSamples>;

/**
 * Several sources as one, in their order. Of one series, the samples of the sources before come first.
 */
export async function* mergeSeries(sources: readonly SeriesSource[]): AsyncGenerator<SeriesSamples> {
  const heads = await Promise.all(sources.map((source) => source.next()));
  for (;;) {
    let least: Series | undefined;
    for (const { done, value } of heads) {
      if (!done && (least === undefined || compareSeries(value.series, least) < 0)) least = value.series;
    }
    if (least === undefined) return;
    for (const [i, source] of sources.entries()) {
      for (let head = heads[i]; !head.done && head.value.series.key === least.key; head = heads[i]) {
        yield head.value;
        heads[i] = await source.next();
      }
    }
  }
}

/** A segment of a run, with its first and its last series. */
export interface PackedRunPoints extends PackedPoints {
  readonly first: Series;
  readonly last: Series;
}

/** Packs samples, which come in the order of a run, to segments of about RUN_SEGMENT_SAMPLES. */
export async function* packSeries(samples: AsyncIterable<SeriesSamples>): AsyncGenerator<PackedRunPoints> {
  let parts: SeriesSamples[] = [];
  let count = 0;
  for await (const part of samples) {
    for (let from = 0; from < part.values.length;) {
      // A series of many samples goes over several segments, each of its own time.
      const to = Math.min(part.values.length, from + RUN_SEGMENT_SAMPLES - count);
      parts.push({
        series: part.series,
        timestamps: part.timestamps.subarray(from, to),
        values: part.values.subarray(from, to),
      });
      count += to - from;
      from = to;
      if (count < RUN_SEGMENT_SAMPLES) continue;
      yield* pack(parts, count);
      parts = [];
      count = 0;
    }
  }
  if (count > 0) yield* pack(parts, count);
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
    yield { ...packed, first: segment.series(0), last: segment.series(segment.seriesCount - 1) };
  }
}
