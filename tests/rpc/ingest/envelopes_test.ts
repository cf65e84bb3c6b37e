import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { RetryInfoSchema } from "../../../gen/google/rpc/error_details_pb.ts";
import { MAX_MESSAGE_BYTES, MIB } from "../../../limits.ts";
import { CarryBudget, EnvelopeReader } from "../../../rpc/ingest/envelopes.ts";
import { Random } from "../../store/format/random.ts";
import { concat, envelope } from "../../support/wire.ts";

type Message = [flags: number, bytes: Uint8Array];

/** All messages that the chunks hold. */
function read(chunks: Iterable<Uint8Array>, maxBytes = MAX_MESSAGE_BYTES): Message[] {
  const envelopes = new EnvelopeReader(maxBytes);
  const messages: Message[] = [];
  for (const chunk of chunks) {
    envelopes.push(chunk);
    while (envelopes.next()) {
      messages.push([envelopes.flags, envelopes.bytes.subarray(envelopes.start, envelopes.end)]);
    }
  }
  envelopes.assertEnd();
  return messages;
}

function framed(messages: readonly Message[]): Uint8Array {
  return concat(messages.map(([flags, bytes]) => envelope(bytes, flags)));
}

const SOME: readonly Message[] = [
  [0, Uint8Array.of(1, 2, 3)],
  [1, new Uint8Array(0)],
  [0x80, Uint8Array.of(4)],
  [2, new Uint8Array(0)],
  [0, new Uint8Array(300).fill(5)],
];

Deno.test("EnvelopeReader finds the messages of a chunk where they are", () => {
  const body = framed(SOME);
  const messages = read([body]);
  assertEquals(messages, SOME);
  for (const [, bytes] of messages) assertStrictEquals(bytes.buffer, body.buffer);
  assertEquals(read([]), []);
  assertEquals(read([new Uint8Array(0)]), []);
});

Deno.test("EnvelopeReader puts together what was cut at any two bytes", () => {
  const body = framed(SOME.slice(0, 4));
  for (let first = 0; first <= body.length; first++) {
    for (let second = first; second <= body.length; second++) {
      const chunks = [body.subarray(0, first), body.subarray(first, second), body.subarray(second)];
      assertEquals(read(chunks), SOME.slice(0, 4), `${first} ${second}`);
    }
  }
  for (let size = 1; size < 20; size++) {
    const chunks = Array.from(
      { length: Math.ceil(body.length / size) },
      (_, i) => body.slice(i * size, (i + 1) * size),
    );
    assertEquals(read(chunks), SOME.slice(0, 4));
  }
});

Deno.test("EnvelopeReader puts random messages together from random chunks", () => {
  const random = new Random(3);
  for (let round = 0; round < 200; round++) {
    const messages = Array.from({ length: random.below(30) }, (): Message => {
      return [random.below(4), random.bytes(random.pick([0, 1, 5, random.below(3_000)]))];
    });
    const body = framed(messages);
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < body.length;) {
      const size = random.pick([1, 4, 5, 6, random.below(200), random.below(10_000)]);
      chunks.push(body.slice(at, at + size));
      at += size;
    }
    assertEquals(read(chunks), messages);
  }
});

Deno.test("EnvelopeReader.bytes of a message stay as they are when more comes", () => {
  const messages = Array.from({ length: 50 }, (_, i): Message => [0, new Uint8Array(i * 40).fill(i)]);
  const body = framed(messages);
  const chunks = Array.from({ length: Math.ceil(body.length / 97) }, (_, i) => body.slice(i * 97, (i + 1) * 97));
  assertEquals(read(chunks), messages);
});

/** Reads one message of `size` bytes that comes byte by byte; how long that took, ms. */
function timeByteByByte(size: number): number {
  const body = envelope(new Uint8Array(size).fill(7));
  const envelopes = new EnvelopeReader(MAX_MESSAGE_BYTES);
  const began = performance.now();
  let messages = 0;
  for (let at = 0; at < body.length; at++) {
    envelopes.push(body.subarray(at, at + 1));
    while (envelopes.next()) messages++;
  }
  const took = performance.now() - began;
  assertEquals([messages, envelopes.end - envelopes.start], [1, size]);
  return took;
}

Deno.test("EnvelopeReader puts a message of 4 MiB in chunks of a byte together in linear time", () => {
  timeByteByByte(MIB / 4);
  const small = Math.min(timeByteByByte(MIB / 4), timeByteByByte(MIB / 4), timeByteByByte(MIB / 4));
  const large = timeByteByByte(4 * MIB);
  // Sixteen times as much; were it quadratic, 256 times.
  assert(large < 128 * Math.max(small, 1), `${small} ms, then ${large} ms`);
});

Deno.test("EnvelopeReader grows with what has come, not with what a length claims", () => {
  const readers = Array.from({ length: 2_000 }, () => new EnvelopeReader(MAX_MESSAGE_BYTES));
  const before = Deno.memoryUsage();
  for (const reader of readers) {
    reader.push(envelope(new Uint8Array(10), 0, MAX_MESSAGE_BYTES));
    assert(!reader.next());
    reader.push(new Uint8Array(10));
    assert(!reader.next());
  }
  const { external, heapTotal } = Deno.memoryUsage();
  const grown = external + heapTotal - before.external - before.heapTotal;
  // What they claim is 8 GiB.
  assert(grown < 64 * MIB, `${grown} bytes`);
});

Deno.test("MAX_MESSAGE_BYTES: a message at it is read, one that claims more is refused before it comes", () => {
  const largest = new Uint8Array(MAX_MESSAGE_BYTES).fill(1);
  assertEquals(read([envelope(largest)])[0][1].length, MAX_MESSAGE_BYTES);
  for (const claim of [MAX_MESSAGE_BYTES + 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1]) {
    const header = envelope(new Uint8Array(0), 0, claim);
    for (let cut = 0; cut < header.length; cut++) {
      const error = assertThrows(() => read([header.subarray(0, cut), header.subarray(cut)]), ConnectError);
      assertEquals(Code[error.code], Code[Code.ResourceExhausted]);
    }
  }
});

Deno.test("EnvelopeReader.assertEnd() throws inside of a message, and only there", () => {
  const body = framed([[0, Uint8Array.of(1, 2)], [0, Uint8Array.of(3)]]);
  for (let end = 0; end <= body.length; end++) {
    for (let cut = 0; cut <= end; cut++) {
      const chunks = [body.subarray(0, cut), body.subarray(cut, end)];
      if ([0, 7, 13].includes(end)) {
        read(chunks);
      } else {
        const error = assertThrows(() => read(chunks), ConnectError, "ends inside of a message");
        assertEquals(Code[error.code], Code[Code.InvalidArgument]);
      }
    }
  }
});

Deno.test("EnvelopeReader does not hold on to a chunk that it has read", () => {
  const envelopes = new EnvelopeReader(MAX_MESSAGE_BYTES);
  for (const rest of [new Uint8Array(0), Uint8Array.of(0, 0)]) {
    envelopes.push(concat([envelope(new Uint8Array(1_000_000)), rest]));
    while (envelopes.next());
    assertEquals(envelopes.bytes.buffer.byteLength, 0);
  }
});

Deno.test("CarryBudget: what calls hold of messages in part is bounded, and given back when they are whole or given up", () => {
  const budget = new CarryBudget(10_000);
  const half = new Uint8Array(5 + 4_000);
  new DataView(half.buffer).setUint32(1, 8_000);
  const [a, b] = [new EnvelopeReader(MAX_MESSAGE_BYTES, budget), new EnvelopeReader(MAX_MESSAGE_BYTES, budget)];
  a.push(half);
  assertEquals([a.next(), budget.used], [false, 8_005]);
  b.push(half);
  const error = assertThrows(() => b.next(), ConnectError);
  assertEquals(Code[error.code], "ResourceExhausted");
  assertEquals(error.findDetails(RetryInfoSchema).length, 1);
  b.close();
  a.push(new Uint8Array(4_000));
  assertEquals([a.next(), a.end - a.start, budget.used], [true, 8_000, 0]);
  b.push(half);
  assertEquals([b.next(), budget.used], [false, 8_005]);
  b.close();
  assertEquals(budget.used, 0);
});
