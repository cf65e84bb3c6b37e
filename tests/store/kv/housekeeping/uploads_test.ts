import { assertEquals, assertRejects } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { ulid } from "ulid";
import { StreamRecordSchema, StreamState } from "../../../../gen/sluice/store/v1/records_pb.ts";
import { DAY, HOUR } from "../../../../limits.ts";
import { FORMAT } from "../../../../store/format/value.ts";
import { streamKey } from "../../../../store/kv/keys.ts";
import { decodeRecord } from "../../../../store/kv/records.ts";
import { createStreamStore } from "../../../../store/kv/streams.ts";
import { openHouse, SETTINGS, START } from "../../../support/house.ts";

Deno.test("Housekeeping: an upload that stood still takes its stream along, in one step", async () => {
  using store = await openHouse();
  const a = store.instance("a");
  const [blobId, began] = [ulid(START - 3 * DAY), START + HOUR];
  const streamId = `up-${ulid(began)}`;
  await store.claim(blobId, START - 1, { epoch: 3, streamId, pieces: [{ epoch: 1, length: 1n }] });
  await store.stream("file", streamId, START + DAY, { upload: { blobId, fileName: "a.txt" }, committed: 1n });
  for (const epoch of [1, 2, 3]) await store.piece(blobId, epoch);
  assertEquals((await a.round()).uploads, 1);
  assertEquals(await store.pieces(), []);
  assertEquals(await store.keys(), [`rejections/t/file/${streamId}`, `stream/t/file/${streamId}`, "streams/t"]);
  const { value } = await store.db.get<Uint8Array>(streamKey("t", "file", streamId));
  const record = decodeRecord(StreamRecordSchema, FORMAT.stream, began + SETTINGS.streamLifetime - 1, value);
  assertEquals([record?.state, record?.commitId, record?.committed], [StreamState.EXPIRED, "c", 1n]);
  assertEquals(decodeRecord(StreamRecordSchema, FORMAT.stream, began + SETTINGS.streamLifetime, value), undefined);
  const streams = createStreamStore({ ...a, newId: () => ulid(), maxStreams: 10, streamLifetime: 7 * DAY });
  const call = { id: streamId, beganAt: began, start: 0, end: undefined };
  const error = await assertRejects(() => streams.open("t", "file", call), ConnectError);
  assertEquals(error.code, Code.FailedPrecondition);
});

Deno.test("Housekeeping: an upload that goes on at the last moment is not swept", async () => {
  using store = await openHouse();
  const [blobId, streamId] = [ulid(START - 3 * DAY), ulid(START - 3 * DAY)];
  const move = async (expires: number) => {
    await store.claim(blobId, expires, { epoch: 1, streamId, pieces: [{ epoch: 1, length: 1n }] });
    await store.stream("file", streamId, START + DAY, { upload: { blobId } });
  };
  const a = store.instance("a", async (commit, n) => {
    // Between what the round has read and its atomic operation.
    if (n === 1) await move(START + DAY);
    return await commit();
  });
  await move(START - 1);
  await store.piece(blobId, 1);
  assertEquals((await a.round()).uploads, 0);
  assertEquals(await store.pieces(), [`${blobId}.1`]);
  const { value } = await store.db.get<Uint8Array>(streamKey("t", "file", streamId));
  assertEquals(decodeRecord(StreamRecordSchema, FORMAT.stream, 0, value)?.state, StreamState.OPEN);
});

Deno.test("Housekeeping: an upload goes without its stream's record, stays if that is damaged, and leaves a foreign one alone", async () => {
  using store = await openHouse();
  const a = store.instance("a");
  const ids = Array.from({ length: 3 }, (_, i) => ulid(START - 3 * DAY + i));
  const [gone, damaged, foreign] = ids;
  for (const id of ids) {
    await store.claim(id, START - 1, { epoch: 1, streamId: id });
    await store.piece(id, 1);
  }
  const damagedKey = streamKey("t", "file", damaged);
  await store.db.set(damagedKey, new Uint8Array(20));
  await store.stream("file", foreign, START + DAY, { upload: { blobId: gone } });
  const before = await store.db.get(streamKey("t", "file", foreign));
  assertEquals((await a.round()).uploads, 2);
  assertEquals(await store.pieces(), [`${damaged}.1`]);
  assertEquals(new Set(a.damaged), new Set([damagedKey.join("/")]));
  assertEquals(await store.db.get(streamKey("t", "file", foreign)), before);
});
