import { assert, assertAlmostEquals, assertEquals, assertGreater, assertLess } from "@std/assert";
import { DAY, HOUR, MINUTE, RUN_HOUR_SAMPLES } from "../../../limits.ts";
import { createPointRuns } from "../../../store/kv/compaction/points.ts";
import { listRuns } from "../../../store/kv/runs/run_list.ts";
import { checkStore, type Finding } from "../../../store/check/check.ts";
import type { PointRunSegment } from "../../../store/format/run_footer.ts";
import { makeSeries } from "../../../store/format/series.ts";
import { decodeValue, encodeValue } from "../../../store/format/value.ts";
import type { MetricsQuery, Series } from "../../../store/types.ts";
import { NEVER, openTestStores } from "../../support/stores.ts";

type Stores = Awaited<ReturnType<typeof openTestStores>>;

const SERIES = ["a", "b", "c", "d"].map((source) => makeSeries(source, "cpu", { rack: source < "c" ? "x" : "y" }));

/** Samples of each series from `begin` on, `every` ms. */
async function write({ points }: Stores, begin: number, end: number, every: number): Promise<void> {
  const times = Array.from({ length: Math.ceil((end - begin) / every) }, (_, i) => begin + i * every);
  for (let first = 0; first < times.length; first += 500) {
    const own = times.slice(first, first + 500).flatMap((t) => SERIES.map((_, s) => [t, s, valueOf(t, s)] as const));
    const writer = points.writer("t");
    await writer.refused(SERIES);
    await writer.write({
      series: SERIES,
      timestamps: Float64Array.from(own, ([t]) => t),
      ends: Int32Array.from(own, (_, i) => i + 1),
      seriesOf: Int32Array.from(own, ([, s]) => s),
      values: Float64Array.from(own, ([, , v]) => v),
    });
    await writer.flush();
  }
}

const valueOf = (t: number, s: number) => Math.round(t / 1000 % 977) / 10 + s;

/** The stores with the run of a day that has a sample of each series every so often. */
async function openDay(every: number) {
  const stores = await openTestStores();
  const day = Math.floor(stores.clock.now() / DAY) * DAY;
  await write(stores, day, day + DAY, every);
  stores.clock.advance(day + 2 * DAY - stores.clock.now());
  for (let i = 0; i < 100; i++) if ((await stores.keepHouse()).runs === 0) break;
  return { stores, day };
}

const SUMMARY: Omit<MetricsQuery, "from" | "to"> = { metric: "cpu", tags: [], step: HOUR, quantiles: [] };

function expected(day: number, { from, to, step }: MetricsQuery, every: number, s: number) {
  const buckets = new Map<number, number[]>();
  for (let t = day; t < day + DAY; t += every) {
    if (t < from || t >= to) continue;
    const start = step === 0 ? from : Math.floor(t / step) * step;
    buckets.set(start, [...buckets.get(start) ?? [], valueOf(t, s)]);
  }
  return buckets;
}

async function verify({ points }: Stores, day: number, query: MetricsQuery, every: number) {
  const { series, opened, damaged } = await points.query("t", query, NEVER);
  assertEquals([series.length, damaged], [SERIES.length, 0]);
  for (const { series: { source }, buckets } of series) {
    const own = expected(day, query, every, SERIES.findIndex((one: Series) => one.source === source));
    assertEquals(buckets.map(({ start }) => start), [...own.keys()]);
    for (const { start, count, sum, min, max, last } of buckets) {
      const values = own.get(start)!;
      assertEquals([count, min, max, last], [values.length, Math.min(...values), Math.max(...values), values.at(-1)!]);
      assertAlmostEquals(sum, values.reduce((a, b) => a + b), 1e-6);
    }
  }
  return opened;
}

Deno.test("Rollups of hours answer what is asked by whole hours, samples all else, and both say the same", async () => {
  const every = 10_000;
  const { stores, day } = await openDay(every);
  using _ = stores;
  const whole = { ...SUMMARY, from: day, to: day + DAY };
  // 34,560 samples are in several segments, 96 hours in one.
  assertEquals(await verify(stores, day, whole, every), 1);
  assertEquals(await verify(stores, day, { ...whole, step: DAY }, every), 1);
  assertEquals(await verify(stores, day, { ...whole, step: 0 }, every), 1);
  assertEquals(
    await verify(stores, day, { ...whole, step: 6 * HOUR, from: day + 2 * HOUR, to: day + 9 * HOUR }, every),
    1,
  );
  for (
    const other of [
      { ...whole, step: 30 * MINUTE },
      { ...whole, from: day + 1 },
      { ...whole, to: day + DAY - 5 * MINUTE },
      { ...whole, quantiles: [0.5] },
      { ...whole, increase: true },
    ]
  ) assertGreater(await verify(stores, day, other, every), 1, JSON.stringify(other));
  // What lies in the range of the question, and not in that of the day, does not matter.
  assertEquals(await verify(stores, day, { ...whole, from: day - 7, to: day + DAY + 7 }, every), 1);
  const [{ buckets }] = (await stores.points.query("t", { ...whole, groupBy: [], step: DAY }, NEVER)).series;
  assertEquals(buckets.map(({ count }) => count), [SERIES.length * DAY / every]);

  const findings: Finding[] = [];
  await checkStore(stores, (finding) => findings.push(finding));
  assertEquals(findings, []);
  // Late samples beside the run.
  await write(stores, day + 5 * HOUR + 1, day + 5 * HOUR + MINUTE, 1000);
  const [late] = (await stores.points.query("t", { ...whole, source: "a", step: DAY }, NEVER)).series;
  assertEquals(late.buckets[0].count, DAY / every + 60);
});

Deno.test("Rollups of hours: a run of few samples an hour has none", async () => {
  const every = Math.ceil(HOUR / (RUN_HOUR_SAMPLES - 2));
  const { stores, day } = await openDay(every);
  using _ = stores;
  const whole = { ...SUMMARY, from: day, to: day + DAY };
  const byHours = await verify(stores, day, whole, every);
  assertEquals(byHours, await verify(stores, day, { ...whole, quantiles: [0.5] }, every));
});

Deno.test("Rollups of hours: what is deleted is not in them, before and after it is gone", async () => {
  const every = 30_000;
  const { stores, day } = await openDay(every);
  using _ = stores;
  await stores.deletions.add("t", { kind: "points", from: day, to: day + 90 * MINUTE, source: "b", tags: [] });
  const verifyDeleted = async () => {
    const { series, damaged } = await stores.points.query("t", { ...SUMMARY, from: day, to: day + DAY }, NEVER);
    assertEquals(damaged, 0);
    const counts = new Map(series.map(({ series, buckets }) => [series.source, buckets.map(({ count }) => count)]));
    const hourly = HOUR / every;
    assertEquals(counts.get("a"), new Array(24).fill(hourly));
    assertEquals(counts.get("b"), [hourly / 2, ...new Array(22).fill(hourly)]);
  };
  await verifyDeleted();
  await stores.keepHouse();
  const [deletion] = await stores.deletions.list("t", 1, undefined);
  assertGreater(deletion.doneAt, 0);
  await verifyDeleted();
});

Deno.test("Rollups of hours that are damaged: the samples answer, and the check tells", async () => {
  const every = 30_000;
  const { stores, day } = await openDay(every);
  using _ = stores;
  const whole = { ...SUMMARY, from: day, to: day + DAY };
  assertLess(await verify(stores, day, whole, every), 2);
  // The rollups stand last, in front of the footer.
  const { runs: [run] } = await listRuns(stores.kv, "points", "t", day / DAY, day / DAY + 1);
  const range = { start: run.footer - 20, end: run.footer - 19 };
  // What a store in memory hands out is what it has.
  for await (const part of stores.blobs.read(run.id, run.pieces, range)) part[0] ^= 0x10;
  await verify(stores, day, whole, every);
  assert(stores.damaged.length > 0);
  const findings: Finding[] = [];
  await checkStore(stores, (finding) => findings.push(finding));
  assertEquals(findings.length, 1);
});

/** Makes the end of one segment of the day's run such that no decoder takes it, in an envelope that is right. */
async function spoil({ kv, blobs }: Stores, day: number, choose: (segment: PointRunSegment) => boolean): Promise<void> {
  const { runs: [run] } = await listRuns(kv, "points", "t", day / DAY, day / DAY + 1);
  const { offset, length } = (await createPointRuns({ kv, blobs }).segments(run)).find(choose)!;
  for await (const part of blobs.read(run.id, run.pieces, { start: offset, end: offset + length })) {
    const { format, expires, payload } = decodeValue(part);
    part.set(encodeValue(format, expires, payload.fill(0xff, payload.length >> 1)));
  }
}

Deno.test("Rollups of hours that cannot be decoded: the samples answer", async () => {
  const every = 30_000;
  const { stores, day } = await openDay(every);
  using _ = stores;
  await spoil(stores, day, ({ samples }) => samples === 0);
  assertGreater(await verify(stores, day, { ...SUMMARY, from: day, to: day + DAY }, every), 0);
  assertGreater(stores.damaged.length, 0);
});

Deno.test("A segment of a run that cannot be decoded is left out, and counted", async () => {
  const every = 10_000;
  const { stores, day } = await openDay(every);
  using _ = stores;
  const query = { ...SUMMARY, from: day, to: day + DAY, step: 0, quantiles: [0.5] };
  const ask = async () => {
    const { series, opened, damaged } = await stores.points.query("t", query, NEVER);
    return { count: series.reduce((sum, { buckets: [{ count }] }) => sum + count, 0), opened, damaged };
  };
  const whole = await ask();
  assertEquals([whole.count, whole.damaged, stores.damaged], [SERIES.length * DAY / every, 0, []]);
  await spoil(stores, day, ({ samples }) => samples > 0);
  const rest = await ask();
  assertEquals([rest.opened, rest.damaged, stores.damaged.length], [whole.opened - 1, 1, 1]);
  assert(rest.count > 0 && rest.count < whole.count);
});
