/**
 * Points for tests: as they come in, and as a segment is to give them back.
 *
 * @module
 */
import type { Series } from "../../../store/types.ts";
import type { PointColumns, PointSegment } from "../../../store/format/point_segment.ts";
import { makeSeries } from "../../../store/format/series.ts";
import type { Random } from "./random.ts";

type Sample = [time: number, value: number];

/** Points of some sources with up to six metrics each; mostly in order. */
export function randomColumns(random: Random, points: number): PointColumns {
  const series: Series[] = [];
  const seriesOf: number[] = [];
  const timestamps: number[] = [];
  const values: number[] = [];
  const indexes = new Map<string, number>();
  const sources = 1 + random.below(8);
  const metrics = 1 + random.below(6);
  const shuffles = random.below(3) === 0;
  let time = 1_700_000_000_000;
  for (let i = 0; i < points; i++) {
    time += random.pick([0, 1000, 1000, random.below(5000)]);
    const source = random.below(sources);
    const tags: Record<string, string> = { host: `h${source}`, zone: "ä", [`tag${source % 2}`]: "x".repeat(source) };
    for (let metric = 0; metric < metrics; metric++) {
      const made = makeSeries(`source${source}`, `metric${metric}`, tags);
      const index = indexes.get(made.key) ?? series.push(made) - 1;
      indexes.set(made.key, index);
      seriesOf.push(index);
      timestamps.push(shuffles ? time - random.below(10_000) : time);
      values.push(random.pick([i, random.below(100) / 10, random.gaussian(), random.double()]));
    }
  }
  return { series, seriesOf, timestamps, values };
}

/** The samples of each series by its key, sorted by time. */
export function samplesOf(input: PointColumns): Map<string, Sample[]> {
  const all = new Map<string, Sample[]>();
  for (let j = 0; j < input.values.length; j++) {
    const { key } = input.series[input.seriesOf[j]];
    const samples = all.get(key) ?? [];
    samples.push([input.timestamps[j], input.values[j]]);
    all.set(key, samples);
  }
  for (const samples of all.values()) samples.sort(([a], [b]) => a - b);
  return all;
}

/** The same of a segment. */
export function samplesIn(segment: PointSegment): Map<string, Sample[]> {
  const all = new Map<string, Sample[]>();
  for (let i = 0; i < segment.seriesCount; i++) {
    const { timestamps, values } = segment.columns(i);
    all.set(segment.series(i).key, Array.from(timestamps, (time, j): Sample => [time, values[j]]));
  }
  return all;
}
