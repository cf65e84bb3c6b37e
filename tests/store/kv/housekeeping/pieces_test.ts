import { assertEquals } from "@std/assert";
import { ulid } from "ulid";
import { FileRecordSchema } from "../../../../gen/sluice/store/v1/records_pb.ts";
import { DAY } from "../../../../limits.ts";
import { FORMAT } from "../../../../store/format/value.ts";
import { fileKey } from "../../../../store/kv/keys.ts";
import { encodeRecord } from "../../../../store/kv/records.ts";
import { openHouse, START } from "../../../support/house.ts";

Deno.test("Housekeeping removes the pieces of writers that lost, and none that may be named", async () => {
  using store = await openHouse();
  const a = store.instance("a");
  const [file, upload, old] = Array.from({ length: 3 }, (_, i) => ulid(START - 3 * DAY + i));
  const pieces = [{ epoch: 2, length: 1n }, { epoch: 4, length: 1n }];
  await store.claim(file, 0, { finished: true, epoch: 4, pieces });
  await store.db.set(fileKey("t", file), encodeRecord(FileRecordSchema, FORMAT.file, 0, { pieces }));
  await store.claim(upload, START + DAY, { epoch: 5, pieces });
  // A file whose claim does not say: the file itself does.
  await store.claim(old, 0, { finished: true, epoch: 9 });
  await store.db.set(fileKey("t", old), encodeRecord(FileRecordSchema, FORMAT.file, 0, { pieces }));
  for (const id of [file, upload, old]) for (let epoch = 1; epoch <= 5; epoch++) await store.piece(id, epoch);
  assertEquals((await a.round()).pieces, 8);
  assertEquals(await store.pieces(), [
    ...[2, 4].map((epoch) => `${file}.${epoch}`),
    ...[2, 4, 5].map((epoch) => `${upload}.${epoch}`),
    ...[2, 4].map((epoch) => `${old}.${epoch}`),
  ]);
  // A file that cannot be read keeps everything.
  await store.piece(file, 1);
  await store.db.set(fileKey("t", file), new Uint8Array(20));
  assertEquals((await a.round()).pieces, 0);
});
