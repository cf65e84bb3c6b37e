import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { decodeText, LEN, readTextEntry, VARINT, WireReader } from "../../decode/wire.ts";
import { GIB, MIB } from "../../limits.ts";

/** As in decode/wire.ts. */
const MAX_GROUP_DEPTH = 100;

function reader(...bytes: number[]): WireReader {
  return new WireReader(Uint8Array.from(bytes), 0, bytes.length);
}

/** A reader of `bytes` with as many more of `behind` after its end, which it must not look at. */
function followed(bytes: readonly number[], behind: number): WireReader {
  return new WireReader(Uint8Array.of(...bytes, ...Array<number>(40).fill(behind)), 0, bytes.length);
}

function refused(read: () => unknown): string {
  const error = assertThrows(read, ConnectError);
  assertEquals(Code[error.code], Code[Code.InvalidArgument]);
  assertStringIncludes(error.rawMessage, "malformed message: ");
  return error.rawMessage;
}

/** Groups within groups, `depth` of them. */
function groups(depth: number, field = 1): number[] {
  return [...Array<number>(depth).fill(field << 3 | 3), ...Array<number>(depth).fill(field << 3 | 4)];
}

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  for (let rest = value;; rest >>= 7n) {
    if (rest < 0x80n) return [...bytes, Number(rest)];
    bytes.push(Number(rest & 0x7fn) | 0x80);
  }
}

Deno.test("WireReader refuses lengths that lie, and allocates nothing by them", () => {
  const lies = [1n, 2n, 127n, 128n, BigInt(4 * MIB), BigInt(GIB), 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n];
  const hugeLies = [2n ** 32n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n];
  const before = Deno.memoryUsage();
  for (const lie of [...lies, ...hugeLies]) {
    for (const behind of [0x00, 0x41, 0xff]) {
      const claims = followed(varint(lie), behind);
      refused(() => claims.string());
      for (const read of ["view", "message", "delimited", "string"] as const) {
        refused(() => followed(varint(lie), behind)[read]());
      }
      const skipped = followed([0x0a, ...varint(lie)], behind);
      assert(skipped.next());
      refused(() => skipped.skip());
    }
  }
  const { heapTotal, external } = Deno.memoryUsage();
  assert(heapTotal + external - before.heapTotal - before.external < 64 * MIB);
});

Deno.test("WireReader holds an inner message to its own end", () => {
  // An entry of three bytes whose key claims four: they are there, but not the entry's.
  const outer = reader(0x0a, 3, 0x0a, 4, 0x61, 0x62, 0x63, 0x64);
  assert(outer.next());
  const entry = outer.message();
  assertEquals([entry.at, entry.end, outer.at], [2, 5, 5]);
  refused(() => readTextEntry(entry));
});

Deno.test("WireReader refuses what ends too early, wherever it is cut", () => {
  const whole = [
    0x08,
    0x96,
    0x01,
    0x11,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    0x1a,
    2,
    0x61,
    0x62,
    0x25,
    1,
    2,
    3,
    4,
    0x2b,
    0x08,
    1,
    0x2c,
  ];
  const boundaries = [0, 3, 12, 16, 21, 25];
  for (let end = 0; end <= whole.length; end++) {
    for (const behind of [0x00, 0x7f, 0x80]) {
      const cut = followed(whole.slice(0, end), behind);
      const read = () => {
        while (cut.next()) cut.skip();
      };
      if (boundaries.includes(end)) read();
      else refused(read);
    }
  }
});

Deno.test("WireReader reads tags of up to five bytes and 32 bits", () => {
  for (const field of [1, 15, 16, 2047, 2 ** 29 - 1]) {
    const tagged = reader(...varint(BigInt(field) << 3n | 2n));
    assert(tagged.next());
    assertEquals([tagged.field, tagged.wireType], [field, LEN]);
  }
  const padded = reader(0x88, 0x80, 0x80, 0x80, 0x00);
  assert(padded.next());
  assertEquals([padded.field, padded.wireType], [1, VARINT]);
  for (
    const tag of [
      [0x88, 0x80, 0x80, 0x80, 0x80, 0x00],
      [0x88, 0x80, 0x80, 0x80, 0x10],
      [0x88, 0x80, 0x80, 0x80, 0x7f],
      [0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
      [0x88],
      [0x00],
      [0x07],
      [0x02],
      [0x0e],
      [0x0f],
    ]
  ) {
    refused(() => reader(...tag).next());
  }
});

Deno.test("WireReader reads varints of up to ten bytes, modulo 2^64", () => {
  const values = [0n, 1n, 127n, 128n, 2n ** 53n + 1n, 2n ** 63n - 1n, -1n, -(2n ** 63n)];
  for (const value of values) assertEquals(reader(...varint(BigInt.asUintN(64, value))).int64(), value);
  assertEquals(reader(0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00).int64(), 1n);
  // What is beyond 64 bits in the tenth byte does not count.
  assertEquals(reader(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f).int64(), -(2n ** 63n));
  refused(() => reader(...Array<number>(10).fill(0x80), 0x00).int64());
  refused(() => reader(...Array<number>(9).fill(0x80)).int64());
  refused(() => reader().int64());
});

Deno.test("WireReader reads doubles bit by bit, wherever their buffer begins", () => {
  for (const value of [0, -0, 1.5, NaN, -Infinity, Number.MIN_VALUE, Number.MAX_VALUE]) {
    const bytes = new Uint8Array(20);
    const view = bytes.subarray(3);
    new DataView(bytes.buffer).setFloat64(8, value, true);
    assertEquals(new WireReader(view, 5, 13).double(), value);
    refused(() => new WireReader(view, 5, 12).double());
  }
});

Deno.test("WireReader passes over groups up to a depth, and no further", () => {
  for (const depth of [1, 2, MAX_GROUP_DEPTH]) {
    const nested = reader(...groups(depth), 0x08, 1);
    assert(nested.next());
    nested.skip();
    assert(nested.next());
    assertEquals(nested.int64(), 1n);
  }
  for (const depth of [MAX_GROUP_DEPTH + 1, 1_000_000]) {
    const nested = new WireReader(new Uint8Array(depth).fill(0x0b), 0, depth);
    assert(nested.next());
    assertStringIncludes(refused(() => nested.skip()), "nested");
  }
});

Deno.test("WireReader refuses groups that do not end, end as another, or only end", () => {
  for (const bytes of [[0x0b], [0x0b, 0x08, 1], [0x0b, 0x14], [0x0b, 0x13, 0x0c, 0x14], [0x0c]]) {
    const broken = followed(bytes, 0x0c);
    assert(broken.next());
    refused(() => broken.skip());
  }
});

Deno.test("decodeText() takes text of any length, and only UTF-8", () => {
  for (
    const text of ["", "a", "x".repeat(24), "x".repeat(25), "é", "漢字", "😀", `${"x".repeat(23)}é`, "\ufeffbom", "\0"]
  ) {
    const bytes = new TextEncoder().encode(text);
    const around = Uint8Array.of(0xff, ...bytes, 0x80);
    assertEquals(decodeText(around, 1, 1 + bytes.length), text);
  }
  const wrong = [[0x80], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x61, 0xff]];
  for (const bytes of wrong) {
    for (const before of ["", "x".repeat(30)]) {
      const whole = Uint8Array.of(...new TextEncoder().encode(before), ...bytes);
      assertStringIncludes(refused(() => decodeText(whole, 0, whole.length)), "UTF-8");
    }
  }
});

Deno.test("readTextEntry() takes the last of each, and nothing for an empty text", () => {
  assertEquals(readTextEntry(reader()), ["", ""]);
  assertEquals(readTextEntry(reader(0x12, 1, 0x76)), ["", "v"]);
  assertEquals(readTextEntry(reader(0x0a, 1, 0x6b, 0x12, 1, 0x76, 0x0a, 1, 0x6c, 0x18, 1)), ["l", "v"]);
  // A value of another wire type is an unknown field.
  assertEquals(readTextEntry(reader(0x0a, 1, 0x6b, 0x10, 1)), ["k", ""]);
});
