/**
 * How long points take from being sent to being found by a query: asks again and again for the newest points of some
 * series, whose values are the moments in which they were sent.
 *
 * @module
 */
import type { Sluice } from "../../client/mod.ts";
import { Aggregation } from "../../gen/sluice/v1/query_pb.ts";
import { MINUTE } from "../../limits.ts";

const INTERVAL_MS = 200;

export interface Delays {
  /** Of any point of the watched series, ms: an upper bound, up to the answer that had it first. */
  readonly maximum: number;
  readonly median: number;
  readonly queries: number;
}

/** Watches the series of these sources until `signal` aborts. Values are ms since `epoch`. */
export async function watchDelays(
  sluice: Sluice,
  sources: readonly string[],
  epoch: number,
  signal: AbortSignal,
): Promise<Delays> {
  const newest = new Map<string, number>();
  const delays: number[] = [];
  let queries = 0;
  while (!signal.aborted) {
    for (const source of sources) {
      const { series } = await sluice.queryMetrics({
        source,
        metric: "sent_at",
        from: BigInt(Date.now() - MINUTE),
        aggregations: [Aggregation.LAST],
      });
      const answered = Date.now() - epoch;
      queries++;
      const last = series[0]?.buckets[0]?.last;
      const before = newest.get(source);
      // What came right after the newest that the query before had has waited longest, about since then.
      if (last !== undefined && last !== before) {
        if (before !== undefined) delays.push(answered - before);
        newest.set(source, last);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
  }
  delays.sort((a, b) => a - b);
  return { maximum: delays.at(-1) ?? 0, median: delays[delays.length >> 1] ?? 0, queries };
}
