import { assertEquals, assertRejects } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { BLOCK_BYTES, HOUR } from "../../../limits.ts";
import { toLogColumns } from "../../../store/format/log_columns.ts";
import { makeSeries } from "../../../store/format/series.ts";
import { decodeValue, encodeValue } from "../../../store/format/value.ts";
import { fileKey } from "../../../store/kv/keys.ts";
import { EVERY_ENTRY } from "../../../store/log_condition.ts";
import { textBytes } from "../../support/chunks.ts";
import { NEVER, openTestStores } from "../../support/stores.ts";

type Stores = Awaited<ReturnType<typeof openTestStores>>;

const SERIES = [makeSeries("host", "cpu", {})];

/** A point and a log entry in each of the last three hours: three segments of each kind. */
async function fill(stores: Stores): Promise<void> {
  for (let i = 0; i < 3; i++) {
    const timestamp = stores.clock.now() - i * HOUR;
    const points = stores.points.writer("t");
    await points.refused(SERIES);
    await points.write({
      series: SERIES,
      timestamps: Float64Array.of(timestamp),
      ends: Int32Array.of(1),
      seriesOf: Int32Array.of(0),
      values: Float64Array.of(10 ** i),
    });
    await points.flush();
    const logs = stores.logs.writer("t");
    const entry = { application: "web", level: 2, timestamp, message: `entry ${i}`, fields: [] };
    await logs.write(toLogColumns([entry]));
    await logs.flush();
  }
}

/** Changes the value of the middle hour. */
async function change(stores: Stores, kind: string, fn: (value: Uint8Array) => Uint8Array | null): Promise<string> {
  const entries = await Array.fromAsync(stores.db.list<Uint8Array>({ prefix: [kind] }));
  const { key, value } = entries[1];
  const changed = fn(value.slice());
  if (changed) await stores.db.set(key, changed);
  else await stores.db.delete(key);
  return key.map(String).join("/");
}

const flip = (value: Uint8Array) => {
  value[value.length - 1] ^= 1;
  return value;
};

/** What no decoder takes, in an envelope that is right. */
const cut = (value: Uint8Array) => {
  const { format, expires, payload } = decodeValue(value);
  return encodeValue(format, expires, payload.subarray(0, payload.length - 1));
};

const query = async (stores: Stores) => {
  const { series, opened, damaged } = await stores.points.query("t", {
    tags: [],
    metric: "cpu",
    from: 0,
    to: stores.clock.now() + 1,
    step: 0,
    quantiles: [],
  }, NEVER);
  return { sum: series[0].buckets[0].sum, opened, damaged };
};

const search = async (stores: Stores, newestFirst = true) => {
  const { hits, damaged } = await stores.logs.search("t", {
    where: EVERY_ENTRY,
    from: 0,
    to: stores.clock.now() + 1,
    newestFirst,
    limit: 10,
  }, NEVER);
  return { messages: hits.map(({ message }) => message), damaged };
};

Deno.test("PointStore.query() leaves a damaged segment out, and counts it", async () => {
  for (const damage of [flip, cut]) {
    using stores = await openTestStores();
    await fill(stores);
    assertEquals(await query(stores), { sum: 111, opened: 3, damaged: 0 });
    const key = await change(stores, "points", damage);
    assertEquals(await query(stores), { sum: 101, opened: 2, damaged: 1 });
    assertEquals(stores.damaged, [key]);
  }
});

Deno.test("LogStore.search() leaves a damaged segment out, and counts it", async () => {
  for (const damage of [flip, cut]) {
    using stores = await openTestStores();
    await fill(stores);
    assertEquals(await search(stores), { messages: ["entry 0", "entry 1", "entry 2"], damaged: 0 });
    const key = await change(stores, "logs", damage);
    assertEquals(await search(stores), { messages: ["entry 0", "entry 2"], damaged: 1 });
    assertEquals(stores.damaged, [key]);
  }
});

Deno.test("LogStore.search() counts a segment that is missing under its index", async () => {
  using stores = await openTestStores();
  await fill(stores);
  const key = await change(stores, "logs", () => null);
  assertEquals(await search(stores, false), { messages: ["entry 2", "entry 0"], damaged: 1 });
  assertEquals(stores.damaged, [key]);
});

Deno.test("LogStore.search() reads a segment whose index is damaged, and counts it", async () => {
  using stores = await openTestStores();
  await fill(stores);
  const key = await change(stores, "logindex", flip);
  assertEquals(await search(stores), { messages: ["entry 0", "entry 1", "entry 2"], damaged: 1 });
  assertEquals(stores.damaged, [key]);
});

Deno.test("LogStore.search() counts a segment once that is damaged with its index", async () => {
  using stores = await openTestStores();
  await fill(stores);
  await change(stores, "logindex", flip);
  await change(stores, "logs", flip);
  assertEquals(await search(stores), { messages: ["entry 0", "entry 2"], damaged: 1 });
});

Deno.test("FileStore.read(): a damaged block is DATA_LOSS and reported, the others are given out", async () => {
  using stores = await openTestStores();
  const bytes = textBytes(3 * BLOCK_BYTES);
  const writer = await stores.files.writer("t");
  await writer.append(bytes);
  const { id } = await writer.finish({ name: "a.csv", contentType: "text/csv", chunkCount: 1 });
  await stores.blobs.remove(id, 1);
  const piece = await stores.blobs.create(id, 1);
  const damaged = bytes.slice();
  damaged[BLOCK_BYTES + 7] ^= 1;
  await piece.append(damaged);

  const read = async (start: number, end: number) => {
    const parts: Uint8Array[] = [];
    for await (const part of stores.files.read("t", id, { start, end }, NEVER)) parts.push(part.slice());
    return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
  };
  assertEquals(await read(0, BLOCK_BYTES), bytes.subarray(0, BLOCK_BYTES));
  assertEquals(await read(2 * BLOCK_BYTES, 3 * BLOCK_BYTES), bytes.subarray(2 * BLOCK_BYTES));
  const error = await assertRejects(() => read(BLOCK_BYTES + 100, BLOCK_BYTES + 200), ConnectError);
  assertEquals(error.code, Code.DataLoss);
  assertEquals(stores.damaged, [fileKey("t", id).join("/")]);
});
