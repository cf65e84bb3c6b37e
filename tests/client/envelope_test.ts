import { assert, assertEquals, assertRejects } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { BATCH_BYTES, EnvelopeBatch, readEnvelopes } from "../../client/envelope.ts";
import { envelope } from "./fake_server.ts";

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
      batch.add(message);
      if (Math.random() < 0.1) chunks.push(batch.take());
    }
    while (!batch.empty) chunks.push(batch.take());
    const bytes = new Uint8Array(await new Blob(chunks).arrayBuffer());
    const read: Uint8Array[] = [];
    for await (const { flags, data } of readEnvelopes(inRandomPieces(bytes))) {
      assertEquals(flags, 0);
      read.push(new Uint8Array(data));
    }
    assertEquals(read, messages);
    assert(batch.empty);
  }
});

Deno.test("EnvelopeBatch hands over chunks of 64 KiB, whatever the sizes of its messages", () => {
  const batch = new EnvelopeBatch();
  batch.add(new Uint8Array(BATCH_BYTES - 6));
  assert(!batch.full);
  batch.add(new Uint8Array(3 * BATCH_BYTES));
  assert(batch.full);
  const chunks = [];
  while (!batch.empty) chunks.push(batch.take().length);
  assertEquals(chunks, [BATCH_BYTES, BATCH_BYTES, BATCH_BYTES, BATCH_BYTES, 4]);
  assert(!batch.full);
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
