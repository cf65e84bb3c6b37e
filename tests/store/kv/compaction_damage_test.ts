import { assert, assertEquals, assertGreater } from "@std/assert";
import { COMPACT_FEW, DAY, HOUR, KNOWN_DAMAGE_MS, MAX_KNOWN_DAMAGE, MINUTE } from "../../../limits.ts";
import { createMemoryBlobStore } from "../../../store/blob/memory.ts";
import { checkStore } from "../../../store/check/check.ts";
import { toLogColumns } from "../../../store/format/log_columns.ts";
import { makeSeries } from "../../../store/format/series.ts";
import { decodeValue, encodeValue } from "../../../store/format/value.ts";
import { KnownDamage } from "../../../store/kv/compaction/damage.ts";
import { EVERY_ENTRY } from "../../../store/log_condition.ts";
import type { BlobStore } from "../../../store/types.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { NEVER, openTestStores } from "../../support/stores.ts";

type Stores = Awaited<ReturnType<typeof openTestStores>>;

const ALL = { from: 0, to: Number.MAX_SAFE_INTEGER };
const SERIES = ["a", "b"].map((source) => makeSeries(source, "cpu", {}));

/** Stores of which blobs can be damaged, and what was written to blobs. */
async function openDamagedStores() {
  const clock = new FakeClock();
  const memory = createMemoryBlobStore(clock);
  /** By id of a blob: a place of which a bit is flipped whenever it is read. */
  const flipped = new Map<string, number>();
  const written = { bytes: 0 };
  const blobs: BlobStore = {
    ...memory,
    async create(id, epoch) {
      const piece = await memory.create(id, epoch);
      return {
        room: piece.room,
        append: (data) => (written.bytes += data.length, piece.append(data)),
        sync: (all) => piece.sync(all),
        seal: () => piece.seal(),
      };
    },
    async *read(id, pieces, range) {
      let at = range.start;
      for await (const part of memory.read(id, pieces, range)) {
        const own = part.slice();
        const place = (flipped.get(id) ?? -1) - at;
        if (place >= 0 && place < own.length) own[place] ^= 1;
        at += part.length;
        yield own;
      }
    },
  };
  const stores = await openTestStores({ clock, blobs: () => blobs });
  return Object.assign(stores, { flipped, written });
}

const dayOf = ({ clock }: Pick<Stores, "clock">) => Math.floor(clock.now() / DAY) * DAY;

/** Segments of two entries each, of the applications a and b. */
async function writeLogs({ logs }: Stores, begin: number, segments: number): Promise<void> {
  for (let i = 0; i < segments; i++) {
    const writer = logs.writer("t");
    const entry = (application: string) =>
      ({ application, level: 2, timestamp: begin + i, message: `m${i}`, fields: [] }) as const;
    await writer.write(toLogColumns([entry("a"), entry("b")]));
    await writer.flush();
  }
}

async function writePoints({ points }: Stores, begin: number, segments: number): Promise<void> {
  for (let i = 0; i < segments; i++) {
    const writer = points.writer("t");
    await writer.refused(SERIES);
    await writer.write({
      series: SERIES,
      timestamps: Float64Array.of(begin + i),
      ends: Int32Array.of(2),
      seriesOf: Int32Array.of(0, 1),
      values: Float64Array.of(i, i),
    });
    await writer.flush();
  }
}

async function runIds(stores: Stores, kind: string): Promise<string[]> {
  return (await stores.keys()).filter((key) => key.startsWith(`run/${kind}/`)).map((key) => key.split("/")[4]);
}

/** How many entries are found of each application, and how many segments are damaged. */
async function askLogs(stores: Stores) {
  const search = { where: EVERY_ENTRY, from: 0, to: stores.clock.now(), newestFirst: true, limit: 1000 };
  const { hits, damaged } = await stores.logs.search("t", search, NEVER);
  const of = (name: string) => hits.filter(({ application }) => application === name).length;
  return { a: of("a"), b: of("b"), damaged };
}

Deno.test("Compaction: damaged segments do not make the run of their day again", async () => {
  using stores = await openDamagedStores();
  const { clock, written, db } = stores;
  const day = dayOf(stores);
  await writeLogs(stores, day + 2 * HOUR, 30);
  clock.advance(day + DAY + 8 * HOUR - clock.now());
  for (let i = 0; i < 3; i++) await stores.keepHouse();
  const runs = await runIds(stores, "logs");
  await writeLogs(stores, day + 5 * HOUR, COMPACT_FEW + 1);
  for await (const { key, value } of db.list<Uint8Array>({ prefix: ["logs"] })) {
    value[20] ^= 1;
    await db.set(key, value);
  }
  written.bytes = 0;
  for (let i = 0; i < 4; i++) {
    clock.advance(5 * MINUTE);
    await stores.keepHouse();
  }
  assertEquals([written.bytes, await runIds(stores, "logs")], [0, runs]);
  assertEquals(stores.damaged.length, COMPACT_FEW + 1, "each is reported once");
});

Deno.test("Compaction: a segment that no decoder takes is left where it is, and what is beside it is moved", async () => {
  using stores = await openDamagedStores();
  const { clock, db } = stores;
  await writeLogs(stores, Math.floor(clock.now() / HOUR - 1) * HOUR, 2 * COMPACT_FEW);
  const [{ key, value }] = await Array.fromAsync(db.list<Uint8Array>({ prefix: ["logs"] }));
  const { format, expires, payload } = decodeValue(value);
  await db.set(key, encodeValue(format, expires, payload.subarray(0, payload.length - 1)));
  clock.advance(5 * MINUTE);
  assertEquals((await stores.keepHouse()).runs, 0);
  assertEquals((await stores.keepHouse()).runs, 1);
  assertEquals((await stores.keys()).filter((name) => name.startsWith("logs/")), [key.map(String).join("/")]);
});

Deno.test("Compaction: a damaged run is left where it is, and tried again after KNOWN_DAMAGE_MS", async () => {
  using stores = await openDamagedStores();
  const { clock, flipped, written } = stores;
  const day = dayOf(stores);
  for (const hour of [2, 3, 4]) await writeLogs(stores, day + hour * HOUR, 20);
  clock.advance(day + 12 * HOUR - clock.now());
  await stores.keepHouse();
  const [, bad] = await runIds(stores, "logs");
  flipped.set(bad, 30);
  await writeLogs(stores, day + DAY, 20);
  clock.advance(day + 2 * DAY + 8 * HOUR - clock.now());
  // The day after is not kept from being compacted.
  assertEquals((await stores.keepHouse()).runs, 2);
  for (let i = 0; i < 3; i++) await stores.keepHouse();
  const runs = await runIds(stores, "logs");
  assertEquals(runs.length, 3);
  assert(runs.includes(bad));
  assertEquals(await askLogs(stores), { a: 60, b: 60, damaged: 1 });
  written.bytes = 0;
  for (let i = 0; i < 3; i++) await stores.keepHouse();
  assertEquals(written.bytes, 0);
  flipped.clear();
  clock.advance(KNOWN_DAMAGE_MS);
  for (let i = 0; i < 3; i++) await stores.keepHouse();
  assertEquals((await runIds(stores, "logs")).length, 2);
  assertEquals(await askLogs(stores), { a: 80, b: 80, damaged: 0 });
});

Deno.test("Compaction: a deletion is done although a segment of a run is damaged, without which the run is written again", async () => {
  using stores = await openDamagedStores();
  const { clock, flipped, deletions } = stores;
  const day = dayOf(stores);
  for (const hour of [2, 3]) {
    await writeLogs(stores, day + hour * HOUR, 20);
    await writePoints(stores, day + hour * HOUR, 20);
  }
  clock.advance(day + DAY + 8 * HOUR - clock.now());
  for (let i = 0; i < 3; i++) await stores.keepHouse();
  for (const kind of ["logs", "points"]) for (const id of await runIds(stores, kind)) flipped.set(id, 30);
  await deletions.add("t", { kind: "logs", ...ALL, application: "a" });
  await deletions.add("t", { kind: "points", ...ALL, tags: [], source: "a" });
  assertEquals(await askLogs(stores), { a: 0, b: 20, damaged: 1 });
  for (let i = 0; i < 2; i++) await stores.keepHouse();
  for (const { doneAt } of await deletions.list("t", 10, undefined)) assertGreater(doneAt, 0);
  assertEquals(await askLogs(stores), { a: 0, b: 20, damaged: 0 });
  const query = { tags: [], from: 0, to: clock.now(), step: 0, quantiles: [] };
  const { series } = await stores.points.query("t", query, NEVER);
  assert(series.every(({ series: { source } }) => source === "b"));
  const findings: string[] = [];
  await checkStore(stores, ({ what }) => findings.push(what));
  assertEquals(findings, []);
});

Deno.test("KnownDamage remembers MAX_KNOWN_DAMAGE ids, those that were found last, for KNOWN_DAMAGE_MS", () => {
  const clock = new FakeClock();
  const damage = new KnownDamage(clock);
  for (let i = 0; i < MAX_KNOWN_DAMAGE; i++) damage.add(`${i}`);
  damage.add("0");
  assertEquals([damage.has("0"), damage.has("1")], [true, true]);
  damage.add("one more");
  assertEquals([damage.has("0"), damage.has("1"), damage.has("one more")], [true, false, true]);
  clock.advance(KNOWN_DAMAGE_MS);
  assertEquals([damage.has("0"), damage.has("one more")], [false, false]);
});
