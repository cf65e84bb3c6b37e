import { assert, assertAlmostEquals, assertEquals, assertLess, assertRejects } from "@std/assert";
import { Aggregation, Code, ConnectError, createSluice, type PointInit } from "../../client/mod.ts";
import { DataCollectionService } from "../../gen/sluice/v1/data_collection_pb.ts";
import { HOUR, MINUTE, SKETCH_ERROR } from "../../limits.ts";
import { startServer } from "../support/server.ts";
import { sharedServer } from "../support/shared_server.ts";
import { until } from "../support/until.ts";
import { PROTOCOLS, receipt, send } from "../support/wire.ts";

const server = await sharedServer();
const sluice = createSluice({ url: server.url });
const { collectDataPoints } = DataCollectionService.method;
const now = Date.now();
/** The beginning of an hour that has passed. */
const HOUR_AGO = Math.floor(now / HOUR) * HOUR - 2 * HOUR;

/** Every order of the items. */
function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, i) => permutations(items.toSpliced(i, 1)).map((rest) => [item, ...rest]));
}

async function invalid(call: () => Promise<unknown>): Promise<void> {
  const error = await assertRejects(call, ConnectError);
  assertEquals(Code[error.code], "InvalidArgument");
}

Deno.test("DataCollection: a batch of 10,000 points of which 15 are bad", async () => {
  const points: PointInit[] = [];
  for (let i = 0; i < 10_000; i++) {
    const bad = i % 650 === 600;
    points.push({ source: `web-${i % 5}`, timestamp: now - i, metrics: { load: bad ? NaN : i }, tags: { zone: "a" } });
  }
  const result = await sluice.sendPoints(points);
  assertEquals([result.totalProcessed, result.successfulCount, result.errorCount], [10_000, 9985, 15]);
  assertEquals(
    result.rejections.map(({ index }) => index),
    Array.from({ length: 15 }, (_, i) => BigInt(600 + 650 * i)),
  );
  assertEquals(result.committed, 10_000n);
  const { series } = await sluice.queryMetrics({ metric: "load" });
  assertEquals(series.length, 5);
  assertEquals(series.reduce((sum, { buckets }) => sum + Number(buckets[0].count), 0), 9985);
});

Deno.test("DataCollection: an empty stream has an empty receipt", async () => {
  for (const protocol of PROTOCOLS) {
    const result = await receipt(send(server.url, collectDataPoints, [], { protocol }));
    assertEquals([result.totalProcessed, result.successfulCount, result.committed], [0, 0, 0n]);
  }
});

Deno.test("DataCollection: a point of a stream that stays open is seen within 6 s", async () => {
  const seen = Promise.withResolvers<void>();
  async function* points() {
    yield { source: "live", timestamp: now, metrics: { x: 1 } };
    await seen.promise;
    yield { source: "live", timestamp: now + 1, metrics: { x: 2 } };
  }
  const began = performance.now();
  const sending = sluice.sendPoints(points());
  const query = () => sluice.queryMetrics({ source: "live", metric: "x" });
  await until(async () => (await query()).series.length === 1, 15_000);
  assertLess(performance.now() - began, 6000);
  seen.resolve();
  assertEquals((await sending).successfulCount, 2);
  assertEquals((await query()).series[0].buckets[0].sum, 3);
});

Deno.test("DataCollection: four tags in all 24 orders are one series", async () => {
  const tags = [["zone", "a"], ["host", "1"], ["Host", "2"], ["über", "3"]];
  const orders = permutations(tags).map((order) => Object.fromEntries(order));
  assertEquals(new Set(orders.map((order) => Object.keys(order).join())).size, 24);
  for (const protocol of PROTOCOLS) {
    const points = orders.map((tags, i) => ({ source: "orders", timestamp: BigInt(now + i), metrics: { x: 1 }, tags }));
    assertEquals((await receipt(send(server.url, collectDataPoints, points, { protocol }))).successfulCount, 24);
  }
  assertEquals((await sluice.listSeries({ source: "orders" })).series.length, 1);
  const { series } = await sluice.queryMetrics({ source: "orders", metric: "x", tags: orders[7] });
  assertEquals(series.map(({ buckets }) => buckets[0].count), [72n]);
  assertEquals(series[0].series?.tags, orders[0]);
});

Deno.test("DataCollection: a call of 1,000 points of 10 new series each", async () => {
  const points = Array.from({ length: 1000 }, (_, i) => ({
    source: "wide",
    timestamp: now,
    metrics: Object.fromEntries(Array.from({ length: 10 }, (_, m) => [`m${m}`, i])),
    tags: { point: String(i) },
  }));
  const result = await sluice.sendPoints(points);
  assertEquals([result.successfulCount, result.errorCount], [1000, 0]);
  let count = 0;
  const seen = new Set<string>();
  for (let pageToken = "";;) {
    const page = await sluice.listSeries({ source: "wide", pageSize: 1000, pageToken });
    for (const { metric, tags } of page.series) seen.add(`${metric} ${tags.point}`);
    count += page.series.length;
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  assertEquals([count, seen.size], [10_000, 10_000]);
  const { series } = await sluice.queryMetrics({ source: "wide", metric: "m7", tags: { point: "999" } });
  assertEquals(series.map(({ buckets }) => buckets[0].last), [999]);
});

Deno.test("QueryMetrics: quantiles are within 1 % of those of the raw values", async () => {
  const quantiles = [0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1];
  let state = 42;
  const random = () => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) / 2 ** 32;
  const distributions: Record<string, () => number> = {
    latencies: () => Math.exp(3 + 2 * (random() + random() + random() - 1.5)),
    small: () => random() * 1e-6,
    wide: () => 10 ** (random() * 12 - 3),
    negative: () => -1 - random() * 1000,
  };
  for (const [metric, draw] of Object.entries(distributions)) {
    const values = Array.from({ length: 5000 }, draw);
    const points = values.map((x, i) => ({
      source: "sketch",
      timestamp: HOUR_AGO + i * 1000,
      metrics: { [metric]: x },
    }));
    assertEquals((await sluice.sendPoints(points)).successfulCount, 5000);
    const { series } = await sluice.queryMetrics({ source: "sketch", metric, quantiles });
    values.sort((a, b) => a - b);
    for (const [i, q] of quantiles.entries()) {
      // Between two samples, either is the quantile.
      const rank = q * (values.length - 1);
      const [a, b] = [values[Math.floor(rank)], values[Math.ceil(rank)]];
      const actual = series[0].buckets[0].quantiles[i];
      const off = SKETCH_ERROR * (1 + 1e-9);
      const [low, high] = [a - Math.abs(a) * off, b + Math.abs(b) * off];
      assert(actual >= low && actual <= high, `${metric} ${q}: ${actual} is not in ${low}..${high}`);
    }
  }
});

Deno.test("QueryMetrics: buckets of a step, with what was asked for", async () => {
  // A sample every 10 s for two hours, in two calls and not in order.
  const at = Array.from({ length: 720 }, (_, i) => HOUR_AGO + i * 10_000);
  const point = (timestamp: number) => ({
    source: "steps",
    timestamp,
    metrics: { x: (timestamp - HOUR_AGO) / 10_000 },
  });
  await sluice.sendPoints(at.filter((_, i) => i % 2 === 1).reverse().map(point));
  await sluice.sendPoints(at.filter((_, i) => i % 2 === 0).map(point));

  const range = {
    source: "steps",
    metric: "x",
    from: BigInt(HOUR_AGO + 5 * MINUTE),
    to: BigInt(HOUR_AGO + 65 * MINUTE),
  };
  const { series } = await sluice.queryMetrics({ ...range, stepMs: BigInt(10 * MINUTE) });
  const buckets = series[0].buckets;
  // Aligned to the step, so the first and the last are half full.
  assertEquals(buckets.map(({ timestamp }) => (Number(timestamp) - HOUR_AGO) / MINUTE), [0, 10, 20, 30, 40, 50, 60]);
  assertEquals(buckets.map(({ count }) => count), [30n, 60n, 60n, 60n, 60n, 60n, 30n]);
  const { count, sum, min, max, avg, last } = buckets[2];
  assertEquals([count, min, max, last], [60n, 120, 179, 179]);
  assertAlmostEquals(sum ?? 0, (120 + 179) / 2 * 60, 1e-6);
  assertAlmostEquals(avg ?? 0, (120 + 179) / 2, 1e-9);

  const asked = await sluice.queryMetrics({
    ...range,
    aggregations: [Aggregation.MAX, Aggregation.COUNT],
    quantiles: [1],
  });
  const [one] = asked.series[0].buckets;
  assertEquals([one.count, one.max, one.sum, one.min, one.avg, one.last], [
    360n,
    389,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  assertEquals(one.quantiles.length, 1);
  const before = await sluice.queryMetrics({ ...range, from: 0n, to: BigInt(HOUR_AGO) });
  assertEquals(before.series, []);
});

Deno.test("QueryMetrics: source and tags choose series, and segments without them are skipped", async () => {
  for (const host of ["h1", "h2", "h3"]) {
    const points = ["a", "b"].map((zone) => ({
      source: "tags",
      timestamp: now,
      metrics: { cpu: 1 },
      tags: { host, zone },
    }));
    await sluice.sendPoints(points);
  }
  const hosts = async (tags: Record<string, string>) => {
    const { series } = await sluice.queryMetrics({ source: "tags", metric: "cpu", tags });
    return series.map(({ series }) => `${series?.tags.host}${series?.tags.zone}`).sort();
  };
  assertEquals(await hosts({}), ["h1a", "h1b", "h2a", "h2b", "h3a", "h3b"]);
  assertEquals(await hosts({ zone: "a" }), ["h1a", "h2a", "h3a"]);
  assertEquals(await hosts({ zone: "b", host: "h2" }), ["h2b"]);
  assertEquals(await hosts({ zone: "c" }), []);
  assertEquals(await hosts({ rack: "" }), []);
  const elsewhere = await sluice.queryMetrics({ source: "nobody", metric: "cpu" });
  assertEquals(elsewhere.series, []);
});

Deno.test("QueryMetrics: a question that makes no sense is INVALID_ARGUMENT", async () => {
  await invalid(() => sluice.queryMetrics({ metric: "" }));
  await invalid(() => sluice.queryMetrics({ metric: "x", from: 5n, to: 5n }));
  await invalid(() => sluice.queryMetrics({ metric: "x", from: -1n }));
  await invalid(() => sluice.queryMetrics({ metric: "x", stepMs: -1n }));
  await invalid(() => sluice.queryMetrics({ metric: "x", quantiles: [1.1] }));
  await invalid(() => sluice.queryMetrics({ metric: "x", quantiles: [NaN] }));
  await invalid(() => sluice.queryMetrics({ metric: "x", quantiles: Array(17).fill(0.5) }));
  await invalid(() => sluice.queryMetrics({ metric: "x", aggregations: [99 as Aggregation] }));
  await invalid(() => sluice.listSeries({ pageToken: "x" }));
  await invalid(() => sluice.listSeries({ pageSize: 1001 }));
});

Deno.test("ListSeries: pages, by source, metric and tags", async () => {
  const points = Array.from({ length: 25 }, (_, i) => ({
    source: "pages",
    timestamp: now,
    metrics: { a: 1, b: 2 },
    tags: { n: String(i) },
  }));
  await sluice.sendPoints(points);
  const names: string[] = [];
  let pages = 0;
  for (let pageToken = ""; pageToken !== "" || pages === 0; pages++) {
    const page = await sluice.listSeries({ source: "pages", metric: "b", pageSize: 10, pageToken });
    assert(page.series.length <= 10);
    names.push(...page.series.map(({ metric, tags }) => `${metric}${tags.n}`));
    pageToken = page.nextPageToken;
  }
  assertEquals(names.sort(), points.map((_, i) => `b${i}`).sort());
  const { series } = await sluice.listSeries({ source: "pages", tags: { n: "7" } });
  assertEquals(series.map(({ metric }) => metric).sort(), ["a", "b"]);
});

Deno.test("SLUICE_MAX_SERIES: the 51st series is a final rejection, what is known goes on", async () => {
  await using limited = await startServer({ env: { SLUICE_MAX_SERIES: "50" } });
  const sluice = createSluice({ url: limited.url });
  const points = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => ({ source: `s${from + i}`, timestamp: now, metrics: { x: 1 } }));
  const first = await sluice.sendPoints(points(0, 60));
  assertEquals([first.successfulCount, first.errorCount], [50, 10]);
  assertEquals(first.rejections.map(({ index }) => Number(index)), [50, 51, 52, 53, 54, 55, 56, 57, 58, 59]);
  for (const { code, field, retryable } of first.rejections) {
    assertEquals([code, field, retryable], ["RESOURCE_EXHAUSTED", "metrics[x]", false]);
  }
  const again = await sluice.sendPoints(points(40, 60));
  assertEquals([again.successfulCount, again.errorCount], [10, 10]);
  assertEquals((await sluice.listSeries({ pageSize: 1000 })).series.length, 50);
});
