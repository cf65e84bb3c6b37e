import { assert, assertEquals } from "@std/assert";
import { createSluice } from "../../client/mod.ts";
import { DataPointSchema } from "../../gen/sluice/v1/data_collection_pb.ts";
import { FileChunkSchema } from "../../gen/sluice/v1/file_upload_pb.ts";
import { type ChunkInit, chunksOf, textBytes } from "../support/chunks.ts";
import { keysIn, piecesIn } from "../support/data_dir.ts";
import { startServer } from "../support/server.ts";
import { sharedServer } from "../support/shared_server.ts";
import { until } from "../support/until.ts";
import { encode, envelope } from "../support/wire.ts";

const SWEEP = { SLUICE_UPLOAD_EXPIRY_SECONDS: "1", SLUICE_HOUSEKEEPING_SECONDS: "1" };
const server = await sharedServer({ env: SWEEP });

/** The head of a streaming call over a connection that the test can cut. */
async function beginCall(url: string, path: string): Promise<{ write(body: Uint8Array): Promise<void>; cut(): void }> {
  const { hostname, port } = new URL(url);
  const connection = await Deno.connect({ hostname, port: Number(port) });
  const writeAll = async (bytes: Uint8Array) => {
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await connection.write(rest));
  };
  const head = `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/connect+proto\r\n` +
    `transfer-encoding: chunked\r\n\r\n`;
  await writeAll(new TextEncoder().encode(head));
  return {
    async write(body) {
      await writeAll(new TextEncoder().encode(`${body.length.toString(16)}\r\n`));
      await writeAll(body);
      await writeAll(new TextEncoder().encode("\r\n"));
    },
    cut: () => connection.close(),
  };
}

const chunkBytes = (chunk: ChunkInit) => envelope(encode(FileChunkSchema, chunk, "connect+proto"));

async function isEmpty(dir: string): Promise<boolean> {
  return (await piecesIn(dir)).length === 0 && (await keysIn(dir, "file", "blob", "blocks")).length === 0;
}

Deno.test("a client that vanishes mid-file: no piece and no metadata remain", async () => {
  const call = await beginCall(server.url, "/sluice.v1.FileUploadService/UploadFile");
  const chunks = chunksOf(textBytes(8 * 1024 * 1024), { checksums: true });
  for (const chunk of chunks.slice(0, chunks.length / 2)) await call.write(chunkBytes(chunk));
  await until(async () => (await piecesIn(server.dir)).length === 1, 10_000);
  call.cut();
  await until(() => isEmpty(server.dir), 15_000);
  assertEquals((await createSluice({ url: server.url }).files.list()).files, []);
});

Deno.test("a client that vanishes inside of a chunk: no piece and no metadata remain", async () => {
  const call = await beginCall(server.url, "/sluice.v1.FileUploadService/UploadFile");
  const chunks = chunksOf(textBytes(200_000)).map(chunkBytes);
  await call.write(chunks[0]);
  await call.write(chunks[1]);
  await until(async () => (await piecesIn(server.dir)).length === 1, 10_000);
  await call.write(chunks[2].subarray(0, 1000));
  call.cut();
  await until(() => isEmpty(server.dir), 15_000);
});

Deno.test("a client that vanishes from a stream of points: what was stored by then stays", async () => {
  const call = await beginCall(server.url, "/sluice.v1.DataCollectionService/CollectDataPoints");
  const sluice = createSluice({ url: server.url });
  const sent = 2500;
  for (let i = 0; i < sent; i++) {
    const point = { source: "vanished", timestamp: BigInt(Date.now()), metrics: { x: i } };
    await call.write(envelope(encode(DataPointSchema, point, "connect+proto")));
  }
  const count = async () => {
    const { series } = await sluice.queryMetrics({ source: "vanished", metric: "x" });
    return Number(series[0]?.buckets[0].count ?? 0);
  };
  const stored = await until(count, 15_000);
  call.cut();
  const { successfulCount } = await sluice.sendPoints([{ source: "other", timestamp: Date.now(), metrics: { x: 1 } }]);
  assertEquals(successfulCount, 1);
  const kept = await count();
  assert(kept >= stored && kept <= sent, `${stored} were stored, and ${kept} are left`);
  assert(!server.stderr().includes('"level":"error"'), server.stderr());
});

Deno.test("a server killed mid-file: the sweep of the next one removes piece and claim", async () => {
  const dir = await Deno.makeTempDir({ prefix: "sluice-test-" });
  try {
    {
      await using killed = await startServer({ dir, env: SWEEP });
      const call = await beginCall(killed.url, "/sluice.v1.FileUploadService/UploadFile");
      const chunks = chunksOf(textBytes(4 * 1024 * 1024));
      for (const chunk of chunks.slice(0, 100)) await call.write(chunkBytes(chunk));
      await until(async () => (await piecesIn(dir)).length === 1, 10_000);
      killed.kill("SIGKILL");
      await killed.ended;
      call.cut();
    }
    assert(!await isEmpty(dir));
    await using next = await startServer({ dir, env: SWEEP });
    await until(() => isEmpty(dir), 15_000);
    assertEquals((await createSluice({ url: next.url }).files.list()).files, []);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
