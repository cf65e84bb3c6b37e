import { assertEquals, assertRejects } from "@std/assert";
import { Code, ConnectError, createSluice } from "../../client/mod.ts";
import { MIB } from "../../limits.ts";
import { download } from "../support/ask.ts";
import { textBytes } from "../support/chunks.ts";
import { keysIn, piecesIn } from "../support/data_dir.ts";
import { sharedServer } from "../support/shared_server.ts";
import { until } from "../support/until.ts";

const server = await sharedServer();
const sluice = createSluice({ url: server.url });

Deno.test("FileUpload: a file is seen only when it is complete", async () => {
  const data = textBytes(3 * MIB);
  const half = Promise.withResolvers<void>();
  async function* pieces() {
    yield data.subarray(0, 2 * MIB);
    await half.promise;
    yield data.subarray(2 * MIB);
  }
  const sending = sluice.uploadFile(pieces(), { name: "slow.csv" });
  await until(async () => (await piecesIn(server.dir)).length === 1, 15_000);
  assertEquals((await sluice.files.list()).files, []);
  half.resolve();
  const { fileId } = await sending;
  assertEquals((await sluice.files.list()).files.map((file) => file.fileId), [fileId]);
  await sluice.files.delete(fileId);
});

Deno.test("DownloadFile: bytes that changed on the disk are DATA_LOSS, not an answer", async () => {
  const data = textBytes(1_500_000);
  const { fileId } = await sluice.uploadFile(data, { name: "rotten.csv" });
  const [piece] = await piecesIn(server.dir);
  const path = `${server.dir}/blobs/${fileId.slice(-2)}/${piece}`;
  const bytes = await Deno.readFile(path);
  bytes[1_200_000] ^= 1;
  await Deno.writeFile(path, bytes);
  assertEquals(await download(sluice, fileId, { length: 1000 }), data.subarray(0, 1000));
  const error = await assertRejects(() => download(sluice, fileId), ConnectError);
  assertEquals(Code[error.code], "DataLoss");
  await sluice.files.delete(fileId);
});

Deno.test("DeleteFile: the file and its bytes are gone", async () => {
  const { fileId } = await sluice.uploadFile(textBytes(2 * MIB), { name: "gone.csv" });
  await sluice.files.delete(fileId);
  const calls = [() => sluice.files.get(fileId), () => sluice.files.delete(fileId), () => download(sluice, fileId)];
  for (const call of [...calls, () => sluice.files.get("../../kv.sqlite"), () => sluice.files.get("")]) {
    const error = await assertRejects(call, ConnectError);
    assertEquals(Code[error.code], "NotFound");
  }
  assertEquals(await piecesIn(server.dir), []);
  assertEquals(await keysIn(server.dir, "file", "blob", "blocks"), []);
});
