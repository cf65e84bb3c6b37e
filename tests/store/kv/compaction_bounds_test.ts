import { assertEquals, assertGreater, assertLess } from "@std/assert";
import { unavailable } from "../../../errors.ts";
import { COMPACT_BYTES, COMPACT_FEW, COMPACT_MAX_RUNS, COMPACT_SEGMENTS, DAY, HOUR, MINUTE } from "../../../limits.ts";
import { toLogColumns } from "../../../store/format/log_columns.ts";
import type { Kv } from "../../../store/kv/kv.ts";
import { EVERY_ENTRY } from "../../../store/log_condition.ts";
import { systemPlatform } from "../../../store/platform.ts";
import { openStores } from "../../../store/open.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { NEVER, openTestStores } from "../../support/stores.ts";
import { storesConfig } from "../../upgrade/content.ts";
import { Random } from "../format/random.ts";

type Stores = Awaited<ReturnType<typeof openTestStores>>;

/** Makes so many segments of the hour that begins then. */
async function writeSegments({ logs }: Pick<Stores, "logs">, hour: number, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const writer = logs.writer("t");
    await writer.write(
      toLogColumns([{ application: "a", level: 2, timestamp: hour + i, message: `m${i}`, fields: [] }]),
    );
    await writer.flush();
  }
}

const keysOf = async (stores: Stores, kind: string) =>
  (await stores.keys()).filter((key) => key.startsWith(`${kind}/`)).length;

Deno.test("Compaction: an hour is a run once it is over and has COMPACT_FEW segments, or has COMPACT_SEGMENTS", async () => {
  using stores = await openTestStores();
  const hour = Math.floor(stores.clock.now() / HOUR) * HOUR;
  stores.clock.advance(hour + HOUR - stores.clock.now());
  await writeSegments(stores, hour + HOUR, COMPACT_SEGMENTS - 1);
  await writeSegments(stores, hour, COMPACT_FEW - 1);
  stores.clock.advance(5 * MINUTE);
  assertEquals((await stores.keepHouse()).runs, 0);
  await writeSegments(stores, hour + HOUR, 1);
  await writeSegments(stores, hour, 1);
  // The last ones are too young.
  assertEquals((await stores.keepHouse()).runs, 0);
  stores.clock.advance(5 * MINUTE);
  assertEquals((await stores.keepHouse()).runs, 2);
  assertEquals([await keysOf(stores, "logs"), await keysOf(stores, "logindex")], [0, 0]);
});

Deno.test("Compaction: of an hour that is not over, COMPACT_BYTES of segments are a run however few they are", async () => {
  using stores = await openTestStores();
  const { clock, logs } = stores;
  const hour = Math.floor(clock.now() / HOUR) * HOUR + HOUR;
  clock.advance(hour - clock.now());
  const random = new Random(3);
  const message = () => Array.from({ length: 20 }, () => random.below(2 ** 31).toString(36)).join(" ");
  let written = 0;
  for (let i = 0; i < COMPACT_SEGMENTS - 10; i++) {
    const writer = logs.writer("t");
    const timestamp = hour + i;
    await writer.write(toLogColumns(
      Array.from({ length: 100 }, () => ({ application: "a", level: 2, timestamp, message: message(), fields: [] })),
    ));
    await writer.flush();
  }
  for await (const { value } of stores.db.list<Uint8Array>({ prefix: ["logs"] })) written += value.length;
  assertGreater(written, 2 * COMPACT_BYTES);
  assertLess(await keysOf(stores, "logs"), COMPACT_SEGMENTS);
  clock.advance(5 * MINUTE);
  assertGreater((await stores.keepHouse()).runs, 1);
  let left = 0;
  for await (const { value } of stores.db.list<Uint8Array>({ prefix: ["logs"] })) left += value.length;
  assertLess(left, COMPACT_BYTES);
});

Deno.test("Compaction: the runs of a day that is not over are merged once there are COMPACT_MAX_RUNS", async () => {
  using stores = await openTestStores();
  const { clock } = stores;
  const begin = Math.floor(clock.now() / DAY) * DAY;
  clock.advance(begin + 3 * HOUR - clock.now());
  for (let i = 1; i <= COMPACT_MAX_RUNS; i++) {
    await writeSegments(stores, begin + HOUR, COMPACT_FEW);
    clock.advance(5 * MINUTE);
    const { runs } = await stores.keepHouse();
    assertEquals([runs, await keysOf(stores, "run")], i < COMPACT_MAX_RUNS ? [1, i] : [2, 1]);
  }
  const search = { where: EVERY_ENTRY, from: 0, to: clock.now(), newestFirst: true, limit: 1000 };
  const { hits } = await stores.logs.search("t", search, NEVER);
  assertEquals(hits.length, COMPACT_MAX_RUNS * COMPACT_FEW);
});

Deno.test("Compaction: at the floor of free space nothing is moved, and afterwards it is", async () => {
  let isFull = false;
  using stores = await openTestStores({
    space: { ensure: () => isFull ? Promise.reject(unavailable("full")) : Promise.resolve() },
  });
  await writeSegments(stores, stores.clock.now() - 3 * HOUR, 20);
  stores.clock.advance(2 * HOUR);
  isFull = true;
  assertEquals((await stores.keepHouse()).runs, 0);
  assertEquals(await keysOf(stores, "blob"), 0);
  isFull = false;
  assertGreater((await stores.keepHouse()).runs, 0);
});

Deno.test("Compaction: a round ends after COMPACT_ROUND_MS, and the next one goes on", async () => {
  let isSlow = false;
  const clock = new FakeClock();
  /** A KV whose commits take nearly 2 s. */
  const wrap = (kv: Deno.Kv): Kv => ({
    get: kv.get.bind(kv),
    getMany: kv.getMany.bind(kv),
    list: kv.list.bind(kv),
    atomic() {
      const operation = kv.atomic();
      const commit = operation.commit.bind(operation);
      operation.commit = () => {
        if (isSlow) clock.advance(1900);
        return commit();
      };
      return operation;
    },
  });
  using stores = await openTestStores({ clock, wrap });
  for (let hour = 5; hour < 25; hour++) await writeSegments(stores, clock.now() - hour * HOUR, COMPACT_FEW);
  clock.advance(HOUR);
  isSlow = true;
  // What waits for its next step waits for this clock.
  const ticking = setInterval(() => clock.advance(20), 1);
  const { runs } = await stores.keepHouse();
  assertGreater(runs, 0);
  assertLess(runs, 20);
  const left = await keysOf(stores, "logs");
  assertGreater(left, 0);
  await stores.keepHouse();
  clearInterval(ticking);
  assertLess(await keysOf(stores, "logs"), left);
});

Deno.test("Compaction: from a KV that stays nothing is moved to blobs in memory", async () => {
  const directory = await Deno.makeTempDir();
  const clock = new FakeClock();
  const config = { ...storesConfig(directory), blobs: { kind: "memory" } as const };
  try {
    const stores = await openStores(config, systemPlatform(clock));
    await writeSegments(stores, clock.now() - 2 * DAY, 20);
    clock.advance(HOUR);
    assertEquals((await stores.keepHouse(new AbortController().signal)).runs, 0);
    await stores.close();
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
