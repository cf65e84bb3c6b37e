/** Downloads, followed logs and streamed metrics, where the answer does not come, or stops. */
import { assertEquals, assertGreater, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { createHash } from "node:crypto";
import { CALL_TIMEOUT_MS, FIRST_CONTACT_MS } from "../../client/limits.ts";
import { createSluice, type Sluice, SluiceError, type SluiceEvent, type SluiceOptions } from "../../client/mod.ts";
import { DownloadFileRequestSchema, FileChunkSchema } from "../../gen/sluice/v1/file_upload_pb.ts";
import { QueryMetricsResponseSchema, TailLogsResponseSchema } from "../../gen/sluice/v1/query_pb.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { envelope } from "./fake_server.ts";

const BYTES = new Uint8Array(100_000).map((_, i) => i * 7 + (i >> 9));
const CHUNK = 25_000;
const END = envelope(2, "{}");

/** The chunks of BYTES from an offset on, each an envelope. */
function chunksFrom(offset: number): Uint8Array<ArrayBuffer>[] {
  const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");
  const chunks = [];
  for (let at = offset; at < BYTES.length; at += CHUNK) {
    const data = BYTES.slice(at, at + CHUNK);
    const isLastChunk = at + CHUNK >= BYTES.length;
    const [checksum, fileChecksum] = [sha256(data), isLastChunk ? sha256(BYTES) : ""];
    const totalSize = BigInt(BYTES.length);
    const message = create(FileChunkSchema, {
      data,
      offset: BigInt(at),
      totalSize,
      checksum,
      isLastChunk,
      fileChecksum,
    });
    chunks.push(envelope(0, toBinary(FileChunkSchema, message)));
  }
  return chunks;
}

/** What comes of an answer's body; where it ends without END, nothing more comes. */
type Body = Iterable<Uint8Array<ArrayBuffer> | Error>;

/** A client whose answers are what the test says; `undefined` for none at all. */
function clientOf(
  answer: (call: number, request: Uint8Array) => Body | undefined,
  options: Partial<SluiceOptions> = {},
) {
  const clock = new FakeClock();
  const seen = { calls: 0, asked: Promise.withResolvers<void>(), cancelled: 0, ignoresSignal: false };
  const fetch = (_url: unknown, init: RequestInit = {}) => {
    const body = answer(seen.calls++, (init.body as Uint8Array).subarray(5));
    const aborted = new Promise<never>((_, reject) => {
      if (!seen.ignoresSignal) init.signal!.addEventListener("abort", () => reject(init.signal!.reason));
    });
    aborted.catch(() => {});
    const ask = () => {
      seen.asked.resolve();
      return aborted;
    };
    if (body === undefined) return ask();
    const rest = body[Symbol.iterator]();
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
      async pull(controller) {
        const { done, value } = rest.next();
        const next = done ? await ask() : value;
        if (next instanceof Error) return controller.error(next);
        controller.enqueue(next);
        if (next === END) controller.close();
      },
      cancel: () => void seen.cancelled++,
    }, { highWaterMark: 0 });
    return Promise.resolve(new Response(stream, { headers: { "content-type": "application/connect+proto" } }));
  };
  const sluice = createSluice({
    url: "http://127.0.0.1:1",
    clock,
    fetch: fetch as typeof globalThis.fetch,
    ...options,
  });
  return { clock, seen, sluice };
}

function offsetOf(request: Uint8Array): number {
  return Number(fromBinary(DownloadFileRequestSchema, request).offset);
}

type Ask = (sluice: Sluice, options?: { deadlineMs: number }) => Promise<unknown>;

const ASKS: Record<string, Ask> = {
  download: (sluice, options) => new Response(sluice.files.download("f", options)).bytes(),
  tailLogs: (sluice, options) => Array.fromAsync(sluice.tailLogs({}, options)),
  streamMetrics: (sluice, options) => Array.fromAsync(sluice.streamMetrics({ metric: "a" }, options)),
};

Deno.test("download(), tailLogs() and streamMetrics() do not wait for ever for an answer", async () => {
  for (const [name, ask] of Object.entries(ASKS)) {
    // No headers, or nothing after them.
    for (const body of [undefined, []]) {
      const slow = clientOf(() => body, { retry: false });
      const asking = ask(slow.sluice);
      await slow.seen.asked.promise;
      slow.clock.advance(CALL_TIMEOUT_MS);
      const error = await assertRejects(() => asking, SluiceError, `Nothing came within ${CALL_TIMEOUT_MS} ms`);
      assertEquals([error.reason, error.code, error.retryable], ["connection", Code.DeadlineExceeded, true], name);

      const late = clientOf(() => body);
      const asked = ask(late.sluice, { deadlineMs: 1000 });
      await late.seen.asked.promise;
      late.clock.advance(1000);
      assertEquals((await assertRejects(() => asked, SluiceError)).reason, "deadline", name);
    }
  }
});

Deno.test("The deadline of a client is one for retries of download() and tailLogs(), too", async () => {
  for (const ask of [ASKS.download, ASKS.tailLogs]) {
    const { clock, sluice } = clientOf(() => [new TypeError("cut")], {
      deadlineMs: 2000,
      onEvent: (event) => event.type === "retry" && setTimeout(() => clock.advance(event.waitMs)),
    });
    assertEquals((await assertRejects(() => ask(sluice), SluiceError)).reason, "deadline");
    assertLess(clock.elapsed(), 2000);
  }
});

Deno.test("download() goes on where its answer stops coming, and the time of its reader does not count", async () => {
  const offsets: number[] = [];
  const { clock, seen, sluice } = clientOf((call, request) => {
    offsets.push(offsetOf(request));
    const chunks = chunksFrom(offsets.at(-1)!);
    // Of the third chunk, only some bytes come.
    return call === 0 ? [...chunks.slice(0, 2), chunks[2].slice(0, 100)] : [...chunks, END];
  }, { onEvent: (event) => event.type === "retry" && setTimeout(() => clock.advance(event.waitMs)) });
  const reader = sluice.files.download("f").getReader();
  assertEquals((await reader.read()).value, BYTES.slice(0, CHUNK));
  clock.advance(10 * CALL_TIMEOUT_MS);
  assertEquals((await reader.read()).value, BYTES.slice(CHUNK, 2 * CHUNK));
  const third = reader.read();
  await seen.asked.promise;
  clock.advance(CALL_TIMEOUT_MS);
  assertEquals((await third).value, BYTES.slice(2 * CHUNK, 3 * CHUNK));
  assertEquals((await reader.read()).value, BYTES.slice(3 * CHUNK));
  assertEquals((await reader.read()).done, true);
  assertEquals([offsets, seen.cancelled], [[0, 2 * CHUNK], 0]);
});

Deno.test("download(): a message that comes bit by bit is slow, and not silent", async () => {
  const [message] = chunksFrom(BYTES.length - CHUNK);
  function* slowly() {
    for (let at = 0; at < message.length; at += 500) {
      clock.advance(CALL_TIMEOUT_MS / 2);
      yield message.slice(at, at + 500);
    }
    yield END;
  }
  const { clock, sluice } = clientOf(slowly, { retry: false });
  const { files } = sluice;
  assertEquals(await new Response(files.download("f", { offset: 3 * CHUNK })).bytes(), BYTES.slice(3 * CHUNK));
  assertGreater(clock.elapsed(), 10 * CALL_TIMEOUT_MS);
});

Deno.test("tailLogs() may be silent once it has begun, streamMetrics() may not", async () => {
  const first = envelope(0, toBinary(TailLogsResponseSchema, create(TailLogsResponseSchema)));
  const tail = clientOf(() => [first], { deadlineMs: 5000 });
  const hits = tail.sluice.tailLogs()[Symbol.asyncIterator]();
  await hits.next();
  const next = hits.next();
  await tail.seen.asked.promise;
  tail.clock.advance(10 * CALL_TIMEOUT_MS);
  tail.sluice.close();
  assertEquals((await assertRejects(() => next, SluiceError)).reason, "closed");

  const part = envelope(0, toBinary(QueryMetricsResponseSchema, create(QueryMetricsResponseSchema)));
  const { clock, seen, sluice } = clientOf(() => [part]);
  const parts = sluice.streamMetrics({ metric: "a" })[Symbol.asyncIterator]();
  await parts.next();
  const nextPart = parts.next();
  await seen.asked.promise;
  clock.advance(CALL_TIMEOUT_MS);
  assertStringIncludes((await assertRejects(() => nextPart, SluiceError)).message, "Nothing came");
});

Deno.test("download(): an outage in the middle is borne for as long as of a server that is known", async () => {
  const waits: SluiceEvent[] = [];
  const { clock, sluice } = clientOf((call, request) => {
    const chunks = chunksFrom(offsetOf(request));
    if (call === 0) return [chunks[0], new TypeError("cut")];
    return clock.elapsed() < 3 * FIRST_CONTACT_MS ? [new TypeError("away")] : [...chunks, END];
  }, {
    onEvent(event) {
      if (event.type !== "retry") return;
      waits.push(event);
      setTimeout(() => clock.advance(event.waitMs));
    },
  });
  assertEquals(await new Response(sluice.files.download("f")).bytes(), BYTES);
  assertGreater(waits.length, 3);
});

Deno.test("download() that is cancelled between two pieces lets go of its answer", async () => {
  for (const how of ["cancel", "signal", "close"]) {
    const { seen, sluice } = clientOf(() => [...chunksFrom(0), END]);
    seen.ignoresSignal = true;
    const abort = new AbortController();
    const reader = sluice.files.download("f", { signal: abort.signal }).getReader();
    await reader.read();
    if (how === "cancel") await reader.cancel();
    else {
      if (how === "signal") abort.abort(new Error("enough"));
      else sluice.close();
      const error = await assertRejects(() => reader.read(), SluiceError);
      assertEquals(error.reason, how === "signal" ? "cancelled" : "closed");
    }
    await new Promise((resolve) => setTimeout(resolve));
    assertEquals(seen.cancelled, 1, how);
  }
});
