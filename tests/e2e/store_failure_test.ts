import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { create, toBinary } from "@bufbuild/protobuf";
import { statfs } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { Code, ConnectError, createSluice, type Sluice, type SluiceError } from "../../client/mod.ts";
import { FileChunkSchema, FileUploadService } from "../../gen/sluice/v1/file_upload_pb.ts";
import { GIB, KV_TIMEOUT_MS, MIB } from "../../limits.ts";
import { sha256, textBytes } from "../support/chunks.ts";
import { keysIn } from "../support/data_dir.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { envelope, receipt, retryInfo, sendBody } from "../support/wire.ts";

const now = Date.now();
const point = (source: string) => ({ source, timestamp: now, metrics: { x: 1 } });
const entry = (application: string) => ({ application, timestamp: now, message: "hello" });

/** UNAVAILABLE, with RetryInfo. */
async function assertUnavailable(call: () => Promise<unknown>): Promise<ConnectError> {
  const error = await assertRejects(call, ConnectError);
  assertEquals(Code[error.code], "Unavailable", error.message);
  assert(retryInfo(error) !== undefined, error.message);
  return error;
}

async function countPoints(sluice: Sluice, source: string): Promise<number> {
  const { series } = await sluice.queryMetrics({ source, metric: "x" });
  return series.reduce((sum, { buckets }) => sum + Number(buckets[0].count), 0);
}

async function countLogs(sluice: Sluice, application: string): Promise<number> {
  return (await sluice.searchLogs({ application })).hits.length;
}

async function download(sluice: Sluice, id: string): Promise<Uint8Array> {
  return new Uint8Array(await new Response(sluice.files.download(id)).arrayBuffer());
}

async function readiness(url: string): Promise<number> {
  const response = await fetch(`${url}/readyz`);
  await response.body?.cancel();
  return response.status;
}

Deno.test("blobs directory gone: uploads are UNAVAILABLE, the rest works, and it recovers", async () => {
  await using server = await startServer();
  const sluice = createSluice({ url: server.url, retry: false });
  const blobs = `${server.dir}/blobs`;
  const data = textBytes(2 * MIB);
  const before = await sluice.uploadFile(data, { name: "before.csv" });

  await Deno.rename(blobs, `${blobs}.away`);
  await Deno.writeTextFile(blobs, "not a directory");
  const broken = await assertUnavailable(() => sluice.uploadFile(data, { name: "during.csv" }));
  await assertUnavailable(() => sluice.uploadFile(textBytes(1), { name: "small.csv" }));
  await assertUnavailable(() => download(sluice, before.fileId));
  assertEquals((await sluice.sendPoints([point("a")])).successfulCount, 1);
  assertEquals((await sluice.files.list()).files.map(({ fileName }) => fileName), ["before.csv"]);

  await Deno.remove(blobs);
  await Deno.rename(`${blobs}.away`, blobs);
  const during = await sluice.uploadFile(data, { name: "during.csv", streamId: (broken as SluiceError).streamId });
  const after = await sluice.uploadFile(data, { name: "after.csv" });
  for (const { fileId } of [before, during, after]) {
    assertEquals(sha256(await download(sluice, fileId)), sha256(data));
  }
  // That of the small one waits to be gone on with.
  assertEquals((await keysIn(server.dir, "blob")).length, 4);
});

Deno.test("KV locked: UNAVAILABLE in time, /readyz 503, and what was acknowledged is there afterwards", async () => {
  await using server = await startServer();
  const sluice = createSluice({ url: server.url, retry: false });
  const data = textBytes(100_000);
  const before = await sluice.uploadFile(data, { name: "before.csv" });
  assertEquals((await sluice.sendPoints([point("before")])).successfulCount, 1);
  assertEquals((await sluice.sendLogs([entry("before")])).indexedCount, 1);
  assertEquals(await readiness(server.url), 200);

  const began = performance.now();
  {
    using lock = new DatabaseSync(`${server.dir}/kv.sqlite`);
    lock.exec("BEGIN EXCLUSIVE");
    await Promise.all([
      assertUnavailable(() => sluice.uploadFile(data, { name: "during.csv" })),
      assertUnavailable(() => sluice.sendPoints([point("during")])),
      assertUnavailable(() => sluice.sendLogs([entry("during")])),
    ]);
    // Points and logs wait for one another's commits, each of which takes its deadline and a look at what became of it.
    assertLess(performance.now() - began, 8 * KV_TIMEOUT_MS);
    assertEquals(await readiness(server.url), 503);
    lock.exec("ROLLBACK");
  }

  await until(async () => await readiness(server.url) === 200, 20_000);
  assertEquals((await sluice.sendPoints([point("after")])).successfulCount, 1);
  assertEquals((await sluice.sendLogs([entry("after")])).indexedCount, 1);
  const after = await sluice.uploadFile(data, { name: "after.csv" });
  for (const name of ["before", "after"]) {
    assertEquals(await countPoints(sluice, name), 1);
    assertEquals(await countLogs(sluice, name), 1);
  }
  for (const { fileId } of [before, after]) assertEquals(sha256(await download(sluice, fileId)), sha256(data));
});

Deno.test("free-space floor: writes are UNAVAILABLE, reads and deleting work, and it recovers", async () => {
  const dir = await makeQuietDir();
  const ballast = `${dir}/ballast`;
  try {
    const { bavail, bsize } = await statfs(dir);
    // Others use the disk too: the floor is as far from what is free as from what is left under the ballast.
    const floor = bavail * bsize - 150 * MIB;
    await using server = await startServer({ dir, env: { SLUICE_MIN_FREE_BYTES: String(floor) } });
    const sluice = createSluice({ url: server.url, retry: false });
    const data = textBytes(2 * MIB);
    const [kept, deleted] = [
      await sluice.uploadFile(data, { name: "kept.csv" }),
      await sluice.uploadFile(data, { name: "deleted.csv" }),
    ];
    await sluice.sendPoints([point("kept")]);
    await sluice.sendLogs([entry("kept")]);

    await fill(ballast, 300 * MIB);
    await until(async () => await readiness(server.url) === 503, 10_000);
    await assertUnavailable(() => sluice.uploadFile(data, { name: "refused.csv" }));
    await assertUnavailable(() => sluice.sendPoints([point("refused")]));
    await assertUnavailable(() => sluice.sendLogs([entry("refused")]));
    assertEquals(sha256(await download(sluice, kept.fileId)), sha256(data));
    assertEquals([await countPoints(sluice, "kept"), await countLogs(sluice, "kept")], [1, 1]);
    await sluice.files.delete(deleted.fileId);

    await Deno.remove(ballast);
    await until(async () => await readiness(server.url) === 200, 10_000);
    assertEquals((await sluice.sendPoints([point("after")])).successfulCount, 1);
    assertEquals((await sluice.sendLogs([entry("after")])).indexedCount, 1);
    await sluice.uploadFile(data, { name: "after.csv" });
    assertEquals([await countPoints(sluice, "refused"), await countLogs(sluice, "refused")], [0, 0]);
    assertEquals((await sluice.files.list()).files.map(({ fileName }) => fileName), ["after.csv", "kept.csv"]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("free-space floor: an upload without an id that runs into it is UNAVAILABLE and leaves nothing", async () => {
  const dir = await makeQuietDir();
  try {
    const { bavail, bsize } = await statfs(dir);
    const floor = bavail * bsize - 150 * MIB;
    await using server = await startServer({ dir, env: { SLUICE_MIN_FREE_BYTES: String(floor) } });
    const body = ReadableStream.from(untilFull(dir));
    await assertUnavailable(() => receipt(sendBody(server.url, FileUploadService.method.uploadFile, body)));
    assertEquals(await keysIn(dir, "blob", "file"), []);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

/** A directory on a disk that little else is written to: shared memory, where there is enough of it. */
async function makeQuietDir(): Promise<string> {
  const options = { prefix: "sluice-test-" };
  const shared = await statfs("/dev/shm").catch(() => undefined);
  if (!shared || shared.bavail * shared.bsize < 2 * GIB) return await Deno.makeTempDir(options);
  return await Deno.makeTempDir({ ...options, dir: "/dev/shm" });
}

/** The body of an upload that goes on while the disk fills up. */
async function* untilFull(dir: string): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const data = textBytes(MIB);
  let offset = 0;
  const chunk = () => {
    const message = create(FileChunkSchema, { fileName: "endless.csv", data, offset: BigInt(offset) });
    offset += data.length;
    return envelope(toBinary(FileChunkSchema, message));
  };
  yield chunk();
  await fill(`${dir}/ballast`, 300 * MIB);
  const deadline = performance.now() + 20_000;
  while (performance.now() < deadline) {
    yield chunk();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Writes so many bytes, which are allocated: nothing but zeros might be a hole. */
async function fill(path: string, bytes: number): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  const part = textBytes(8 * MIB);
  for (let left = bytes; left > 0; left -= part.length) {
    for (let rest = part; rest.length > 0;) rest = rest.subarray(await file.write(rest));
  }
  // Some file systems count only what has reached the disk.
  await file.sync();
}
