import { assertEquals, assertThrows } from "@std/assert";
import { BitReader, BitWriter } from "../../../store/format/bits.ts";
import { ByteReader } from "../../../store/format/byte_reader.ts";
import { ByteWriter, varintLength } from "../../../store/format/byte_writer.ts";
import { DamagedError } from "../../../store/format/value.ts";
import { property, type Random } from "./random.ts";

type Item = { write(out: ByteWriter): void; read(reader: ByteReader): unknown; value: unknown };

function randomItem(random: Random): Item {
  const integer = random.integer();
  const double = random.double();
  const text = random.text(random.pick([3, 30, 300]));
  const bytes = random.bytes(random.below(50));
  return random.pick<Item>([
    { write: (out) => out.u8(integer & 255), read: (reader) => reader.u8(), value: integer & 255 },
    { write: (out) => out.u32(integer >>> 0), read: (reader) => reader.u32(), value: integer >>> 0 },
    { write: (out) => out.f64(double), read: (reader) => reader.f64(), value: double },
    { write: (out) => out.varint(Math.abs(integer)), read: (reader) => reader.varint(), value: Math.abs(integer) },
    { write: (out) => out.signed(integer), read: (reader) => reader.signed(), value: integer },
    { write: (out) => out.string(text), read: (reader) => reader.string(), value: text },
    { write: (out) => out.bytes(bytes), read: (reader) => Uint8Array.from(reader.bytes()), value: bytes },
  ]);
}

Deno.test("ByteReader reads what ByteWriter wrote, and throws wherever it ends too early", () =>
  property(100, (random) => {
    const items = Array.from({ length: 1 + random.below(20) }, () => randomItem(random));
    const out = new ByteWriter(1);
    for (const item of items) item.write(out);
    const bytes = out.finish();
    assertEquals(bytes, out.view());
    const readAll = (from: Uint8Array) => {
      const reader = new ByteReader(from);
      const values = items.map((item) => item.read(reader));
      reader.end();
      return values;
    };
    assertEquals(readAll(bytes), items.map((item) => item.value));
    assertThrows(() => readAll(bytes.subarray(0, random.below(bytes.length))), DamagedError);
    assertThrows(() => readAll(Uint8Array.of(...bytes, 0)), DamagedError);
  }));

Deno.test("ByteWriter.varint() takes 0 to 2^53 - 1, signed() their negatives too", () => {
  for (const value of [0, 1, 63, 64, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    const out = new ByteWriter();
    out.varint(value);
    assertEquals(out.length, varintLength(value));
    out.signed(-value);
    const reader = new ByteReader(out.view());
    assertEquals(reader.varint(), value);
    assertEquals(reader.signed() + value, 0);
  }
  for (const value of [-1, 0.5, NaN, 2 ** 53]) assertThrows(() => new ByteWriter().varint(value), RangeError);
  assertThrows(() => new ByteWriter().signed(2 ** 53), RangeError);
});

Deno.test("ByteReader.varint() refuses more than 2^53 - 1 and never ends late", () => {
  assertThrows(() => new ByteReader(new Uint8Array(20).fill(0xff)).varint(), DamagedError);
  assertThrows(() => new ByteReader(new Uint8Array(20).fill(0x80)).varint(), DamagedError);
  assertThrows(
    () => new ByteReader(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10)).varint(),
    DamagedError,
  );
});

Deno.test("ByteReader.count() and bytes() refuse what the bytes cannot hold", () => {
  const huge = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3);
  assertThrows(() => new ByteReader(huge).count(), DamagedError);
  assertThrows(() => new ByteReader(huge).bytes(), DamagedError);
  assertThrows(() => new ByteReader(Uint8Array.of(2, 0xff, 0xff)).string(), DamagedError);
});

Deno.test("ByteWriter.text() writes UTF-8 of any length", () =>
  property(50, (random) => {
    const text = random.text(500);
    const out = new ByteWriter(1);
    out.text(text);
    assertEquals(out.finish(), new TextEncoder().encode(text));
  }));

Deno.test("BitReader reads what BitWriter wrote", () =>
  property(100, (random) => {
    const widths = Array.from({ length: 1 + random.below(100) }, () => 1 + random.below(32));
    const values = widths.map((width) => random.below(2 ** width));
    const out = new ByteWriter();
    const bits = new BitWriter(out);
    values.forEach((value, i) => bits.write(value, widths[i]));
    bits.finish();
    assertEquals(out.length, Math.ceil(widths.reduce((sum, width) => sum + width, 0) / 8));
    const reader = new BitReader(out.view());
    assertEquals(widths.map((width) => reader.read(width)), values);
    reader.end();
    const short = new BitReader(out.view().subarray(0, -1));
    assertThrows(() => {
      for (const width of widths) short.read(width);
      short.end();
    }, DamagedError);
  }));
