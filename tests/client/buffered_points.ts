/**
 * Points that tell afterwards which of them are stored, and whether one is there twice.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { createSluice, type PointInit } from "../../client/mod.ts";

/** When the first of them was: they lie a millisecond apart. */
const BEGIN = Date.now() - 2 * 3600_000;

/** Points from one number to another, each a little different from all others. */
export function* numberedPoints(source: string, from: number, to: number): Generator<PointInit> {
  for (let i = from; i < to; i++) yield { source, timestamp: BEGIN + i, metrics: { number: i, square: i * i } };
}

/** How many of a source's points are stored. They must be the first ones, each once: so say count, sum and maximum. */
export async function storedOf(url: string, source: string): Promise<number> {
  const sluice = createSluice({ url });
  const figures: Record<string, number[]> = {};
  for (const metric of ["number", "square"]) {
    const { series } = await sluice.queryMetrics({ source, metric });
    const buckets = series.flatMap(({ buckets }) => buckets);
    const count = buckets.reduce((sum, { count }) => sum + Number(count), 0);
    figures[metric] = [
      count,
      buckets.reduce((all, { sum }) => all + sum!, 0),
      Math.max(-1, ...buckets.map(({ max }) => max!)),
    ];
  }
  const [count] = figures.number;
  // Of none, the sums are 0 and not -0.
  const last = count - 1;
  assertEquals(figures, {
    number: [count, last * count / 2 + 0, last],
    square: [count, last * count * (2 * last + 1) / 6 + 0, last < 0 ? -1 : last * last],
  }, source);
  return count;
}
