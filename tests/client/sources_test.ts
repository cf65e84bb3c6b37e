import { assertEquals, assertGreaterOrEqual, assertRejects, assertStringIncludes } from "@std/assert";
import { Code, createSluice, type FileSource, type Sluice, SluiceError } from "../../client/mod.ts";
import { Random } from "../store/format/random.ts";
import { startProxy } from "../support/proxy.ts";
import { startServer, type TestServer } from "../support/server.ts";

const MIB = 1024 * 1024;

/** What a file that fails leaves behind: no file in the list, and bytes of a stream that can go on. */
async function failing(sluice: Sluice, source: FileSource, options: Parameters<Sluice["uploadFile"]>[1] = {}) {
  const error = await assertRejects(async () => await sluice.uploadFile(source, options), SluiceError);
  assertEquals((await sluice.files.list()).files, []);
  return error;
}

async function withFile(bytes: number, run: (path: string, sluice: Sluice, server: TestServer) => Promise<void>) {
  await using server = await startServer();
  const dir = await Deno.makeTempDir();
  try {
    const path = `${dir}/source.txt`;
    await Deno.writeFile(path, new Uint8Array(bytes).fill(97));
    await run(path, createSluice({ url: server.url }), server);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("uploadFile(): a path that is not there, a folder, and a file that may not be read", () =>
  withFile(10, async (path, sluice) => {
    for (const [source, says] of [[`${path}.no`, "ENOENT"], [path.replace(/\/[^/]*$/, ""), "EISDIR"]]) {
      const error = await failing(sluice, source);
      assertEquals([error.reason, error.committed, error.retryable], ["source", 0, false], error.message);
      assertStringIncludes(error.message, says);
      assertStringIncludes(error.hint, "Mend the cause");
    }
    // Whoever runs the tests as root may read everything.
    if (Deno.uid() === 0) return;
    await Deno.chmod(path, 0);
    assertStringIncludes((await failing(sluice, path)).message, "EACCES");
  }));

/** Does something to a file once the first bytes of it are sent. */
async function duringUpload(path: string, sluice: Sluice, change: () => Promise<void>) {
  let changed: Promise<void> | undefined;
  return await sluice.uploadFile(path, { onProgress: () => changed ??= change() }).then(
    (result) => result,
    (error: SluiceError) => error,
  );
}

Deno.test("uploadFile(): a file that shrinks while it is sent is not stored, and the error says why", () =>
  withFile(64 * MIB, async (path, sluice) => {
    const error = await duringUpload(path, sluice, () => Deno.truncate(path, MIB));
    if (!(error instanceof SluiceError)) throw new Error("it was stored");
    assertEquals([error.reason, error.retryable], ["source", false], error.message);
    assertStringIncludes(error.message, `it has ${MIB} bytes instead of ${64 * MIB}`);
    assertEquals((await sluice.files.list()).files, []);
    // What it is now goes by itself.
    assertEquals((await sluice.uploadFile(path)).totalSize, BigInt(MIB));
  }));

Deno.test("uploadFile(): a file that grows while it is sent is stored as it was when it was opened", () =>
  withFile(16 * MIB, async (path, sluice) => {
    const result = await duringUpload(path, sluice, async () => {
      await Deno.writeFile(path, new Uint8Array(MIB).fill(98), { append: true });
    });
    if (result instanceof SluiceError) throw result;
    assertEquals(result.totalSize, BigInt(16 * MIB));
  }));

Deno.test("uploadFile(): a file that vanishes while it is sent is read to its end, for it is open", () =>
  withFile(16 * MIB, async (path, sluice) => {
    const result = await duringUpload(path, sluice, () => Deno.remove(path));
    if (result instanceof SluiceError) throw result;
    assertEquals(result.totalSize, BigInt(16 * MIB));
  }));

Deno.test("uploadFile(): a file that is gone when some of it has to be sent again ends with what is stored of it", () =>
  withFile(32 * MIB, async (path, _sluice, server) => {
    const { port } = new URL(server.url);
    await using proxy = startProxy({
      ...{ port: Number(port), random: new Random(1), faults: ["cut"] },
      faultAfter: () => 10 * MIB,
    });
    const sluice = createSluice({ url: proxy.url });
    const error = await duringUpload(path, sluice, () => Deno.remove(path));
    if (!(error instanceof SluiceError)) throw new Error("it was stored");
    assertEquals([error.reason, error.retryable], ["source", false], error.message);
    assertStringIncludes(error.message, "ENOENT");
    const direct = createSluice({ url: server.url });
    assertEquals((await direct.files.list()).files, []);
    // It is there again.
    await Deno.writeFile(path, new Uint8Array(32 * MIB).fill(97));
    const rest = direct.uploadFile(path, { streamId: error.streamId });
    const first = (await rest[Symbol.asyncIterator]().next()).value;
    assertGreaterOrEqual(first?.committed ?? 0, error.committed!);
    assertEquals((await rest).totalSize, BigInt(32 * MIB));
  }));

Deno.test("uploadFile(): a stream that fails ends with its error, and goes on from what is stored", () =>
  withFile(10, async (_path, sluice) => {
    const data = new Uint8Array(3 * MIB).map((_, i) => 97 + i % 23);
    async function* pieces(fail: boolean) {
      for (let at = 0; at < data.length; at += 64 * 1024) {
        if (fail && at === 2 * MIB) throw new RangeError("the disk is gone");
        await Promise.resolve();
        yield data.subarray(at, at + 64 * 1024);
      }
    }
    for (const stream of [pieces(true), ReadableStream.from(pieces(true))]) {
      const name = "stream.txt";
      const error = await failing(sluice, stream as FileSource, { name });
      // A chunk may be the last one until there is another: so long it waits.
      const stored = 2 * MIB - 256 * 1024;
      assertEquals([error.code, error.reason, error.committed], [Code.Aborted, "source", stored], error.message);
      assertEquals((error.cause as Error).message, "the disk is gone");
      const { totalSize, fileId } = await sluice.uploadFile(pieces(false), { name, streamId: error.streamId });
      assertEquals(totalSize, BigInt(data.length));
      assertEquals(await new Response(sluice.files.download(fileId)).bytes(), data);
      await sluice.files.delete(fileId);
    }
  }));

Deno.test("uploadFile(): what is no source is a TypeError", async () => {
  const sluice = createSluice({ url: "http://127.0.0.1:1" });
  for (const source of [42, null, undefined, {}, ["a.txt"]]) {
    await assertRejects(async () => await sluice.uploadFile(source as unknown as FileSource, { name: "x" }), TypeError);
  }
  const bad = (async function* () {
    yield "text" as unknown as Uint8Array;
  })();
  const error = await assertRejects(async () => await sluice.uploadFile(bad, { name: "x" }), SluiceError);
  assertEquals([error.reason, error.cause instanceof TypeError], ["source", true]);
});
