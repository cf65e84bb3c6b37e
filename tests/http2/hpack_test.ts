import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConnectionError } from "../../http2/errors.ts";
import { HpackDecoder } from "../../http2/hpack/decoder.ts";
import { DynamicTable } from "../../http2/hpack/dynamic_table.ts";
import { HpackEncoder } from "../../http2/hpack/encoder.ts";
import {
  huffmanDecode,
  huffmanEncode,
  huffmanEncodedLength,
  maxHuffmanDecodedLength,
} from "../../http2/hpack/huffman.ts";
import { BlockCursor, MAX_INTEGER_BYTES, writeInteger } from "../../http2/hpack/integer.ts";
import vectors from "./hpack_vectors.json" with { type: "json" };
import { seededRandom } from "./support.ts";

interface Block {
  fields: string[][];
  tableSize?: number;
  theirs: string;
  ours: string;
}

function decodeHex(decoder: HpackDecoder, hex: string): string[] {
  const fields: string[] = [];
  const bytes = Uint8Array.fromHex(hex);
  decoder.decode(bytes, 0, bytes.length, fields);
  return fields;
}

Deno.test("HpackDecoder.decode() agrees with another implementation's encoder", () => {
  for (const blocks of vectors as Block[][]) {
    const decoder = new HpackDecoder(4096, 1 << 20);
    for (const block of blocks) assertEquals(decodeHex(decoder, block.theirs), block.fields.flat());
  }
});

Deno.test("HpackEncoder.field() encodes what another implementation's decoder has verified", () => {
  for (const blocks of vectors as Block[][]) {
    const encoder = new HpackEncoder(4096, 4096);
    for (const block of blocks) {
      if (block.tableSize !== undefined) encoder.permitTableSize(block.tableSize);
      encoder.begin();
      for (const [name, value] of block.fields) encoder.field(name, value);
      assertEquals(encoder.buffer.subarray(0, encoder.length).toHex(), block.ours);
    }
  }
});

Deno.test("HpackDecoder.decode() reads the requests of RFC 7541 appendix C.4", () => {
  const decoder = new HpackDecoder(4096, 1 << 20);
  const first = [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "www.example.com"];
  assertEquals(decodeHex(decoder, "828684418cf1e3c2e5f23a6ba0ab90f4ff"), first);
  assertEquals(decodeHex(decoder, "828684be5886a8eb10649cbf"), [...first, "cache-control", "no-cache"]);
});

Deno.test("HpackEncoder and HpackDecoder round-trip any fields while tables change size", () => {
  const random = seededRandom(42);
  const text = (most: number, from: number, to: number) =>
    String.fromCharCode(...Array.from({ length: random() * most | 0 }, () => from + (random() * (to - from) | 0)));
  const encoder = new HpackEncoder(4096, 4096);
  const decoder = new HpackDecoder(4096, 1 << 20);
  const pool = Array.from({ length: 60 }, () => [`x${text(12, 97, 122)}`, text(200, 0, 256)]);
  for (let run = 0; run < 500; run++) {
    if (random() < 0.2) encoder.permitTableSize(random() * 5000 | 0);
    if (random() < 0.1) encoder.permitTableSize(random() * 5000 | 0);
    const fields = Array.from({ length: random() * 12 | 0 }, () => pool[random() * pool.length | 0]);
    encoder.begin();
    for (const [name, value] of fields) encoder.field(name, value);
    const decoded: string[] = [];
    decoder.decode(encoder.buffer, 0, encoder.length, decoded);
    assertEquals(decoded, fields.flat(), `run ${run}`);
  }
});

Deno.test("huffmanEncode() and huffmanDecode() round-trip any octets", () => {
  const random = seededRandom(7);
  for (let run = 0; run < 2_000; run++) {
    const text = String.fromCharCode(...Array.from({ length: random() * 60 | 0 }, () => random() * 256 | 0));
    const coded = new Uint8Array(huffmanEncodedLength(text));
    assertEquals(huffmanEncode(text, coded, 0), coded.length);
    const plain = new Uint8Array(maxHuffmanDecodedLength(coded.length));
    const length = huffmanDecode(coded, 0, coded.length, plain);
    assertEquals(String.fromCharCode(...plain.subarray(0, length)), text);
  }
});

Deno.test("writeInteger() and BlockCursor.integer() round-trip any number and prefix", () => {
  const random = seededRandom(3);
  const buffer = new Uint8Array(MAX_INTEGER_BYTES);
  for (let run = 0; run < 5_000; run++) {
    const value = Math.floor(random() * 2 ** (random() * 31));
    const prefix = 4 + (random() * 4 | 0);
    const end = writeInteger(buffer, 0, 0, prefix, value);
    const cursor = new BlockCursor(buffer, 1, end);
    assertEquals(cursor.integer(buffer[0], prefix), value);
    assertEquals(cursor.at, end);
  }
});

Deno.test("HpackDecoder.decode() refuses what RFC 7541 forbids", () => {
  const refused: [string, string][] = [
    ["80", "there is no entry 0"],
    ["be", "there is no entry 62"],
    ["ffffffffff7f", "an integer is too large"],
    ["ffffffffffff01", "an integer is too large"],
    ["40", "cut short"],
    ["400a6162", "a string is longer"],
    ["3fe21f", "over SETTINGS_HEADER_TABLE_SIZE"],
    ["8220", "out of place"],
    ["202020", "out of place"],
    ["4081ff0130", "padding"],
    ["4084fffffffc0130", "EOS"],
  ];
  for (const [hex, message] of refused) {
    assertThrows(() => decodeHex(new HpackDecoder(4096, 1 << 20), hex), ConnectionError, message);
  }
});

Deno.test("HpackDecoder.decode() keeps no more than its list may hold, and stays in step", () => {
  const encoder = new HpackEncoder(4096, 4096);
  const decoder = new HpackDecoder(4096, 1_000);
  encoder.begin();
  for (let i = 0; i < 20; i++) encoder.field("x-large", "v".repeat(200));
  encoder.field("x-last", "1");
  const fields: string[] = [];
  decoder.decode(encoder.buffer, 0, encoder.length, fields);
  assert(decoder.overflowed);
  assert(fields.join("").length < 1_000);
  encoder.begin();
  encoder.field("x-last", "1");
  fields.length = 0;
  decoder.decode(encoder.buffer, 0, encoder.length, fields);
  assert(!decoder.overflowed);
  assertEquals(fields, ["x-last", "1"]);
});

Deno.test("HpackEncoder.field() never puts secrets into the table", () => {
  const encoder = new HpackEncoder(4096, 4096);
  for (let i = 0; i < 2; i++) {
    encoder.begin();
    encoder.field("authorization", "Bearer secret");
    // RFC 7541 section 6.2.3: never indexed, with the name's static index 23.
    assertEquals([encoder.buffer[0], encoder.buffer[1]], [0x1f, 23 - 15]);
  }
});

Deno.test("DynamicTable.insert() evicts the oldest, and empties itself for an entry that is too large", () => {
  const evicted: string[] = [];
  const table = new DynamicTable(100, (_, name) => evicted.push(name));
  assert(table.insert("a", "1"));
  assert(table.insert("b", "2"));
  assert(table.insert("c", "3"));
  assertEquals(evicted, ["a"]);
  assert(!table.insert("d", "x".repeat(100)));
  assertEquals(evicted, ["a", "b", "c"]);
  assertEquals([table.count, table.bytes], [0, 0]);
});
