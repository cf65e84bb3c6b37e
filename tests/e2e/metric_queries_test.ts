import { assert, assertAlmostEquals, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  Aggregation,
  Code,
  createSluice,
  type PointInit,
  type QueryMetricsResponse,
  SluiceError,
} from "../../client/mod.ts";
import { HOUR, MAX_GROUP_BY, MAX_QUERY_BUCKETS, MAX_QUERY_SERIES, METRICS_PART_BUCKETS, MINUTE } from "../../limits.ts";
import { sharedServer } from "../support/shared_server.ts";
import { badFields } from "../support/wire.ts";

const server = await sharedServer();
const sluice = createSluice({ url: server.url });
const hour = Math.floor(Date.now() / HOUR) * HOUR - 3 * HOUR;

/** Values of one series, a minute apart from `hour` on. */
function counter(source: string, tags: Record<string, string>, values: readonly number[]): PointInit[] {
  return values.map((value, i) => ({ source, tags, timestamp: hour + i * MINUTE, metrics: { requests: value } }));
}

/** What the series of an answer have, by source and tags. */
function rows({ series }: QueryMetricsResponse) {
  return Object.fromEntries(series.map(({ series, buckets }) => [
    [series?.source, ...Object.values(series?.tags ?? {})].join("/"),
    buckets.map(({ increase, rate, count }) => [increase, rate, count && Number(count)]),
  ]));
}

const { INCREASE, RATE, COUNT } = Aggregation;

Deno.test("QueryMetrics: how much counters rose, in all and per second, also where they began anew", async () => {
  // In an order that is none, over several segments.
  const points = [
    ...counter("web-1", { zone: "a" }, [10, 15, 15, 40, 5, 6]),
    ...counter("web-2", { zone: "a" }, [0, 100]),
    ...counter("web-3", { zone: "b" }, [7]),
  ];
  for (const point of [...points].reverse()) await sluice.sendPoints([point]);
  const range = { metric: "requests", from: BigInt(hour), to: BigInt(hour + HOUR) };
  const whole = await sluice.queryMetrics({ ...range, aggregations: [INCREASE, RATE, COUNT] });
  assertEquals(rows(whole), {
    "web-1/a": [[5 + 25 + 5 + 1, 36 / 3600, 6]],
    "web-2/a": [[100, 100 / 3600, 2]],
    "web-3/b": [[0, 0, 1]],
  });
  const steps = await sluice.queryMetrics({
    ...range,
    source: "web-1",
    stepMs: BigInt(2 * MINUTE),
    aggregations: [INCREASE, RATE],
  });
  assertEquals(rows(steps)["web-1/a"], [[5, 5 / 120, undefined], [25, 25 / 120, undefined], [
    5 + 1,
    6 / 120,
    undefined,
  ]]);
  const grouped = await sluice.queryMetrics({ ...range, groupBy: ["zone"], aggregations: [INCREASE, COUNT] });
  assertEquals(rows(grouped), { "/a": [[136, undefined, 8]], "/b": [[0, undefined, 1]] });
  assertEquals(grouped.series[0].series?.metric, "");
});

Deno.test("QueryMetrics: series that have tags, source or metric alike are one", async () => {
  const points = Array.from({ length: 400 }, (_, i): PointInit => ({
    source: `group-${i % 4}`,
    timestamp: hour + i * 1000,
    metrics: { grouped: i },
    tags: { zone: "ab"[i % 2], source: `s${i % 4 >> 1}`, ...i % 4 === 3 && { rack: "r" } },
  }));
  await sluice.sendPoints(points);
  const ask = async (...groupBy: string[]) => {
    const { series } = await sluice.queryMetrics({ metric: "grouped", groupBy, quantiles: [0.5] });
    return series.map(({ series, buckets: [{ count, min, max, quantiles }] }) => {
      assertAlmostEquals(quantiles[0], (min! + max!) / 2, 5);
      return [series?.source, series?.metric, { ...series?.tags }, Number(count), min, max] as const;
    }).sort((a, b) => JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
  };
  assertEquals(await ask("metric"), [["", "grouped", {}, 400, 0, 399]]);
  assertEquals(await ask("zone"), [["", "", { zone: "a" }, 200, 0, 398], ["", "", { zone: "b" }, 200, 1, 399]]);
  assertEquals((await ask("source")).map(([source, , , count]) => [source, count]), [
    ["group-0", 100],
    ["group-1", 100],
    ["group-2", 100],
    ["group-3", 100],
  ]);
  assertEquals((await ask("tag:source")).map(([, , tags, count]) => [tags, count]), [
    [{ source: "s0" }, 200],
    [{ source: "s1" }, 200],
  ]);
  assertEquals((await ask("rack")).map(([, , tags, count]) => [tags, count]), [[{ rack: "" }, 300], [
    { rack: "r" },
    100,
  ]]);
});

Deno.test("StreamMetrics: the same answer in parts, and more than QueryMetrics gives", async () => {
  const sources = MAX_QUERY_SERIES + 200;
  const minutes = 100;
  function* points(): Generator<PointInit> {
    for (let i = 0; i < minutes; i++) {
      for (let s = 0; s < sources; s++) {
        yield { source: `many-${s}`, timestamp: hour + i * MINUTE, metrics: { many: s + i } };
      }
    }
  }
  await sluice.sendPoints(points());
  const request = { metric: "many", from: BigInt(hour), stepMs: BigInt(MINUTE), aggregations: [Aggregation.MAX] };
  const error = await assertRejects(() => sluice.queryMetrics(request), SluiceError);
  assertEquals(error.code, Code.ResourceExhausted);
  assertStringIncludes(error.message, `more than ${MAX_QUERY_SERIES} series`);
  assertStringIncludes(error.message, "StreamMetrics");
  assert(sources * minutes > MAX_QUERY_BUCKETS);
  const found = new Map<string, number[]>();
  let parts = 0;
  for await (const { series } of sluice.streamMetrics(request)) {
    parts++;
    assert(series.reduce((sum, { buckets }) => sum + buckets.length, 0) <= METRICS_PART_BUCKETS);
    for (const { series: which, buckets } of series) {
      found.set(which!.source, [...found.get(which!.source) ?? [], ...buckets.map(({ max }) => max!)]);
    }
  }
  assertEquals([found.size, parts], [sources, Math.ceil(sources * minutes / METRICS_PART_BUCKETS) + 1]);
  for (let s = 0; s < sources; s++) {
    assertEquals(found.get(`many-${s}`), Array.from({ length: minutes }, (_, i) => s + i));
  }
});

Deno.test("QueryMetrics: what is no grouping and no aggregation is refused, with its field", async () => {
  for (
    const [request, field] of [
      [{ groupBy: Array(MAX_GROUP_BY + 1).fill("a") }, "group_by"],
      [{ groupBy: [""] }, "group_by"],
      [{ aggregations: [99 as Aggregation] }, "aggregations"],
      [{ from: 10n, to: 5n }, "to"],
      [{ from: -1n }, "from"],
      [{ stepMs: -1n }, "step_ms"],
    ] as const
  ) {
    const error = await assertRejects(
      () => sluice.queryMetrics({ metric: "x", ...request as object }),
      SluiceError,
    );
    assertEquals([error.code, badFields(error)], [Code.InvalidArgument, [field]]);
  }
});

Deno.test("tailLogs() and logFacets() of the client: what comes, and how much of it", async () => {
  const abort = new AbortController();
  const seen: string[] = [];
  const ready = Promise.withResolvers<void>();
  const following = (async () => {
    for await (
      const { hits, missed } of sluice.tailLogs({ query: "app:followed level:warn+" }, { signal: abort.signal })
    ) {
      ready.resolve();
      assertEquals(missed, 0n);
      for (const { entry } of hits) seen.push(entry!.message);
      if (seen.length === 50) break;
    }
  })();
  await ready.promise;
  await sluice.sendLogs(Array.from({ length: 100 }, (_, i) => ({
    application: "followed",
    level: i % 2 === 0 ? "info" : "error",
    timestamp: Date.now(),
    message: `entry ${i}`,
  })));
  await following;
  assertEquals(seen, Array.from({ length: 50 }, (_, i) => `entry ${2 * i + 1}`));
  const { count, facets } = await sluice.logFacets({ query: "app:followed", facets: ["level"] });
  assertEquals([count, facets[0].values.map(({ value, count }) => [value, Number(count)])], [
    100n,
    [["ERROR", 50], ["INFO", 50]],
  ]);
  // Whoever aborts is told so.
  const later = sluice.tailLogs({}, { signal: abort.signal });
  const waiting = assertRejects(async () => {
    for await (const _ of later) abort.abort("enough");
  }, SluiceError);
  assertEquals((await waiting).reason, "cancelled");
});
