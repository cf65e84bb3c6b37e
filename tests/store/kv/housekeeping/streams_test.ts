import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { ConnectError } from "@connectrpc/connect";
import { ulid } from "ulid";
import { StreamRecordSchema } from "../../../../gen/sluice/store/v1/records_pb.ts";
import { DAY, HOUSEKEEPING_PAGES, KV_LIST_BATCH, SECOND } from "../../../../limits.ts";
import { FORMAT } from "../../../../store/format/value.ts";
import { streamFloorKey, streamKey } from "../../../../store/kv/keys.ts";
import { encodeRecord } from "../../../../store/kv/records.ts";
import { createStreamStore } from "../../../../store/kv/streams.ts";
import { openHouse, START } from "../../../support/house.ts";

Deno.test("Housekeeping: a removed stream raises the floor and lowers the count; no clock brings it to life again", async () => {
  using store = await openHouse();
  const a = store.instance("a");
  const id = (ms: number) => `s-${ulid(START - ms)}`;
  const expired = Array.from({ length: 25 }, (_, i) => id(8 * DAY + i * SECOND));
  for (const name of expired) await store.stream("logs", name, START - 1);
  const kept = id(9 * DAY);
  await store.stream("logs", kept, START + 1);
  await store.stream("points", id(9 * DAY), START - 1, { tenant: "u" });
  const damaged = streamKey("t", "logs", id(10 * DAY));
  await store.db.set(damaged, new Uint8Array(20));

  assertEquals((await a.round()).streams, 26);
  assertEquals([await store.count("t"), await store.count("u")], [1, 0]);
  assertEquals([await store.floor("t"), await store.floor("u")], [START - 8 * DAY, START - 9 * DAY]);
  assertEquals(a.damaged, [damaged.join("/")]);
  assertEquals(
    (await store.keys()).filter((key) => /^(stream|open|rejections)\//.test(key)).sort(),
    [`open/t/logs/${kept}`, `rejections/t/logs/${kept}`, damaged.join("/"), `stream/t/logs/${kept}`].sort(),
  );
  const streams = createStreamStore({ ...a, newId: () => ulid(), maxStreams: 10, streamLifetime: 7 * DAY });
  a.clock.time -= 30 * DAY;
  for (const name of expired) {
    const call = { id: name, beganAt: a.clock.time, start: 0, end: undefined };
    const error = await assertRejects(() => streams.open("t", "logs", { ...call, beganAt: START - 8 * DAY }));
    assertInstanceOf(error, ConnectError);
  }
  // A floor never falls.
  a.clock.time = START + 2;
  assertEquals((await a.round()).streams, 1);
  assertEquals([await store.floor("t"), await store.count("t")], [START - 8 * DAY, 0]);
});

Deno.test("Housekeeping: a stream that goes on at the last moment keeps its record", async () => {
  using store = await openHouse();
  const name = ulid(START - 8 * DAY);
  const a = store.instance("a", async (commit, n) => {
    if (n === 1) {
      await store.db.set(
        streamKey("t", "logs", name),
        encodeRecord(StreamRecordSchema, FORMAT.stream, START + DAY, {}),
      );
    }
    return await commit();
  });
  await store.stream("logs", name, START - 1);
  assertEquals((await a.round()).streams, 0);
  assertEquals([await store.floor("t"), await store.count("t")], [-1, 1]);
});

Deno.test("Housekeeping: without a floor that can be read no record goes", async () => {
  using store = await openHouse();
  const a = store.instance("a");
  await store.stream("logs", ulid(START - 8 * DAY), START - 1);
  await store.db.set(streamFloorKey("t"), new Uint8Array(20));
  assertEquals((await a.round()).streams, 0);
  assertEquals([await store.count("t"), a.damaged], [1, ["floor/t"]]);
});

Deno.test("Housekeeping: more records than a round looks at take several", async () => {
  using store = await openHouse();
  const a = store.instance("a");
  const count = HOUSEKEEPING_PAGES * KV_LIST_BATCH;
  const record = encodeRecord(StreamRecordSchema, FORMAT.stream, START + DAY, {});
  for (let i = 0; i < count;) {
    const operation = store.db.atomic();
    for (let n = 0; n < 500; n++) operation.set(streamKey("a", "logs", `${i++}`.padStart(6, "0")), record);
    await operation.commit();
  }
  await store.stream("logs", ulid(START - 8 * DAY), START - 1, { tenant: "b" });
  assertEquals((await a.round()).streams, 0);
  assertEquals((await a.round()).streams, 1);
  await store.stream("logs", ulid(START - 8 * DAY), START - 1, { tenant: "A" });
  assertEquals((await a.round()).streams, 1);
});
