import { assertEquals } from "@std/assert";
import { ulid } from "ulid";
import { createSluice } from "../../client/mod.ts";
import { FileUploadService } from "../../gen/sluice/v1/file_upload_pb.ts";
import { MIB } from "../../limits.ts";
import { download } from "../support/ask.ts";
import { chunksOf, sha256, textBytes } from "../support/chunks.ts";
import { startServer } from "../support/server.ts";
import { receipt, send } from "../support/wire.ts";

const { uploadFile } = FileUploadService.method;

for (const blobs of ["file", "kv"]) {
  Deno.test(`resume: a server that is killed, and the next one reads again what it has (${blobs})`, async () => {
    const data = textBytes(20 * MIB + 123, 2);
    const chunks = chunksOf(data, { name: "killed.csv", checksums: true });
    const headers = { "sluice-stream-id": ulid() };
    const dir = await Deno.makeTempDir({ prefix: "sluice-test-" });
    const options = { dir, env: { SLUICE_BLOBS: blobs === "kv" ? "kv:" : `file:${dir}/blobs` } };
    try {
      {
        await using first = await startServer(options);
        const { committed } = await receipt(send(first.url, uploadFile, chunks.slice(0, 377), { headers }));
        assertEquals(committed, 377n * 32n * 1024n);
        first.kill("SIGKILL");
        await first.ended;
      }
      await using second = await startServer(options);
      const result = await receipt(send(second.url, uploadFile, chunks.slice(370), { headers }));
      assertEquals([result.checksum, result.chunkCount], [sha256(data), BigInt(chunks.length)]);
      assertEquals(sha256(await download(createSluice({ url: second.url }), result.fileId)), sha256(data));
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  });
}
