import {
  assert,
  assertEquals,
  assertGreater,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { Code, ConnectError } from "@connectrpc/connect";
import { createSluice, type FileSource, type Progress, SluiceError } from "../../client/mod.ts";
import { type FileChunk, FileUploadService } from "../../gen/sluice/v1/file_upload_pb.ts";
import { StreamService, StreamState } from "../../gen/sluice/v1/stream_pb.ts";
import { invalidArgument } from "../../errors.ts";
import { type FakeServer, serveConnect } from "./fake_server.ts";

/** Takes files, refuses those named bad-*, and keeps every chunk. */
function serveUploads(uploads: FileChunk[][], options: { checksum?: string; onCall?: () => Promise<void> } = {}) {
  return serveConnect((router) =>
    router.service(FileUploadService, {
      async uploadFile(chunks) {
        const seen: FileChunk[] = [];
        uploads.push(seen);
        await options.onCall?.();
        const hash = createHash("sha256");
        for await (const chunk of chunks) {
          if (chunk.fileName.startsWith("bad-")) throw invalidArgument("file_name", "is bad");
          seen.push(chunk);
          hash.update(chunk.data);
        }
        return {
          // Without its last chunk, it is a window.
          fileId: seen.at(-1)?.isLastChunk ? `id-${uploads.length}` : "",
          committed: seen.reduce((sum, chunk) => sum + BigInt(chunk.data.length), 0n),
          fileName: seen[0]?.fileName,
          totalSize: BigInt(seen.reduce((sum, chunk) => sum + chunk.data.length, 0)),
          checksum: options.checksum ?? hash.digest("hex"),
          status: "completed",
        };
      },
    })
  );
}

function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

function joined(chunks: FileChunk[]): Uint8Array {
  return new Uint8Array(Buffer.concat(chunks.map((chunk) => chunk.data)));
}

/** The bytes in pieces whose sizes have nothing to do with the chunks'. */
async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  // One buffer for all of them, as a careful producer would do.
  const buffer = new Uint8Array(777);
  for (let at = 0; at < bytes.length; at += buffer.length) {
    const piece = bytes.subarray(at, at + buffer.length);
    buffer.set(piece);
    yield buffer.subarray(0, piece.length);
  }
}

const CHUNK = 1000;

Deno.test("uploadFile() takes a path, a Blob, a File, bytes, a stream and an iterable", async () => {
  const path = await Deno.makeTempFile({ suffix: ".csv" });
  try {
    for (const size of [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK, 300_000]) {
      const bytes = new Uint8Array(size).map((_, i) => i * 31 + (i >> 8));
      await Deno.writeFile(path, bytes);
      const sources: [string, FileSource, boolean][] = [
        ["path", path, true],
        ["Blob", new Blob([bytes]), true],
        ["File", new File([bytes], "x.csv", { type: "text/csv" }), true],
        ["bytes", bytes, true],
        ["stream", ReadableStream.from(inPieces(bytes)) as ReadableStream<Uint8Array>, false],
        ["iterable", inPieces(bytes), false],
      ];
      for (const [kind, source, sized] of sources) {
        const uploads: FileChunk[][] = [];
        await using server = serveUploads(uploads);
        const what = `${kind} of ${size} bytes`;
        const result = await createSluice({ url: server.url }).uploadFile(source, { name: "x.csv", chunkSize: CHUNK });
        const [chunks] = uploads;
        assertEquals(result.checksum, sha256(bytes), what);
        assertEquals(joined(chunks), bytes, what);
        assertEquals(chunks.length, Math.max(1, Math.ceil(size / CHUNK)), what);
        for (const [i, chunk] of chunks.entries()) {
          const last = i === chunks.length - 1;
          assertEquals(chunk.offset, BigInt(i * CHUNK), what);
          assertEquals(chunk.totalSize, BigInt(sized ? size : 0), what);
          assertEquals(chunk.isLastChunk, last, what);
          assertEquals(chunk.checksum, sha256(chunk.data), what);
          assertEquals(chunk.fileChecksum, last ? sha256(bytes) : "", what);
          assertEquals(chunk.fileName, i === 0 ? "x.csv" : "", what);
          assertEquals(chunk.contentType, i === 0 && kind === "File" ? "text/csv" : "", what);
        }
      }
    }
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("uploadFile() takes the name from a path or a File, and needs one otherwise", async () => {
  const uploads: FileChunk[][] = [];
  await using server = serveUploads(uploads);
  const sluice = createSluice({ url: server.url });
  const dir = await Deno.makeTempDir();
  const path = `${dir}/r port.csv`;
  await Deno.writeTextFile(path, "a,b\n");
  assertEquals((await sluice.uploadFile(path)).fileName, "r port.csv");
  assertEquals((await sluice.uploadFile(new File(["a"], "f.txt"))).fileName, "f.txt");
  assertEquals((await sluice.uploadFile(path, { name: "other.csv" })).fileName, "other.csv");
  await assertRejects(() => sluice.uploadFile(new Uint8Array(1)), TypeError, "without a name");
  await assertRejects(() => sluice.uploadFile(new Blob()), TypeError, "without a name");
  await assertRejects(() => sluice.uploadFile(5 as unknown as string), TypeError, "a source is");
  await assertRejects(() => sluice.uploadFile(path, { chunkSize: 0 }), RangeError, "chunkSize");
  await assertRejects(() => sluice.uploadFile("/nowhere/x.csv"), Error, "ENOENT");
  assertEquals(uploads.length, 3);
  await Deno.remove(dir, { recursive: true });
});

Deno.test("uploadFile() without checksums sends none", async () => {
  const uploads: FileChunk[][] = [];
  await using server = serveUploads(uploads, { checksum: "whatever" });
  await createSluice({ url: server.url }).uploadFile(new Uint8Array(10), { name: "a.txt", checksum: false });
  assertEquals(uploads[0][0].checksum, "");
  assertEquals(uploads[0][0].fileChecksum, "");
});

Deno.test("uploadFile() tells progress in bytes", async () => {
  await using server = serveUploads([]);
  const progress: Progress[] = [];
  await createSluice({ url: server.url }).uploadFile(new Uint8Array(500_000), {
    name: "a.txt",
    chunkSize: 32 * 1024,
    onProgress: (p) => progress.push(p),
  });
  assertGreater(progress.length, 5);
  assert(progress.every(({ sent }, i) => sent <= 500_000 && (i === 0 || sent >= progress[i - 1].sent)));
  assertEquals(progress.at(-1)!.sent, 500_000);
  assertEquals(progress.at(-1)!.total, 500_000);
  assertEquals(progress.at(-1)!.committed, 500_000);
  const iterated = await Array.fromAsync(
    createSluice({ url: server.url }).uploadFile(new Uint8Array(5000), { name: "a.txt" }),
  );
  assertEquals(iterated.at(-1)!.committed, 5000);
  assertGreater(progress.at(-1)!.rate, 0);
});

Deno.test("uploadFile() tells that all is committed where only a question after the answer was lost says so", async () => {
  const upload = { fileId: "id", totalSize: 5000n, checksum: sha256(new Uint8Array(5000)) };
  await using server = serveConnect((router) => {
    router.service(FileUploadService, {
      async uploadFile(chunks) {
        for await (const _ of chunks);
        throw new ConnectError("the answer is lost", Code.Unavailable);
      },
    });
    router.service(StreamService, {
      getStream: () => ({ stream: { state: StreamState.FINISHED, result: { case: "upload", value: upload } } }),
    });
  });
  const sluice = createSluice({ url: server.url, random: () => 0 });
  // By the same run, and by another.
  for (const streamId of [undefined, "a-01KAJ7Z0W5Q3"]) {
    const progress = await Array.fromAsync(sluice.uploadFile(new Uint8Array(5000), { name: "a.txt", streamId }));
    assertEquals([progress.at(-1)!.sent, progress.at(-1)!.committed], [5000, 5000]);
  }
});

Deno.test("uploadFile() compares the receipt's checksum with its own", async () => {
  await using server = serveUploads([], { checksum: "00" });
  const error = await assertRejects(
    () => createSluice({ url: server.url }).uploadFile(new Uint8Array(10), { name: "a.txt" }),
    ConnectError,
  );
  assertEquals(error.code, Code.DataLoss);
});

Deno.test("uploadFile() fails with what the source throws, and stores nothing as complete", async () => {
  const uploads: FileChunk[][] = [];
  await using server = serveUploads(uploads);
  async function* failing() {
    yield new Uint8Array(3 * CHUNK);
    await Promise.resolve();
    throw new RangeError("the disk is gone");
  }
  const error = await assertRejects(
    () => createSluice({ url: server.url }).uploadFile(failing(), { name: "a.txt", chunkSize: CHUNK }),
    SluiceError,
    "the disk is gone",
  );
  assertEquals(error.reason, "source");
  assertInstanceOf(error.cause, RangeError);
  assert(uploads.flat().every((chunk) => !chunk.isLastChunk));
});

Deno.test("uploadFile() closes its source when the server refuses the file", async () => {
  await using server = serveUploads([]);
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  async function* endless() {
    try {
      while (true) yield new Uint8Array(100_000);
    } finally {
      close();
    }
  }
  const error = await assertRejects(
    () => createSluice({ url: server.url }).uploadFile(endless(), { name: "bad-a.txt" }),
    ConnectError,
  );
  assertEquals(error.code, Code.InvalidArgument);
  await closed;
});

Deno.test("uploadFiles() goes on after a failure and reports each file in order", async () => {
  const uploads: FileChunk[][] = [];
  await using server: FakeServer = serveUploads(uploads);
  const progress = new Map<number, number>();
  const outcomes = await createSluice({ url: server.url }).uploadFiles([
    new File(["one"], "1.txt"),
    { source: new Uint8Array(5), name: "bad-2.txt" },
    "/nowhere/3.txt",
    { source: new Uint8Array(7), name: "4.txt", contentType: "text/plain" },
  ], { maxConcurrency: 2, onProgress: (index, { sent }) => progress.set(index, sent) });

  assertEquals(outcomes.map(({ ok }) => ok), [true, false, false, true]);
  const [first, second, third, fourth] = outcomes;
  assert(first.ok && !second.ok && !third.ok && fourth.ok);
  assertEquals(first.result.fileName, "1.txt");
  assertEquals(ConnectError.from(second.error).code, Code.InvalidArgument);
  assertStringIncludes(String(third.error), "ENOENT");
  assertEquals(fourth.result.totalSize, 7n);
  assertEquals(progress.get(0), 3);
  assertEquals(progress.get(3), 7);
});

Deno.test("uploadFiles() keeps to maxConcurrency, and uses it", async () => {
  let running = 0;
  let most = 0;
  const { promise: three, resolve } = Promise.withResolvers<void>();
  await using server = serveUploads([], {
    onCall: async () => {
      most = Math.max(most, ++running);
      if (running === 3) resolve();
      await three;
      running--;
    },
  });
  const files = Array.from({ length: 10 }, (_, i) => new File([`${i}`], `${i}.txt`));
  const sluice = createSluice({ url: server.url });
  const outcomes = await sluice.uploadFiles(files, { maxConcurrency: 3 });
  assertEquals(outcomes.filter(({ ok }) => ok).length, 10);
  assertEquals(most, 3);
  await assertRejects(() => sluice.uploadFiles(files, { maxConcurrency: 0 }), RangeError, "maxConcurrency");
});
