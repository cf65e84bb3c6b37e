import { assert, assertEquals, assertGreater, assertLess, assertRejects } from "@std/assert";
import { fromBinary } from "@bufbuild/protobuf";
import { FileCutter } from "../../client/chunks.ts";
import { readEnvelopes } from "../../client/envelope.ts";
import { FileFeed } from "../../client/file_feed.ts";
import { FILE_WINDOW_MS } from "../../client/limits.ts";
import { createSluice, type FileSource, SluiceError } from "../../client/mod.ts";
import { RateLimit, type RateOptions } from "../../client/rate.ts";
import { SourceFailed } from "../../client/refused.ts";
import { openSource } from "../../client/source.ts";
import { type FileChunk, FileChunkSchema, FileUploadService } from "../../gen/sluice/v1/file_upload_pb.ts";
import { StreamService } from "../../gen/sluice/v1/stream_pb.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { until } from "../support/until.ts";
import { serveConnect } from "./fake_server.ts";

const CHUNK = 100_000;
const NAMED = { name: "a.txt", contentType: "", chunkSize: CHUNK, checksum: true };

async function feedOf(source: FileSource, rate: RateOptions = {}) {
  const clock = new FakeClock();
  const feed = new FileFeed(await openSource(source), { ...NAMED, clock, rate: new RateLimit(rate, clock) });
  await feed.ready();
  return { clock, feed };
}

async function chunksOf(body: ReadableStream<Uint8Array> | Blob): Promise<FileChunk[]> {
  const stream = body instanceof Blob ? body.stream() : body;
  return (await Array.fromAsync(readEnvelopes(stream))).map(({ data }) => fromBinary(FileChunkSchema, data));
}

/** A stream that gives so many bytes and then nothing more; it says when it is asked for what it has not. */
function stalling(bytes: number) {
  const [asked, cancelled] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (bytes > 0) controller.enqueue(new Uint8Array(bytes).fill(97));
      else asked.resolve();
      bytes = 0;
    },
    cancel: () => cancelled.resolve(),
  }, { highWaterMark: 0 });
  return { stream, asked: asked.promise, cancelled: cancelled.promise };
}

Deno.test("FileFeed: a streamed window is bounded in seconds, however fast its source is", async () => {
  const { clock, feed } = await feedOf(new Uint8Array(20 * CHUNK));
  const window = feed.open("stream", () => {});
  const slow = (window.body as ReadableStream<Uint8Array<ArrayBuffer>>).pipeThrough(
    new TransformStream(
      {
        transform(piece, controller) {
          clock.advance(FILE_WINDOW_MS / 10);
          controller.enqueue(piece);
        },
      },
      { highWaterMark: 1 },
      { highWaterMark: 0 },
    ),
  );
  const chunks = await chunksOf(slow);
  // The chunk that has been begun is sent to its end.
  assertGreater(chunks.length, 1);
  assertLess(chunks.length, 10);
  assert(chunks.every(({ data, isLastChunk }) => data.length === CHUNK && !isLastChunk));
  await window.made;

  feed.commit(chunks.length * CHUNK);
  await feed.ready();
  const rest = await chunksOf(await feed.open("windows", () => {}).body as Blob);
  assertEquals([chunks.length + rest.length, rest[0].offset], [20, BigInt(chunks.length * CHUNK)]);
  assertEquals(rest.at(-1)!.isLastChunk, true);
});

Deno.test("FileFeed: a window that nobody took anything of for its time has one part all the same", async () => {
  const { clock, feed } = await feedOf(new Uint8Array(5 * CHUNK));
  const { body } = feed.open("stream", () => {});
  clock.advance(FILE_WINDOW_MS);
  assertEquals((await chunksOf(body as ReadableStream<Uint8Array>)).length, 1);
});

Deno.test("FileFeed: a window that is stopped does not wait for the rate", async () => {
  for (const way of ["stream", "windows"] as const) {
    const { feed } = await feedOf(new Uint8Array(5 * CHUNK), { bytesPerSecond: 1 });
    const window = feed.open(way, () => {});
    const read = way === "stream" ? (window.body as ReadableStream).getReader().read() : window.body as Promise<Blob>;
    await until(() => feed.bytes > 0, 5000);
    window.stop(new Error("no more"));
    if (way === "stream") await assertRejects(() => read, Error, "no more");
    else assertLess((await read as Blob).size, CHUNK);
  }
});

Deno.test("FileFeed.release() ends what waits for the source, and cancels that", async () => {
  const clock = new FakeClock();
  const options = { ...NAMED, clock, rate: new RateLimit({}, clock) };
  for (const wait of ["ready", "skipTo"] as const) {
    const { stream, asked, cancelled } = stalling(10);
    const feed = new FileFeed(await openSource(stream), options);
    const waiting = wait === "ready" ? feed.ready() : feed.skipTo(20);
    await asked;
    feed.release();
    await waiting;
    await cancelled;
  }
  // What has not been read is the caller's no more either.
  const { stream, cancelled } = stalling(10);
  new FileFeed(await openSource(stream), options).release();
  await cancelled;

  // An iterator of the caller's own is told at once, too; a generator hears it when it goes on.
  const { promise: returned, resolve } = Promise.withResolvers<void>();
  const never = new Promise<never>(() => {});
  const iterable = { [Symbol.asyncIterator]: () => ({ next: () => never, return: () => (resolve(), never) }) };
  const feed = new FileFeed(await openSource(iterable), options);
  const waiting = feed.ready();
  feed.release();
  await waiting;
  await returned;
});

Deno.test("FileFeed.release(): a source that was cancelled has not come to its end", async () => {
  const { stream, asked } = stalling(10);
  const cutter = new FileCutter(await openSource(stream), NAMED);
  const next = cutter.next();
  await asked;
  cutter.close();
  await assertRejects(() => next, SourceFailed);

  const given = stalling(3 * CHUNK);
  const { feed } = await feedOf(given.stream);
  const window = feed.open("stream", () => {});
  const seen: Uint8Array[] = [];
  const read = (async () => {
    for await (const piece of window.body as ReadableStream<Uint8Array>) seen.push(piece);
  })();
  await given.asked;
  feed.release();
  await given.cancelled;
  await new Promise((resolve) => setTimeout(resolve, 10));
  window.stop(new Error("cancelled"));
  await assertRejects(() => read, Error, "cancelled");
  // Two chunks, and of the third it was not known whether it was the last.
  assertLess(seen.reduce((sum, { length }) => sum + length, 0), 3 * CHUNK);
});

Deno.test("uploadFile() of a source that stalls ends when it is cancelled, and at its deadline", async () => {
  await using server = serveConnect((router) => {
    router.service(FileUploadService, {
      async uploadFile(chunks) {
        for await (const _ of chunks);
        return {};
      },
    });
    router.service(StreamService, { getStream: () => ({ stream: { committed: 3n * BigInt(CHUNK) } }) });
  });
  for (const bytes of [0, 10 * CHUNK]) {
    // The prefix that is committed already stalls, or what comes after it.
    for (const streamId of bytes === 0 ? [undefined, "a-01KAJ7Z0W5Q3"] : [undefined]) {
      for (const reason of ["cancelled", "deadline"]) {
        const { stream, asked, cancelled } = stalling(bytes);
        const clock = new FakeClock();
        const abort = new AbortController();
        const sending = createSluice({ url: server.url, clock }).uploadFile(stream, {
          ...{ name: "a.txt", chunkSize: CHUNK, streamId },
          ...reason === "deadline" ? { deadlineMs: 5000 } : { signal: abort.signal },
        });
        await asked;
        if (reason === "deadline") clock.advance(5000);
        else abort.abort(new Error("enough"));
        assertEquals((await assertRejects(() => sending, SluiceError)).reason, reason);
        await cancelled;
      }
    }
  }
  const { stream, cancelled } = stalling(10);
  const signal = AbortSignal.abort(new Error("before"));
  await assertRejects(
    () => createSluice({ url: server.url }).uploadFile(stream, { name: "a.txt", signal }),
    SluiceError,
  );
  await cancelled;
});
