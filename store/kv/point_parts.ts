/**
 * What was found of series, as it is answered: in parts, each worked out, and given up here, when it is taken.
 *
 * @module
 */
import type { Rollup } from "../format/rollup.ts";
import { compareSeries } from "../format/run_footer.ts";
import { sortByTime } from "../format/time_sort.ts";
import type { BucketResult, MetricsQuery, Series, SeriesBuckets } from "../types.ts";
import type { Turns } from "./turns.ts";

export interface Samples {
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
}

/** What was found of a series, or of a group of them. */
export interface Found {
  /** Of a group, what its series have alike. */
  readonly series: Series;
  /** By the beginning of the bucket. */
  readonly buckets: Map<number, Rollup>;
  /** By the key of the series, where increases are asked for. */
  readonly samples: Map<string, Samples[]>;
}

/** When the bucket begins that has a sample of this time. */
export function bucketStart({ step, from }: MetricsQuery, timestamp: number): number {
  return step === 0 ? from : Math.floor(timestamp / step) * step;
}

/** By metric, then source. @param most Buckets of one part. */
export async function* partsOf(
  list: Map<string, Found>,
  query: MetricsQuery,
  most: number,
  turns: Turns,
): AsyncGenerator<readonly SeriesBuckets[]> {
  let part: SeriesBuckets[] = [];
  let room = most;
  const order = Array.from(list, ([key, { series }]) => ({ key, series })).sort((a, b) =>
    compareSeries(a.series, b.series)
  );
  for (const { key } of order) {
    const { series, buckets, samples } = list.get(key)!;
    list.delete(key);
    const increases = await increasesOf(samples, query, turns);
    let own: BucketResult[] = [];
    for (const start of new Float64Array([...buckets.keys()]).sort()) {
      own.push(resultOf(start, buckets.get(start)!, query, increases.get(start) ?? 0));
      buckets.delete(start);
      if (--room === 0) {
        part.push({ series, buckets: own });
        yield part;
        part = [];
        own = [];
        room = most;
      }
      if (turns.isOver) await turns.next();
    }
    if (own.length > 0) part.push({ series, buckets: own });
  }
  if (part.length > 0) yield part;
}

function resultOf(start: number, rollup: Rollup, query: MetricsQuery, increase: number): BucketResult {
  const { count, sum, min, max, last } = rollup;
  return { start, count, sum, min, max, last, quantiles: rollup.quantiles(query.quantiles), increase };
}

/** How much the series of a group rose, by the beginning of the bucket. */
async function increasesOf(
  samples: Found["samples"],
  query: MetricsQuery,
  turns: Turns,
): Promise<ReadonlyMap<number, number>> {
  const increases = new Map<number, number>();
  for (const [key, parts] of samples) {
    samples.delete(key);
    const { timestamps, values } = inOrder(parts);
    for (let j = 1; j < values.length; j++) {
      const start = bucketStart(query, timestamps[j]);
      // A counter that begins anew begins at 0.
      const rise = values[j] >= values[j - 1] ? values[j] - values[j - 1] : values[j];
      increases.set(start, (increases.get(start) ?? 0) + rise);
    }
    if (turns.isOver) await turns.next();
  }
  return increases;
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
