import { assert, assertEquals, assertGreater } from "@std/assert";
import { COMPACT_FEW, DAY, HOUR, MINUTE, READ_GROUP_SEGMENTS, RUN_KEPT_MS } from "../../../limits.ts";
import { createMemoryBlobStore } from "../../../store/blob/memory.ts";
import { makeSeries } from "../../../store/format/series.ts";
import type { BlobStore } from "../../../store/types.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { NEVER, openTestStores, type TestStoresOptions } from "../../support/stores.ts";

const DAY_BEGIN = Math.floor(Date.now() / DAY) * DAY;
const QUERY = { metric: "x", tags: [], from: DAY_BEGIN, to: DAY_BEGIN + DAY, step: HOUR, quantiles: [] };

/** What happens each time that a question reads of KV's segments of points, or of a blob. */
interface Hooks {
  isOn: boolean;
  onList: () => Promise<void>;
  onRead: () => Promise<void>;
}

/** Stores at noon of the day, where something can happen in the middle of a question. */
async function openHooked() {
  const hooks: Hooks = { isOn: false, onList: () => Promise.resolve(), onRead: () => Promise.resolve() };
  const happen = async (hook: "onList" | "onRead") => {
    if (!hooks.isOn) return;
    hooks.isOn = false;
    await hooks[hook]();
    hooks.isOn = true;
  };
  const clock = new FakeClock(DAY_BEGIN + 12 * HOUR);
  const memory = createMemoryBlobStore(clock);
  const blobs: BlobStore = {
    ...memory,
    async *read(id, pieces, range) {
      await happen("onRead");
      yield* memory.read(id, pieces, range);
    },
  };
  const wrap: TestStoresOptions["wrap"] = (db) => ({
    get: db.get.bind(db),
    getMany: db.getMany.bind(db),
    atomic: db.atomic.bind(db),
    list<T>(selector: Deno.KvListSelector, options?: Deno.KvListOptions) {
      const isOfPoints = "start" in selector && selector.start[0] === "points";
      async function* entries() {
        if (isOfPoints && options?.batchSize !== 1) await happen("onList");
        yield* db.list<T>(selector, options);
      }
      return entries() as unknown as Deno.KvListIterator<T>;
    },
  });
  const stores = await openTestStores({ clock, wrap, blobs: () => blobs });
  /** As many segments of an hour of the day, of one sample each. */
  const write = async (metric: string, hour: number, segments: number) => {
    const series = [makeSeries("s", metric, {})];
    for (let i = 0; i < segments; i++) {
      const writer = stores.points.writer("t");
      await writer.refused(series);
      await writer.write({
        series,
        timestamps: Float64Array.of(DAY_BEGIN + hour * HOUR + i),
        ends: Int32Array.of(1),
        seriesOf: Int32Array.of(0),
        values: Float64Array.of(1),
      });
      await writer.flush();
    }
  };
  const ask = async () => {
    hooks.isOn = true;
    const { series, damaged } = await stores.points.query("t", QUERY, NEVER);
    hooks.isOn = false;
    assertEquals([damaged, stores.damaged], [0, []]);
    return series.flatMap(({ buckets }) => buckets.map(({ start, count }) => [(start - DAY_BEGIN) / HOUR, count]));
  };
  return { stores, hooks, write, ask, [Symbol.dispose]: () => stores[Symbol.dispose]() };
}

Deno.test("PointStore.query() ends while runs of its day are made all the time", async () => {
  using hooked = await openHooked();
  const { stores, hooks, write, ask } = hooked;
  for (const hour of [1, 2]) await write("x", hour, COMPACT_FEW);
  stores.clock.time += 10 * MINUTE;
  assertEquals((await stores.keepHouse()).runs, 2);
  let made = 0;
  hooks.onRead = async () => {
    await write("other", 3, COMPACT_FEW);
    stores.clock.time += 10 * MINUTE;
    made += (await stores.keepHouse()).runs;
  };
  assertEquals(await ask(), [[1, COMPACT_FEW], [2, COMPACT_FEW]]);
  assertGreater(made, 1);
});

Deno.test("PointStore.query() counts each sample once while segments become runs, and runs one run", async () => {
  const hours = [0, 1, 2, 3, 4, 5];
  const each = READ_GROUP_SEGMENTS + 5;
  for (const order of [hours, hours.toReversed(), [3, 0, 5, 1, 4, 2]]) {
    for (const isCold of [false, true]) {
      using hooked = await openHooked();
      const { stores, hooks, write, ask } = hooked;
      if (isCold) stores.clock.time += DAY;
      // In this order their segments are old enough to become runs.
      const begin = stores.clock.time;
      for (const [i, hour] of order.entries()) {
        stores.clock.time = begin + i * 10 * MINUTE;
        await write("x", hour, each);
      }
      let looks = 0;
      let made = 0;
      hooks.onList = async () => {
        // Every second time, so that some hours are read meanwhile.
        if (looks++ % 2 === 1 || looks > 2 * hours.length) return;
        stores.clock.time = begin + (looks - 1) / 2 * 10 * MINUTE + 5 * MINUTE;
        made += (await stores.keepHouse()).runs;
      };
      const expected = hours.map((hour) => [hour, each]);
      assertEquals(await ask(), expected);
      assertGreater(made, 2);
      assertEquals(await ask(), expected);
    }
  }
});

Deno.test("PointStore.query() reads a day again if the bytes of a run are gone that another took the place of", async () => {
  using hooked = await openHooked();
  const { stores, hooks, write, ask } = hooked;
  for (const hour of [1, 2]) await write("x", hour, COMPACT_FEW);
  stores.clock.time += 10 * MINUTE;
  assertEquals((await stores.keepHouse()).runs, 2);
  const before = await Array.fromAsync(stores.blobs.list());
  let reads = 0;
  hooks.onRead = async () => {
    // The first is of a footer, for which compaction would wait too.
    if (++reads !== 2) return;
    stores.clock.time += DAY;
    assertEquals((await stores.keepHouse()).runs, 1);
    stores.clock.time += RUN_KEPT_MS + MINUTE;
    await stores.keepHouse();
    const after = new Set((await Array.fromAsync(stores.blobs.list())).map(({ blobId }) => blobId));
    assert(before.every(({ blobId }) => !after.has(blobId)));
  };
  assertEquals(await ask(), [[1, COMPACT_FEW], [2, COMPACT_FEW]]);
});
