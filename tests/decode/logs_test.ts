import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { type DecodedLogs, LogDecoder } from "../../decode/logs.ts";
import { ShapeCache } from "../../decode/shape_cache.ts";
import { LogEntrySchema } from "../../gen/sluice/v1/data_collection_pb.ts";
import { differNear } from "./differential.ts";
import { DIFFER, logItems, LOGS } from "./subjects.ts";

type Entry = MessageInitShape<typeof LogEntrySchema>;

function encode(entry: Entry): Uint8Array {
  return toBinary(LogEntrySchema, create(LogEntrySchema, entry));
}

function wire(level: string, message: string, fields: Record<string, string> = {}): Uint8Array {
  return encode({ application: "web", level, timestamp: 7n, message, fields });
}

function decode(decoder: LogDecoder, ...messages: Uint8Array[]): DecodedLogs {
  for (const message of messages) decoder.add(message, 0, message.length);
  return decoder.take();
}

Deno.test("LogDecoder says what protobuf-es says of 20,000 random, odd and broken messages", () => {
  const accepted = DIFFER.LogEntry(20_000, 1);
  assert(accepted > 10_000 && accepted < 18_000, `${accepted} were valid`);
});

Deno.test("LogDecoder says what protobuf-es says of all that is nearly a message", () => {
  const entries: Entry[] = [
    { application: "a", level: "W", timestamp: 300n, message: "hi", fields: { k: "ü", l: "" } },
    { message: "m", fields: { k: "v" } },
    { application: "ab", fields: { "": "" } },
  ];
  for (const entry of entries) assert(differNear(LOGS, encode(entry)) > 500);
  // Of a key that comes twice the last counts, however often that is sent.
  const twice = Uint8Array.of(
    ...encode({ application: "a", fields: { k: "1", l: "2" } }),
    0x2a,
    6,
    0x0a,
    1,
    0x6b,
    0x12,
    1,
    0x33,
  );
  assert(differNear(LOGS, twice) > 500);
});

Deno.test("LogDecoder reads lengths of one to four bytes", () => {
  const decoder = new LogDecoder(new ShapeCache());
  for (const length of [0, 127, 128, 16_383, 16_384, 2 ** 21 - 1, 2 ** 21]) {
    const text = "x".repeat(length);
    for (const message of [wire("info", text), wire("info", "", { key: text }), wire("info", text, { key: text })]) {
      const [first, second] = logItems(decode(decoder, message, message)) as { texts: string[] }[];
      assertEquals(first.texts.map((t) => t.length), second.texts.map((t) => t.length));
      assertEquals(first.texts.some((t) => t.length === length), true);
    }
  }
});

Deno.test("LogDecoder tells shapes apart whose bytes are alike", () => {
  const shapes: { application: string; level: string; fields: Record<string, string> }[] = [
    { application: "a", level: "", fields: { b: "" } },
    { application: "a\n\x01b", level: "", fields: {} },
    { application: "a", level: "\n\x01b", fields: {} },
    { application: "a", level: "b", fields: {} },
    { application: "a\x12\x01b", level: "", fields: {} },
    { application: "a", level: "", fields: { b: "", c: "" } },
    { application: "a", level: "", fields: { "b\n\x01c": "" } },
  ];
  const decoder = new LogDecoder(new ShapeCache());
  for (let round = 0; round < 2; round++) {
    const messages = shapes.map(encode);
    assertEquals(
      decode(decoder, ...messages).shapes.map(({ application, level, keys }) => ({ application, level, keys })),
      shapes.map(({ application, level, fields }) => ({ application, level, keys: Object.keys(fields) })),
    );
  }
});

Deno.test("LogDecoder finds a shape by its bytes, over batches and decoders, and lists it once a batch", () => {
  const shapes = new ShapeCache<never>();
  const decoder = new LogDecoder(shapes);
  const first = decode(
    decoder,
    wire("info", "1", { b: "x", a: "y" }),
    wire("warn", "2"),
    wire("info", "3", { b: "", a: "z" }),
  );
  assertEquals(Array.from(first.shapeOf), [0, 1, 0]);
  assertEquals(first.shapes.map(({ keys }) => keys), [["a", "b"], []]);
  const second = decode(new LogDecoder(shapes), wire("warn", "4"), wire("info", "5", { b: "x", a: "y" }));
  assertStrictEquals(second.shapes[0], first.shapes[1]);
  assertStrictEquals(second.shapes[1], first.shapes[0]);
});

Deno.test("LogDecoder keeps texts, not the bytes that they came in, and hands them over", () => {
  const decoder = new LogDecoder(new ShapeCache());
  const message = wire("info", "text", { key: "value" });
  const taken = decode(decoder, message);
  message.fill(0);
  const before = logItems(taken);
  decode(decoder, wire("warn", "other, and longer than before", { more: "and more" }));
  assertEquals(logItems(taken), before);
  assertEquals([decoder.count, decoder.size], [0, 0]);
});

Deno.test("LogDecoder.size grows with what an entry holds", () => {
  const decoder = new LogDecoder(new ShapeCache());
  for (const bytes of [100, 50_000, 1_000_000]) {
    const before = decoder.size;
    const message = wire("info", "x".repeat(bytes));
    decoder.add(message, 0, message.length);
    assert(decoder.size - before >= bytes);
  }
});

Deno.test("LogDecoder adds nothing of a message that it refuses, and goes on", () => {
  const decoder = new LogDecoder(new ShapeCache());
  const message = wire("info", "good", { a: "1", b: "2" });
  decoder.add(message, 0, message.length);
  const { size } = decoder;
  // The last text is cut within a character, runs past the end, or has a length that nothing could hold.
  const bad = Uint8Array.from(message);
  bad[bad.length - 1] = 0xc3;
  for (const broken of [bad, message.subarray(0, -1), Uint8Array.of(...message, 0x22, 0xff, 0xff, 0xff, 0xff, 0x0f)]) {
    assertThrows(() => decoder.add(broken, 0, broken.length), ConnectError, "malformed message");
    assertEquals([decoder.count, decoder.size], [1, size]);
  }
  decoder.add(message, 0, message.length);
  const items = logItems(decoder.take());
  assertEquals(items[0], items[1]);
});

Deno.test("LogDecoder refuses what is not UTF-8 at every boundary of RFC 3629, and takes what is", () => {
  const strict = new TextDecoder("utf-8", { fatal: true });
  const leads = [
    0x7f,
    0x80,
    0xbf,
    0xc0,
    0xc1,
    0xc2,
    0xdf,
    0xe0,
    0xe1,
    0xec,
    0xed,
    0xee,
    0xef,
    0xf0,
    0xf1,
    0xf3,
    0xf4,
    0xf5,
    0xff,
  ];
  const nexts = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
  const decoder = new LogDecoder(new ShapeCache());
  const head = Uint8Array.of(0x0a, 1, 0x61, 0x22);
  let valid = 0;
  const attempt = (text: number[]) => {
    const bytes = Uint8Array.of(...head, text.length, ...text);
    let expected: string | undefined;
    try {
      expected = strict.decode(Uint8Array.from(text));
    } catch {
      assertThrows(() => decoder.add(bytes, 0, bytes.length), ConnectError, "UTF-8");
      return;
    }
    valid++;
    assertEquals(decode(decoder, bytes).units[0], expected.length);
  };
  for (const lead of leads) {
    attempt([lead]);
    for (const second of nexts) {
      attempt([lead, second]);
      for (const third of [0x7f, 0x80, 0xbf, 0xc0]) {
        attempt([lead, second, third]);
        for (const fourth of [0x7f, 0x80, 0xbf, 0xc0]) attempt([lead, second, third, fourth]);
      }
    }
  }
  assert(valid > 50, `${valid} were valid`);
});
