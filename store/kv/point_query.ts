/**
 * QueryMetrics over segments and runs, day by day. A damaged segment gives nothing at all, and the answer says how many there
 * were.
 *
 * @module
 */
import { DAY } from "../../limits.ts";
import type { MetricsParts, MetricsQuery } from "../types.ts";
import { loadDeletions } from "./deletions.ts";
import { PointCollector } from "./point_collector.ts";
import { DayReader, type DayReaderOptions } from "./point_day.ts";
import { ReadBudget, type ReadLimits } from "./read_budget.ts";
import { daysWith } from "./runs/run_list.ts";
import { Turns } from "./turns.ts";

export interface PointQueryOptions extends DayReaderOptions, ReadLimits {
  readonly retention: number;
}

/** @param most Buckets of one part of the answer. */
export async function queryPoints(
  options: PointQueryOptions,
  tenant: string,
  query: MetricsQuery,
  most: number,
  signal: AbortSignal,
): Promise<MetricsParts> {
  const { kv, clock, retention } = options;
  const turns = new Turns(clock, signal);
  // A segment outlives its oldest point by up to an hour, so the range says what is past retention.
  const from = Math.max(query.from, clock.now() - retention);
  const { to } = query;
  const all = new PointCollector(query, from, to, new ReadBudget(options));
  if (from < to) {
    const { list: deletions } = await loadDeletions(kv, "points", tenant);
    for await (const day of daysWith(kv, "points", tenant, Math.floor(from / DAY), Math.ceil(to / DAY))) {
      await all.merge(await new DayReader(options, tenant, day, all, deletions, turns).read(), turns);
    }
  }
  const { opened, skipped, damaged } = all;
  return { from, opened, skipped, damaged, parts: all.parts(most, turns) };
}
