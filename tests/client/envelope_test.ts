import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { BATCH_BYTES, EnvelopeBatch, readEnvelopes } from "../../client/envelope.ts";
import { FileChunkSchema } from "../../gen/sluice/v1/file_upload_pb.ts";
import { envelope } from "./fake_server.ts";

/** Adds a message: a file chunk of data alone. */
function add(batch: EnvelopeBatch, data: Uint8Array<ArrayBuffer>): void {
  batch.begin();
  batch.data(0x12, data);
  batch.end();
}

/** A stream of the bytes, cut at random. */
function inRandomPieces(bytes: Uint8Array): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at === bytes.length) return controller.close();
      const length = Math.min(bytes.length - at, 1 + Math.floor(Math.random() * 5000));
      controller.enqueue(bytes.slice(at, at + length));
      at += length;
    },
  });
}

Deno.test("readEnvelopes() gives what EnvelopeBatch was given, however the bytes are cut", async () => {
  for (let round = 0; round < 50; round++) {
    const messages = Array.from(
      { length: Math.floor(Math.random() * 20) },
      () => crypto.getRandomValues(new Uint8Array(Math.floor(Math.random() * 20_000))),
    );
    const batch = new EnvelopeBatch();
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    for (const message of messages) {
      add(batch, message);
      if (Math.random() < 0.1) chunks.push(batch.take());
    }
    while (!batch.empty) chunks.push(batch.take());
    const bytes = new Uint8Array(await new Blob(chunks).arrayBuffer());
    const read: Uint8Array[] = [];
    for await (const { flags, data } of readEnvelopes(inRandomPieces(bytes))) {
      assertEquals(flags, 0);
      read.push(fromBinary(FileChunkSchema, data).data.slice());
    }
    assertEquals(read, messages);
    assert(batch.empty);
  }
});

Deno.test("EnvelopeBatch hands over chunks of 64 KiB, whatever the sizes of its messages", () => {
  const batch = new EnvelopeBatch();
  const text = (length: number) => {
    batch.begin();
    batch.string(0x0a, "x".repeat(length));
    batch.end();
  };
  // Around a text are the five bytes of the envelope, the tag, and three of length.
  text(BATCH_BYTES - 10);
  assert(!batch.full);
  text(3 * BATCH_BYTES);
  assert(batch.full);
  const chunks = [];
  while (!batch.empty) chunks.push(batch.take().length);
  assertEquals(chunks, [BATCH_BYTES, BATCH_BYTES, BATCH_BYTES, BATCH_BYTES, 8]);
  assert(!batch.full);
});

Deno.test("EnvelopeBatch hands over large data as it is, in chunks of at most 64 KiB", () => {
  const batch = new EnvelopeBatch();
  const data = crypto.getRandomValues(new Uint8Array(BATCH_BYTES));
  const large = new Uint8Array(2 * BATCH_BYTES + 1);
  add(batch, new Uint8Array(3));
  add(batch, data);
  add(batch, large);
  add(batch, new Uint8Array(1));
  const chunks: Uint8Array[] = [];
  while (!batch.empty) chunks.push(batch.take());
  const header = 5 + 1 + 3;
  assertEquals(chunks.map(({ length }) => length), [
    10 + header,
    BATCH_BYTES,
    header,
    BATCH_BYTES,
    BATCH_BYTES,
    1,
    8,
  ]);
  assertStrictEquals(chunks[1].buffer, data.buffer);
  assertStrictEquals(chunks[5].buffer, large.buffer);
});

Deno.test("EnvelopeBatch does not write again to what it has handed over", () => {
  const batch = new EnvelopeBatch();
  const chunks: Uint8Array[] = [];
  const copies: Uint8Array[] = [];
  for (let i = 0; i < 2000; i++) {
    add(batch, new Uint8Array(i).fill(i));
    if (!batch.full) continue;
    chunks.push(batch.take());
    copies.push(chunks.at(-1)!.slice());
  }
  assertEquals(chunks, copies);
});

Deno.test("readEnvelopes() refuses a claim over the limit without waiting for its bytes", async () => {
  const claim = new Uint8Array([0, 0x7f, 0xff, 0xff, 0xff]);
  const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(claim) });
  const error = await assertRejects(() => Array.fromAsync(readEnvelopes(body)), ConnectError);
  assertEquals(error.code, Code.ResourceExhausted);
});

Deno.test("readEnvelopes() reports a body that ends inside of a message", async () => {
  const cut = envelope(0, "hello").slice(0, 7);
  const error = await assertRejects(() => Array.fromAsync(readEnvelopes(inRandomPieces(cut))), ConnectError);
  assertEquals(error.code, Code.Unavailable);
});
