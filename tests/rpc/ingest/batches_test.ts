import { assert, assertEquals, assertRejects } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { MAX_BATCH_BYTES, MAX_BATCH_ITEMS, MAX_MESSAGE_BYTES } from "../../../limits.ts";
import { type BatchesOptions, readBatches } from "../../../rpc/ingest/batches.ts";
import { EnvelopeReader } from "../../../rpc/ingest/envelopes.ts";
import { concat, envelope } from "../../support/wire.ts";
import { bytesOf, counted, framed, inChunks, settle, TestBody, TextDecoding } from "./support.ts";

const NEVER = new AbortController().signal;

function batchesOf(body: AsyncIterable<Uint8Array>, options: Partial<BatchesOptions<readonly string[]>> = {}) {
  return readBatches(body, {
    decoder: new TextDecoding(),
    envelopes: new EnvelopeReader(MAX_MESSAGE_BYTES),
    isSkipped: (flags) => (flags & 2) !== 0,
    convert: () => undefined,
    signal: NEVER,
    ...options,
  });
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i));
const bodyOf = (texts: readonly string[]) => concat(texts.map((text) => framed(text)));

Deno.test("readBatches() makes one batch of what a chunk holds", async () => {
  assertEquals(await Array.fromAsync(batchesOf(inChunks(bodyOf(numbers(500)), 1e9))), [numbers(500)]);
});

Deno.test("readBatches() makes one batch of chunks that have arrived", async () => {
  const body = new TestBody();
  const batches = batchesOf(body);
  for (const n of ["1", "2", "3"]) body.send(framed(n));
  assertEquals((await batches.next()).value, ["1", "2", "3"]);
  for (const n of ["4", "5"]) body.send(framed(n));
  body.end();
  assertEquals((await batches.next()).value, ["4", "5"]);
  assertEquals((await batches.next()).done, true);
});

Deno.test("readBatches() keeps the order and every message, however the body is cut", async () => {
  const texts = numbers(2 * MAX_BATCH_ITEMS + 7);
  const bytes = bodyOf(texts);
  for (const size of [1, 3, 5, 6, 7, 1_000, 4_096, 16_384]) {
    const batches = await Array.fromAsync(batchesOf(inChunks(bytes, size)));
    assertEquals(batches.flat(), texts);
    assert(batches.every((batch) => batch.length > 0 && batch.length <= MAX_BATCH_ITEMS));
  }
});

Deno.test("readBatches() has no batch for no message", async () => {
  assertEquals(await Array.fromAsync(batchesOf(inChunks(new Uint8Array(0), 1))), []);
  const body = new TestBody();
  body.send(new Uint8Array(0), new Uint8Array(0));
  body.end();
  assertEquals(await Array.fromAsync(batchesOf(body)), []);
});

Deno.test("readBatches() does not keep a lone message waiting for another, or for the rest of one", async () => {
  const body = new TestBody();
  const batches = batchesOf(body);
  for (const text of ["a", "b"]) {
    const next = batches.next();
    await settle();
    body.send(framed(text));
    assertEquals((await next).value, [text]);
  }
  const third = framed("third");
  body.send(concat([framed("c"), third.subarray(0, 7)]));
  assertEquals((await batches.next()).value, ["c"]);
  body.send(third.subarray(7));
  assertEquals((await batches.next()).value, ["third"]);
  const last = batches.next();
  body.end();
  assertEquals((await last).done, true);
});

Deno.test("readBatches() reads one chunk ahead of a consumer that is busy, and no more", async () => {
  const body = new TestBody();
  const batches = batchesOf(body);
  body.send(framed("1"));
  assertEquals((await batches.next()).value, ["1"]);
  assertEquals(body.asked, 2);
  for (const n of ["2", "3", "4"]) {
    body.send(framed(n));
    await settle();
  }
  assertEquals(body.asked, 2);
  // What is there by then is one batch.
  assertEquals((await batches.next()).value, ["2", "3", "4"]);
  await settle();
  assertEquals(body.asked, 5);
});

Deno.test("MAX_BATCH_ITEMS: a batch has no more, and the next chunk is not asked for twice meanwhile", async () => {
  const body = new TestBody();
  body.send(bodyOf(numbers(2 * MAX_BATCH_ITEMS + 5)));
  body.end();
  const batches = batchesOf(body);
  const lengths: number[] = [];
  for await (const batch of batches) {
    lengths.push(batch.length);
    await settle();
    assertEquals(body.asked, 2);
  }
  assertEquals(lengths, [MAX_BATCH_ITEMS, MAX_BATCH_ITEMS, 5]);
});

Deno.test("MAX_BATCH_BYTES: a batch ends with the message that reaches it", async () => {
  const quarter = `q#${MAX_BATCH_BYTES / 4}`;
  const large = `l#${5 * MAX_BATCH_BYTES}`;
  const body = bodyOf([quarter, quarter, quarter, quarter, quarter, large, large, quarter]);
  for (const size of [1e9, 10]) {
    assertEquals(await Array.fromAsync(batchesOf(inChunks(body, size))), [
      Array(4).fill(quarter),
      [quarter, large],
      [large],
      [quarter],
    ]);
  }
});

Deno.test("readBatches() passes over what is no message", async () => {
  const body = concat([framed("bad", 2), framed("a"), framed("bad", 3), framed("b", 1), framed("bad", 2)]);
  for (const size of [1e9, 1]) {
    assertEquals((await Array.fromAsync(batchesOf(inChunks(body, size)))).flat(), ["a", "b"]);
  }
});

Deno.test("readBatches() decodes what it must convert in its place in the order", async () => {
  const body = concat([framed("a"), framed("b", 1), framed("c", 1), framed("d")]);
  const convert = async ({ flags, bytes, start, end }: EnvelopeReader) => {
    await settle();
    assertEquals(flags, 1);
    return bytesOf(new TextDecoder().decode(bytes.slice(start, end)).toUpperCase());
  };
  const options = { convert: (envelopes: EnvelopeReader) => envelopes.flags === 1 ? convert(envelopes) : undefined };
  assertEquals((await Array.fromAsync(batchesOf(inChunks(body, 1e9), options))).flat(), ["a", "B", "C", "d"]);
});

Deno.test("readBatches() throws what the body throws, after what came before it", async () => {
  for (const sendsFirst of [true, false]) {
    const body = new TestBody();
    const batches = batchesOf(body);
    if (sendsFirst) {
      body.send(framed("1"), concat([framed("2"), framed("3").subarray(0, 4)]));
      body.fail(new RangeError("broken"));
      assertEquals((await batches.next()).value, ["1", "2"]);
    } else {
      body.fail(new RangeError("broken"));
    }
    await assertRejects(() => batches.next(), RangeError, "broken");
    assertEquals((await batches.next()).done, true);
    assertEquals(body.returned, 1);
  }
});

Deno.test("readBatches() throws a failure of the body that came while the consumer was busy", async () => {
  const body = new TestBody();
  const batches = batchesOf(body);
  body.send(framed("1"));
  assertEquals((await batches.next()).value, ["1"]);
  body.fail(new RangeError("broken"));
  // Nobody waits for it yet; it must not count as unhandled.
  await settle();
  await assertRejects(() => batches.next(), RangeError, "broken");
});

Deno.test("readBatches() throws what a decoder, a conversion or an envelope is refused for, after what came before", async () => {
  const refusals: [part: Uint8Array, error: string][] = [
    [framed("bad text"), "bad text"],
    [framed("x", 1), "cannot convert"],
    [envelope(new Uint8Array(0), 0, 2 ** 32 - 1), "Cannot accept a message"],
  ];
  const convert = ({ flags }: EnvelopeReader) =>
    flags === 1 ? Promise.reject<Uint8Array>(new RangeError("cannot convert")) : undefined;
  for (const [part, message] of refusals) {
    const body = new TestBody();
    body.send(concat([framed("1"), framed("2"), part, framed("3")]));
    const batches = batchesOf(body, { convert });
    assertEquals((await batches.next()).value, ["1", "2"], message);
    await assertRejects(() => batches.next(), Error, message);
    assertEquals(body.returned, 1);
  }
});

Deno.test("readBatches() throws INVALID_ARGUMENT if the body ends inside of a message, after what came before", async () => {
  const batches = batchesOf(inChunks(concat([framed("1"), framed("22").subarray(0, 6)]), 1e9));
  assertEquals((await batches.next()).value, ["1"]);
  const error = await assertRejects(() => batches.next(), ConnectError, "ends inside");
  assertEquals(Code[error.code], Code[Code.InvalidArgument]);
});

Deno.test("readBatches() lets go of the body when its consumer stops, without waiting for it", async () => {
  const body = new TestBody();
  body.send(framed("1"));
  for await (const batch of batchesOf(body)) {
    assertEquals(batch, ["1"]);
    break;
  }
  assertEquals([body.asked, body.returned], [2, 1]);
  // A read that was pending then may fail: nobody is to hear of it.
  body.fail(new RangeError("nobody is here"));
  await settle();
  const ended = new TestBody();
  ended.end();
  await Array.fromAsync(batchesOf(ended));
  assertEquals(ended.returned, 1);
});

Deno.test("readBatches() takes a body whose iterator has no return()", async () => {
  let left = 3;
  const iterator = {
    next: () => Promise.resolve({ done: left-- === 0, value: framed("x") } as IteratorResult<Uint8Array>),
  };
  const batches = batchesOf({ [Symbol.asyncIterator]: () => iterator });
  assertEquals((await Array.fromAsync(batches)).flat(), ["x", "x", "x"]);
});

Deno.test("readBatches() throws the signal's reason while it waits for more", async () => {
  const body = new TestBody();
  const aborter = new AbortController();
  const batches = batchesOf(body, { signal: aborter.signal });
  body.send(concat([framed("1"), framed("2").subarray(0, 3)]));
  assertEquals((await batches.next()).value, ["1"]);
  const next = batches.next();
  await settle();
  aborter.abort(new RangeError("too late"));
  await assertRejects(() => next, RangeError, "too late");
  assertEquals(body.returned, 1);
});

Deno.test("readBatches() throws the signal's reason, though there is more, once it has aborted", async () => {
  const body = new TestBody();
  const aborter = new AbortController();
  const batches = batchesOf(body, { signal: aborter.signal });
  body.send(framed("1"));
  assertEquals((await batches.next()).value, ["1"]);
  body.send(framed("2"));
  aborter.abort(new RangeError("too late"));
  await assertRejects(() => batches.next(), RangeError, "too late");
  const aborted = batchesOf(body, { signal: AbortSignal.abort(new RangeError("at once")) });
  await assertRejects(() => aborted.next(), RangeError, "at once");
});

Deno.test("readBatches() leaves no listener on the signal of a call", async () => {
  const { signal, listeners } = counted();
  await Array.fromAsync(batchesOf(inChunks(bodyOf(numbers(100)), 10), { signal }));
  assertEquals(listeners(), 0);
});
