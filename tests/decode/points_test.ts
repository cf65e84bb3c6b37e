import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { type DecodedPoints, PointDecoder } from "../../decode/points.ts";
import { ShapeCache } from "../../decode/shape_cache.ts";
import { DataPointSchema } from "../../gen/sluice/v1/data_collection_pb.ts";
import { differNear } from "./differential.ts";
import { DIFFER, pointItems, POINTS } from "./subjects.ts";

type Point = MessageInitShape<typeof DataPointSchema>;

interface Item {
  source: string;
  timestamp: number;
  metrics: [string, number][];
  tags: [string, string][];
}

function encode(point: Point): Uint8Array {
  return toBinary(DataPointSchema, create(DataPointSchema, point));
}

function wire(timestamp: number, metrics: Record<string, number>, tags: Record<string, string> = {}): Uint8Array {
  return encode({ source: "host-1", timestamp: BigInt(timestamp), metrics, tags });
}

function decode(decoder: PointDecoder, ...messages: Uint8Array[]): DecodedPoints {
  for (const message of messages) decoder.add(message, 0, message.length);
  return decoder.take();
}

/** An entry of the map of metrics as canonical encoders write it; the name and the value may be left out. */
function metric(name: string | undefined, value: number | undefined): number[] {
  const text = name === undefined ? [] : [0x0a, name.length, ...new TextEncoder().encode(name)];
  const double = value === undefined ? [] : [0x11, ...new Uint8Array(Float64Array.of(value).buffer)];
  return [0x1a, text.length + double.length, ...text, ...double];
}

const open = () => new PointDecoder(new ShapeCache());
const items = (points: DecodedPoints) => pointItems(points) as Item[];

Deno.test("PointDecoder says what protobuf-es says of 20,000 random, odd and broken messages", () => {
  const accepted = DIFFER.DataPoint(20_000, 1);
  assert(accepted > 10_000 && accepted < 18_000, `${accepted} were valid`);
});

Deno.test("PointDecoder says what protobuf-es says of all that is nearly a message", () => {
  const points: Point[] = [
    { source: "a", timestamp: 300n, metrics: { x: 1.5 }, tags: { k: "v" } },
    { metrics: { x: 1, y: 2 } },
    { source: "ü", tags: { "": "", k: "é" } },
  ];
  for (const point of points) assert(differNear(POINTS, encode(point)) > 500);
});

Deno.test("PointDecoder finds a shape by its bytes, over batches and decoders, and lists it once a batch", () => {
  const shapes = new ShapeCache<never>();
  const first = decode(
    new PointDecoder(shapes),
    wire(1, { cpu: 0.5, mem: 2 }, { zone: "a" }),
    wire(2, { cpu: 1 }),
    wire(3, { cpu: 0.25, mem: 4 }, { zone: "a" }),
  );
  assertEquals(Array.from(first.shapeOf), [0, 1, 0]);
  assertEquals(Array.from(first.values), [0.5, 2, 1, 0.25, 4]);
  const decoder = new PointDecoder(shapes);
  for (let round = 0; round < 2; round++) {
    const later = decode(decoder, wire(4, { cpu: 8 }), wire(5, { cpu: 16, mem: 32 }, { zone: "a" }));
    assertEquals([Array.from(later.shapeOf), Array.from(later.values)], [[0, 1], [8, 16, 32]]);
    assertStrictEquals(later.shapes[0], first.shapes[1]);
    assertStrictEquals(later.shapes[1], first.shapes[0]);
  }
});

Deno.test("PointDecoder keeps the batches of decoders apart that share their shapes and take turns", () => {
  const shapes = new ShapeCache<never>();
  const decoders = [new PointDecoder(shapes), new PointDecoder(shapes)];
  const expected: unknown[][] = [[], []];
  for (let i = 0; i < 300; i++) {
    const which = i % 7 < 3 ? 0 : 1;
    const point = { source: `host-${i % 3}`, timestamp: BigInt(i), metrics: { [`m${i % 5}`]: i }, tags: {} };
    const message = encode(point);
    decoders[which].add(message, 0, message.length);
    expected[which].push({
      source: point.source,
      timestamp: i,
      metrics: Object.entries(point.metrics),
      tags: [],
    });
    if (i % 50 === 49 || i % 71 === 70) {
      assertEquals(items(decoders[which].take()), expected[which]);
      expected[which] = [];
    }
  }
  decoders.forEach((decoder, which) => assertEquals(items(decoder.take()), expected[which]));
});

Deno.test("PointDecoder tells points apart whose names are alike", () => {
  const points: Point[] = [
    { source: "a", metrics: { b: 1 } },
    { source: "ab", metrics: { "": 1 } },
    { source: "a", tags: { b: "" } },
    { source: "a", tags: { "": "b" } },
    { source: "a", metrics: { b: 1 }, tags: { c: "d" } },
    { source: "a", metrics: { b: 1 }, tags: { cd: "" } },
    { source: 'a"\n\x01b', metrics: {} },
    { source: "", metrics: { b: 1, c: 1 } },
    { source: "", metrics: { c: 1, b: 1 } },
  ];
  const decoder = open();
  for (let round = 0; round < 2; round++) {
    assertEquals(
      items(decode(decoder, ...points.map(encode))),
      points.map(({ source = "", metrics = {}, tags = {} }) => ({
        source,
        timestamp: 0,
        metrics: Object.entries(metrics).sort(),
        tags: Object.entries(tags),
      })),
    );
  }
});

Deno.test("PointDecoder takes names, sources and tags of any length", () => {
  const decoder = open();
  for (const length of [1, 115, 116, 117, 118, 127, 128, 200, 4_095, 4_096, 16_383, 16_384, 70_000]) {
    const long = "n".repeat(length);
    const points: Point[] = [
      { source: "s", timestamp: 1n, metrics: { [long]: length } },
      { source: long, timestamp: 2n, metrics: { m: length } },
      { source: "s", timestamp: 3n, metrics: { m: length }, tags: { [long]: long } },
    ];
    for (const point of points) {
      const message = encode(point);
      const [first, second] = items(decode(decoder, message, message));
      assertEquals(first, second);
      assertEquals(first, {
        source: point.source!,
        timestamp: Number(point.timestamp),
        metrics: Object.entries(point.metrics!),
        tags: Object.entries(point.tags ?? {}),
      });
    }
  }
});

Deno.test("PointDecoder does not take the length of a large entry for that of a small one", () => {
  // An entry of 1,280 bytes, all of them unknown fields. Were the first byte of its length taken for the whole, it would be
  // a name of 117 bytes and a value, and what is left of it would be a source.
  const inner = new Uint8Array(1_272).fill(0x61);
  inner.set([0x11, ...new Uint8Array(Float64Array.of(42).buffer), 0x0a, 0xfe, 0x08], 110);
  const message = Uint8Array.of(0x1a, 0x80, 0x0a, 0x75, 1, 2, 3, 4, 0x7a, 0xf8, 0x09, ...inner);
  const decoder = open();
  for (let round = 0; round < 2; round++) {
    assertEquals(
      items(decode(decoder, message, message)),
      Array(2).fill({
        source: "",
        timestamp: 0,
        metrics: [["", 0]],
        tags: [],
      }),
    );
  }
});

Deno.test("PointDecoder takes the last value of a name that comes twice, each time", () => {
  const decoder = open();
  const twice = (first: number, second: number) =>
    Uint8Array.of(0x0a, 1, 0x73, ...metric("x", first), ...metric("y", 7), ...metric("x", second));
  // What has x once only must not be taken for it either.
  const once = encode({ source: "s", metrics: { x: 5, y: 7 } });
  const batch = decode(decoder, twice(1, 2), once, twice(3, 4), twice(5, NaN), once);
  assertEquals(items(batch).map(({ metrics }) => metrics), [
    [["x", 2], ["y", 7]],
    [["x", 5], ["y", 7]],
    [["x", 4], ["y", 7]],
    [["x", NaN], ["y", 7]],
    [["x", 5], ["y", 7]],
  ]);
});

Deno.test("PointDecoder takes a value that is left out for 0, and a name for an empty one", () => {
  const decoder = open();
  const message = Uint8Array.of(...metric("x", undefined), ...metric(undefined, 3), ...metric("y", 2));
  const bare = Uint8Array.of(...metric(undefined, undefined), ...metric("x", 1));
  for (const { metrics } of items(decode(decoder, message, message))) {
    assertEquals(metrics, [["", 3], ["x", 0], ["y", 2]]);
  }
  assertEquals(items(decode(decoder, bare))[0].metrics, [["", 0], ["x", 1]]);
});

Deno.test("PointDecoder reads timestamps as the nearest double, negative and beyond 2^53 too", () => {
  const timestamps = [
    0n,
    1n,
    127n,
    128n,
    1_700_000_000_000n,
    2n ** 49n - 1n,
    2n ** 49n,
    2n ** 53n,
    2n ** 53n + 1n,
    2n ** 62n + 3n,
    2n ** 63n - 1n,
    -1n,
    -(2n ** 53n) - 1n,
    -(2n ** 63n),
  ];
  const decoder = open();
  const messages = timestamps.map((timestamp) => encode({ source: "s", timestamp, metrics: { x: 1 } }));
  for (let round = 0; round < 2; round++) {
    const { timestamps: decoded } = decode(decoder, ...messages);
    assertEquals(Array.from(decoded), timestamps.map(Number));
  }
  // Of two the last counts, and as a varint may have more bytes than it needs.
  const twice = Uint8Array.of(0x10, 5, 0x0a, 1, 0x73, 0x10, 0x87, 0x80, 0x80, 0x00);
  assertEquals(Array.from(decode(decoder, twice, twice).timestamps), [7, 7]);
});

Deno.test("PointDecoder adds nothing of a message that it refuses, and goes on", () => {
  const decoder = open();
  const message = wire(1, { a: 1, b: 2 }, { k: "v" });
  decoder.add(message, 0, message.length);
  const { size } = decoder;
  const bad = Uint8Array.from(message);
  // The last tag's value is no UTF-8, the message is cut, or has a length behind it that nothing could hold.
  bad[bad.length - 1] = 0xc3;
  const cut = [1, 2, 3, 5, 7, 9, 15].map((bytes) => message.subarray(0, -bytes));
  for (
    const broken of [
      bad,
      ...cut,
      Uint8Array.of(...message, 0x22, 0xff, 0xff, 0xff, 0xff, 0x0f),
      Uint8Array.of(...message, 0x10),
    ]
  ) {
    assertThrows(() => decoder.add(broken, 0, broken.length), ConnectError, "malformed message");
    assertEquals([decoder.count, decoder.size], [1, size]);
  }
  decoder.add(message, 0, message.length);
  const [first, second, ...more] = items(decoder.take());
  assertEquals([second, more], [first, []]);
});

Deno.test("PointDecoder keeps nothing of the bytes that points came in, and hands its columns over", () => {
  const decoder = open();
  const message = wire(7, { cpu: 0.5 }, { zone: "a" });
  const taken = decode(decoder, message);
  const before = items(taken);
  message.fill(0);
  decode(decoder, wire(9, { other: 1, more: 2 }), wire(10, { cpu: 3 }, { zone: "b" }));
  assertEquals(items(taken), before);
  assertEquals([decoder.count, decoder.size], [0, 0]);
});

Deno.test("PointDecoder reads bytes that begin anywhere in their buffer", () => {
  const message = wire(7, { cpu: 0.5, mem: 3 });
  const decoder = open();
  for (let offset = 0; offset < 9; offset++) {
    const buffer = new Uint8Array(offset + message.length + 16).fill(0xff);
    buffer.set(message, offset + 4);
    const view = buffer.subarray(offset);
    decoder.add(view, 4, 4 + message.length);
  }
  const all = items(decoder.take());
  for (const item of all) assertEquals(item, all[0]);
  assertEquals(all[0].metrics, [["cpu", 0.5], ["mem", 3]]);
});

Deno.test("PointDecoder.size grows with each point, and with what a new shape holds", () => {
  const decoder = open();
  const message = wire(7, { cpu: 0.5 });
  decoder.add(message, 0, message.length);
  for (let i = 0; i < 3; i++) {
    const before = decoder.size;
    decoder.add(message, 0, message.length);
    assert(decoder.size - before >= 24);
  }
  const before = decoder.size;
  const large = encode({ source: "s".repeat(100_000), metrics: { cpu: 1 } });
  decoder.add(large, 0, large.length);
  assert(decoder.size - before >= 100_000);
  assertThrows(() => decoder.add(large, 0, large.length - 1), ConnectError, "malformed message");
});
