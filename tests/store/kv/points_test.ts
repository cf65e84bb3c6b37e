import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { DAY, HOUR, MINUTE, SERIES_RESERVATION_MS } from "../../../limits.ts";
import { makeSeries } from "../../../store/format/series.ts";
import type { MetricsQuery, PointBatch, Series } from "../../../store/types.ts";
import { NEVER, openTestStores } from "../../support/stores.ts";

type Sample = [series: Series, timestamp: number, value: number];

/** One point for each sample. */
function batch(samples: readonly Sample[]): PointBatch {
  const series = [...new Map(samples.map(([s]) => [s.key, s])).values()];
  const places = new Map(series.map((s, i) => [s.key, i]));
  return {
    series,
    timestamps: Float64Array.from(samples, ([, t]) => t),
    ends: Int32Array.from(samples, (_, i) => i + 1),
    seriesOf: Int32Array.from(samples, ([s]) => places.get(s.key) ?? -1),
    values: Float64Array.from(samples, ([, , v]) => v),
  };
}

const cpu = makeSeries("host", "cpu", { zone: "a" });
const mem = makeSeries("host", "mem", { zone: "a" });
const all: Omit<MetricsQuery, "to"> = { tags: [], from: 0, step: 0, quantiles: [] };

async function write(stores: Awaited<ReturnType<typeof openTestStores>>, samples: readonly Sample[]) {
  const writer = stores.points.writer("t");
  await writer.refused(batch(samples).series);
  await writer.write(batch(samples));
  await writer.flush();
}

Deno.test("PointStore.query() gives back what was written, aggregated", async () => {
  using stores = await openTestStores();
  const now = stores.clock.now();
  const values = Array.from({ length: 2000 }, (_, i) => Math.sin(i) * 50 + 60);
  await write(stores, values.map((v, i) => [i % 2 ? cpu : mem, now - i * 1000, v]));
  const { series } = await stores.points.query(
    "t",
    { ...all, metric: "cpu", to: now + 1, quantiles: [0.5, 0.99] },
    NEVER,
  );
  assertEquals(series.length, 1);
  const [bucket] = series[0].buckets;
  const expected = values.filter((_, i) => i % 2);
  assertEquals(bucket.count, 1000);
  assertAlmostEquals(bucket.sum, expected.reduce((a, b) => a + b), 1e-6);
  assertEquals([bucket.min, bucket.max, bucket.last], [Math.min(...expected), Math.max(...expected), expected[0]]);
  const sorted = expected.toSorted((a, b) => a - b);
  for (const [i, q] of [0.5, 0.99].entries()) {
    const exact = sorted[Math.floor(q * (sorted.length - 1))];
    assert(Math.abs(bucket.quantiles[i] - exact) <= 0.0101 * exact, `${q}: ${bucket.quantiles[i]} for ${exact}`);
  }
});

Deno.test("PointStore.query() buckets by step, with and without rollups of whole segments", async () => {
  using stores = await openTestStores();
  const base = Math.floor(stores.clock.now() / HOUR) * HOUR - 3 * HOUR;
  const samples: Sample[] = Array.from({ length: 3600 }, (_, i) => [cpu, base + i * 3000, i]);
  await write(stores, samples);
  for (const step of [1000, MINUTE, 7 * MINUTE, HOUR, DAY]) {
    const { series } = await stores.points.query(
      "t",
      { ...all, from: base, to: base + 3 * HOUR, step, metric: "cpu" },
      NEVER,
    );
    const expected = new Map<number, { count: number; sum: number }>();
    for (const [, t, v] of samples) {
      const start = Math.floor(t / step) * step;
      const bucket = expected.get(start) ?? { count: 0, sum: 0 };
      expected.set(start, { count: bucket.count + 1, sum: bucket.sum + v });
    }
    assertEquals(
      series[0].buckets.map(({ start, count, sum }) => [start, { count, sum }]),
      [...expected],
      `step ${step}`,
    );
  }
});

Deno.test("PointStore: a batch of 1,000 points of 10 new series each is stored", async () => {
  using stores = await openTestStores({ maxSeries: 20_000 });
  const now = stores.clock.now();
  const series = Array.from({ length: 10_000 }, (_, i) => makeSeries("h", `m${i % 10}`, { n: `${i}` }));
  const points: PointBatch = {
    series,
    timestamps: Float64Array.from({ length: 1000 }, (_, i) => now - i),
    ends: Int32Array.from({ length: 1000 }, (_, i) => (i + 1) * 10),
    seriesOf: Int32Array.from(series, (_, i) => i),
    values: Float64Array.from(series, (_, i) => i),
  };
  const writer = stores.points.writer("t");
  assertEquals((await writer.refused(series)).size, 0);
  await writer.write(points);
  await writer.flush();
  const seen = new Set<string>();
  let after: string | undefined;
  do {
    const page = await stores.points.series("t", { tags: [] }, 1000, after, NEVER);
    for (const s of page.series) seen.add(s.key);
    after = page.next;
  } while (after);
  assertEquals(seen.size, 10_000);
  const { series: found } = await stores.points.query("t", { ...all, tags: [["n", "777"]], to: now + 1 }, NEVER);
  assertEquals(found.map((f) => f.buckets[0].sum), [777]);
});

Deno.test("PointStore: points of many hours in one batch are stored", async () => {
  using stores = await openTestStores();
  const now = stores.clock.now();
  await write(stores, Array.from({ length: 160 }, (_, i) => [cpu, now - i * HOUR, 1]));
  const { series } = await stores.points.query("t", { ...all, to: now + 1 }, NEVER);
  assertEquals(series[0].buckets[0].count, 160);
});

Deno.test("PointWriter.refused() names the series beyond the limit, and those known stay welcome", async () => {
  using stores = await openTestStores({ maxSeries: 2 });
  const now = stores.clock.now();
  await write(stores, [[cpu, now, 1], [mem, now, 2]]);
  const other = makeSeries("host", "disk", {});
  assertEquals([...await stores.points.writer("t").refused([cpu, other, mem])], [other]);
  // Another tenant has room of its own.
  assertEquals((await stores.points.writer("u").refused([other])).size, 0);
});

Deno.test("PointWriter.refused() gives room back that no commit has used", async () => {
  using stores = await openTestStores({ maxSeries: 1 });
  const writer = stores.points.writer("t");
  assertEquals((await writer.refused([cpu])).size, 0);
  assertEquals((await writer.refused([mem])).size, 1);
  stores.clock.advance(SERIES_RESERVATION_MS + 1);
  assertEquals((await writer.refused([mem])).size, 0);
});

Deno.test("PointStore: data past retention is in no answer, before and after housekeeping", async () => {
  using stores = await openTestStores();
  const start = stores.clock.now();
  await write(stores, [[cpu, start, 1], [cpu, start + 12 * HOUR, 2]]);
  const count = async () => {
    const now = stores.clock.now();
    const { series } = await stores.points.query("t", { ...all, to: now + DAY }, NEVER);
    return series[0]?.buckets[0].count ?? 0;
  };
  assertEquals(await count(), 2);
  // Its segment is still there, for the hour is not over.
  stores.clock.time = start + 7 * DAY + 1;
  assertEquals(await count(), 1);
  stores.clock.time = start + 7 * DAY + 13 * HOUR;
  assertEquals(await count(), 0);
  assertEquals((await stores.keys()).filter((k) => k.startsWith("points/")).length, 2);
  stores.clock.advance(HOUR);
  assertEquals((await stores.keepHouse()).hours, 2);
  assertEquals(await count(), 0);
  // The series itself goes some days later.
  assertEquals((await stores.keys()).length, 1);
  stores.clock.advance(3 * DAY);
  assertEquals((await stores.keepHouse()).series, 1);
  assertEquals(await stores.keys(), []);
});

Deno.test("PointWriter.flush() rejects if the commit failed, and the store goes on", async () => {
  let broken = false;
  using stores = await openTestStores({
    wrap: (db) => ({
      get: db.get.bind(db),
      getMany: db.getMany.bind(db),
      list: db.list.bind(db),
      atomic: () => {
        const operation = db.atomic();
        if (broken) operation.commit = () => Promise.reject(new Error("disk I/O error"));
        return operation;
      },
    }),
  });
  const now = stores.clock.now();
  broken = true;
  await assertRejects(() => write(stores, [[cpu, now, 1]]));
  broken = false;
  await write(stores, [[cpu, now, 2]]);
  const { series } = await stores.points.query("t", { ...all, to: now + 1 }, NEVER);
  assertEquals(series.map((s) => s.buckets[0].sum), [2]);
  assertEquals((await stores.points.series("t", { tags: [] }, 10, undefined, NEVER)).series, [cpu]);
});

Deno.test("PointStore: a commit of many long series fits KV, in any script and over many hours", async () => {
  using stores = await openTestStores({ maxSeries: 10_000 });
  const now = stores.clock.now();
  const random = (first: number, count: number, length: number) =>
    Array.from({ length }, () => String.fromCharCode(first + Math.floor(Math.random() * count))).join("");
  const wide = Array.from(
    { length: 400 },
    () => makeSeries("h", "wide", { a: random(0x4e00, 20_000, 330), b: random(0x4e00, 20_000, 330) }),
  );
  await write(stores, wide.map((s) => [s, now, 1]));
  const long = Array.from(
    { length: 20 },
    () => makeSeries("h", "long", { a: random(97, 26, 950), b: random(97, 26, 950) }),
  );
  await write(stores, Array.from({ length: 1000 }, (_, i) => [long[i % 20], now - Math.floor(i / 20) * HOUR, 1]));
  for (const [metric, count] of [["wide", 400], ["long", 1000]] as const) {
    const { series } = await stores.points.query("t", { ...all, metric, to: now + 1 }, NEVER);
    assertEquals(series.reduce((sum, { buckets }) => sum + buckets[0].count, 0), count);
  }
});

Deno.test("PointStore: series that came together and are due together are written again over several commits", async () => {
  using stores = await openTestStores({ maxSeries: 20_000 });
  const series = Array.from({ length: 2000 }, (_, i) => makeSeries("h", `m${i}`, {}));
  const at = (now: number): Sample[] => series.map((s, i) => [s, now, i]);
  const first = stores.clock.now();
  await write(stores, at(first));
  // They become due while the batch waits for its commit.
  stores.clock.advance(DAY - 1000);
  const writer = stores.points.writer("t");
  const now = stores.clock.now();
  await writer.refused(series);
  await writer.write(batch(at(now)));
  stores.clock.advance(2000);
  await writer.flush();
  const query = { ...all, metric: "m1999", from: first, to: now + 1 };
  assertEquals((await stores.points.query("t", query, NEVER)).series[0].buckets[0].count, 2);
});

Deno.test("PointStore.query() counts no series that has nothing in the range, or nothing that is not deleted", async () => {
  using stores = await openTestStores();
  const hour = Math.floor(stores.clock.now() / HOUR) * HOUR;
  const series = Array.from({ length: 10 }, (_, i) => makeSeries(`s${i}`, "x", {}));
  await write(stores, series.map((s, i) => [s, hour + i, i]));
  const query = { ...all, metric: "x", from: hour, to: hour + HOUR, limits: { series: 3, buckets: 100 } };
  const found = async (change: Partial<MetricsQuery>) => {
    const { series } = await stores.points.query("t", { ...query, ...change }, NEVER);
    return series.map(({ series: { source } }) => source);
  };
  const error = await assertRejects(() => found({}), ConnectError, "more than 3 series");
  assertEquals(error.code, Code.ResourceExhausted);
  assertEquals(await found({ to: hour + 3 }), ["s0", "s1", "s2"]);
  assertEquals(await found({ from: hour + 8, increase: true }), ["s8", "s9"]);
  await stores.deletions.add("t", { kind: "points", from: hour, to: hour + 8, tags: [] });
  assertEquals(await found({}), ["s8", "s9"]);
});
