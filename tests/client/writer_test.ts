import { assert, assertEquals, assertThrows } from "@std/assert";
import { create, type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { type OutgoingChunk, writeChunk } from "../../client/chunks.ts";
import { type LogInit, type PointInit, type Timestamp, writeLog, writePoint } from "../../client/items.ts";
import { FieldWriter } from "../../client/writer.ts";
import { DataPointSchema, LogEntrySchema } from "../../gen/sluice/v1/data_collection_pb.ts";
import { FileChunkSchema } from "../../gen/sluice/v1/file_upload_pb.ts";

const ROUNDS = 5000;

/** Lengths where the number of bytes before a text, or the way it is written, changes. */
const LENGTHS = [0, 0, 1, 2, 3, 5, 8, 13, 39, 40, 41, 63, 64, 79, 80, 100, 116, 117, 118, 127, 128, 129, 300];
const LONG_LENGTHS = [16_383, 16_384, 16_385, 70_000, 300_000];
const CHARACTERS = [
  "\0",
  "\x7f",
  "\x80",
  "ü",
  "\u07ff",
  "\u0800",
  "漢",
  "\uffff",
  "😀",
  "\u{10ffff}",
  "e\u0301",
  "\ufeff",
];
const NUMBERS = [0, -0, 1, -1, 0.1, 5e-324, -5e-324, 2.2e-308, 1.8e308, Infinity, -Infinity, NaN, 2 ** 53, -(2 ** 63)];
const WHOLE = [
  ...[0, -0, 1, -1, 127, 128, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53, -(2 ** 53), 2 ** 63 - 1024, -(2 ** 63), 1.7e12],
  ...[0n, 1n, -1n, 2n ** 32n, 2n ** 35n - 1n, -(2n ** 32n), 2n ** 62n + 1n, 2n ** 63n - 1n, -(2n ** 63n)],
];

function pick<T>(values: readonly T[]): T {
  return values[Math.floor(Math.random() * values.length)];
}

function maybe<T>(chance: number, make: () => T): T | undefined {
  return Math.random() < chance ? make() : undefined;
}

function randomText(): string {
  const length = pick(Math.random() < 0.001 ? LONG_LENGTHS : LENGTHS);
  const foreign = pick([0, 0, 0.02, 1]);
  let text = "";
  while (text.length < length) {
    text += Math.random() < foreign ? pick(CHARACTERS) : String.fromCharCode(32 + Math.random() * 95);
  }
  return text;
}

function randomRecord<T>(value: () => T): Record<string, T> {
  const record: Record<string, T> = {};
  for (let left = pick([0, 1, 2, 3, 3, 40]); left > 0; left--) record[randomText()] = value();
  return record;
}

function randomTimestamp(): Timestamp {
  return Math.random() < 0.3
    ? pick(WHOLE)
    : pick<Timestamp>([Date.now(), Date.now() + 0.5, -1.5, new Date(Math.floor((Math.random() - 0.5) * 1e15))]);
}

function int64(timestamp: Timestamp): bigint {
  if (typeof timestamp === "bigint") return timestamp;
  return BigInt(Math.floor(Number(timestamp)));
}

/** One writer for all rounds, so that its buffer is crossed at every place; `start` moves as it does in a batch. */
function compare<S extends DescMessage>(
  schema: S,
  writer: FieldWriter,
  message: Message & ReturnType<typeof create<S>>,
  write: () => void,
): void {
  writer.start = writer.at;
  write();
  const bytes = writer.bytes.subarray(writer.start, writer.at);
  const expected = toBinary(schema, message);
  assert(
    bytes.length === expected.length && bytes.every((byte, i) => byte === expected[i]),
    JSON.stringify(message.$typeName),
  );
  assertEquals(fromBinary(schema, bytes), message);
}

Deno.test("writePoint() writes what protobuf-es does", () => {
  const writer = new FieldWriter();
  for (let round = 0; round < ROUNDS; round++) {
    const point: PointInit = {
      source: randomText(),
      timestamp: randomTimestamp(),
      metrics: randomRecord(() =>
        Math.random() < 0.5 ? pick(NUMBERS) : (Math.random() - 0.5) * 10 ** pick([0, 9, 300])
      ),
      tags: maybe(0.8, () => randomRecord(randomText)),
    };
    const message = create(DataPointSchema, { ...point, timestamp: int64(point.timestamp) });
    compare(DataPointSchema, writer, message, () => writePoint(writer, point, round));
  }
});

Deno.test("writeLog() writes what protobuf-es does", () => {
  const writer = new FieldWriter();
  for (let round = 0; round < ROUNDS; round++) {
    const entry: LogInit = {
      application: randomText(),
      level: maybe(0.8, randomText),
      timestamp: randomTimestamp(),
      message: randomText(),
      fields: maybe(0.8, () => randomRecord(randomText)),
    };
    const message = create(LogEntrySchema, { ...entry, timestamp: int64(entry.timestamp) });
    compare(LogEntrySchema, writer, message, () => writeLog(writer, entry, round));
  }
});

Deno.test("writeChunk() writes what protobuf-es does", () => {
  const writer = new FieldWriter();
  const text = () => maybe(0.5, randomText) ?? "";
  const position = () => pick([0, 1, 127, 128, 2 ** 32, Number.MAX_SAFE_INTEGER, Math.floor(Math.random() * 1e12)]);
  for (let round = 0; round < ROUNDS / 5; round++) {
    const chunk: OutgoingChunk = {
      fileName: text(),
      contentType: text(),
      data: crypto.getRandomValues(new Uint8Array(pick([0, 1, 127, 128, 1000, 40_000]))),
      offset: position(),
      totalSize: position(),
      isLastChunk: Math.random() < 0.5,
      checksum: text(),
      fileChecksum: text(),
    };
    const message = create(FileChunkSchema, {
      ...chunk,
      offset: BigInt(chunk.offset),
      totalSize: BigInt(chunk.totalSize),
    });
    compare(FileChunkSchema, writer, message, () => writeChunk(writer, chunk));
  }
});

Deno.test("writePoint() writes lone surrogates as protobuf-es does", () => {
  const metrics: Record<string, number> = {};
  const tags: Record<string, string> = {};
  for (const text of ["\ud800", "a\udc00b", "\udc00\ud800", "\ud83d\ud83d\ude00", "x".repeat(100) + "\ud83d"]) {
    tags[text] = text;
    metrics[text] = 1;
  }
  const point = { source: "a\ud800", timestamp: 1, metrics, tags };
  const writer = new FieldWriter();
  writePoint(writer, point, 0);
  const expected = toBinary(DataPointSchema, { ...point, $typeName: "sluice.v1.DataPoint", timestamp: 1n });
  assertEquals(writer.bytes.slice(0, writer.at), expected);
});

Deno.test("writePoint() and writeLog() refuse values that are no numbers and texts that are none", () => {
  const writer = new FieldWriter();
  const strange: unknown[] = [undefined, null, true, "", [], {}, 5n, new Date(5), () => 6];
  for (const value of [...strange, "5"]) {
    const point = { source: "a", timestamp: 1, metrics: { cpu: value as number } };
    assertThrows(
      () => writePoint(writer, point, 7),
      TypeError,
      'Cannot encode point 7: metrics: "cpu" must be a number',
    );
  }
  for (const value of [...strange.filter((value) => value !== ""), 5]) {
    const tags = { zone: value as string };
    const point = { source: "a", timestamp: 1, metrics: { cpu: 1 }, tags };
    assertThrows(() => writePoint(writer, point, 7), TypeError, 'tags: "zone" must be a string');
    const entry = { application: "a", timestamp: 1, message: "m", fields: tags };
    assertThrows(() => writeLog(writer, entry, 7), TypeError, 'fields: "zone" must be a string');
  }
});

Deno.test("FieldWriter.int64() refuses what does not fit", () => {
  const writer = new FieldWriter();
  for (const value of [2 ** 63, -(2 ** 63) - 2048, 2n ** 63n, -(2n ** 63n) - 1n, NaN, Infinity]) {
    assertThrows(() => writer.int64(0x10, value), RangeError, "64 bits");
  }
});
