/**
 * What is asked of the data set, each time about something else.
 *
 * @module
 */
import { Aggregation, type Sluice } from "../../client/mod.ts";
import { DAY, HOUR, MINUTE } from "../../limits.ts";
import type { Random } from "../../tests/store/format/random.ts";
import { METRICS, RACK, RARE, SOURCES } from "./data.ts";

export interface Question {
  readonly name: string;
  /** What its 95th percentile is to be at the most, ms. */
  readonly aim?: number;
  /** Returns how much it has found. */
  ask(sluice: Sluice, random: Random): Promise<number>;
}

/** @param end Where the data ends; @param days how many there are. */
export function questions(end: number, days: number): readonly Question[] {
  /** A range of this length that ends somewhere in the month. */
  const range = (random: Random, length: number) => {
    const to = end - (length < days * DAY ? random.below(days * DAY - length + 1) : 0);
    return { from: BigInt(to - length), to: BigInt(to) };
  };
  const oneSeries = (length: number, step: number) => async (sluice: Sluice, random: Random) => {
    const { series } = await sluice.queryMetrics({
      ...range(random, length),
      source: `host-${random.below(SOURCES)}`,
      metric: random.pick(METRICS),
      stepMs: BigInt(step),
    });
    return series.reduce((sum, { buckets }) => sum + buckets.length, 0);
  };
  const facets = (step: number) => async (sluice: Sluice, random: Random) => {
    const { count } = await sluice.logFacets({ ...range(random, DAY), stepMs: BigInt(step), facets: ["level"] });
    return Number(count);
  };
  const month = days * DAY;
  return [
    { name: "one series, 1 h", aim: 200, ask: oneSeries(HOUR, MINUTE) },
    { name: "one series, 24 h", ask: oneSeries(DAY, 10 * MINUTE) },
    { name: `one series, ${days} d`, aim: 2000, ask: oneSeries(month, HOUR) },
    {
      name: "p99 over 100 series, 24 h",
      async ask(sluice, random) {
        const { series } = await sluice.queryMetrics({
          ...range(random, DAY),
          metric: random.pick(METRICS),
          tags: { rack: `r${random.below(SOURCES / RACK)}` },
          groupBy: ["rack"],
          aggregations: [Aggregation.COUNT],
          quantiles: [0.99],
          stepMs: BigInt(HOUR),
        });
        return series.reduce((sum, { buckets }) => sum + Number(buckets.reduce((n, { count }) => n + count!, 0n)), 0);
      },
    },
    {
      name: "a common word, the newest 100",
      async ask(sluice, random) {
        const query = random.pick(["request", "connection", "timeout", "user"]);
        return (await sluice.searchLogs({ query, ...range(random, month), pageSize: 100 })).hits.length;
      },
    },
    {
      name: `a rare word, ${days} d`,
      aim: 1000,
      ask: async (sluice, random) =>
        (await sluice.searchLogs({ query: RARE, ...range(random, month), pageSize: 100 })).hits.length,
    },
    {
      name: "a word of one application, 24 h",
      async ask(sluice, random) {
        const query = `app:app-${random.below(1000)} timeout`;
        return (await sluice.searchLogs({ query, ...range(random, DAY), pageSize: 100 })).hits.length;
      },
    },
    { name: "entries by level, 24 h by 1 h", ask: facets(HOUR) },
    { name: "entries by level, 24 h by 5 min", ask: facets(5 * MINUTE) },
  ];
}
