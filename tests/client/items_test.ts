import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { fromBinary } from "@bufbuild/protobuf";
import { type LogInit, type PointInit, writeLog, writePoint } from "../../client/items.ts";
import { FieldWriter } from "../../client/writer.ts";
import { DataPointSchema, LogEntrySchema } from "../../gen/sluice/v1/data_collection_pb.ts";

function encodePoint(point: PointInit, index: number): Uint8Array {
  const writer = new FieldWriter();
  writePoint(writer, point, index);
  return writer.bytes.subarray(0, writer.at);
}

function encodeLog(entry: LogInit, index: number): Uint8Array {
  const writer = new FieldWriter();
  writeLog(writer, entry, index);
  return writer.bytes.subarray(0, writer.at);
}

Deno.test("writePoint() carries every field", () => {
  const point = fromBinary(
    DataPointSchema,
    encodePoint({ source: "a", timestamp: 5n, metrics: { x: 1.5, y: -0 }, tags: { zone: "ü" } }, 0),
  );
  assertEquals(point.source, "a");
  assertEquals(point.timestamp, 5n);
  assertEquals(point.metrics, { x: 1.5, y: -0 });
  assertEquals(point.tags, { zone: "ü" });
});

Deno.test("writePoint() takes a timestamp as bigint, number or Date", () => {
  const ms = 1_700_000_000_123;
  for (const timestamp of [BigInt(ms), ms, ms + 0.9, new Date(ms)]) {
    const point = fromBinary(DataPointSchema, encodePoint({ source: "a", timestamp, metrics: { x: 1 } }, 0));
    assertEquals(point.timestamp, BigInt(ms));
  }
  const before = fromBinary(DataPointSchema, encodePoint({ source: "a", timestamp: -1.5, metrics: {} }, 0));
  assertEquals(before.timestamp, -2n);
});

Deno.test("writePoint() leaves bad values to the server, and names the item of a bad shape", () => {
  const point = fromBinary(DataPointSchema, encodePoint({ source: "", timestamp: 0, metrics: { x: NaN } }, 0));
  assertEquals(point.metrics, { x: NaN });
  assertStringIncludes(
    assertThrows(() => encodePoint({ source: "a", timestamp: NaN, metrics: {} }, 17), TypeError).message,
    "Cannot encode point 17: timestamp",
  );
  const good = { source: "a", timestamp: 1, metrics: { x: 1 } };
  const wrong: [unknown, string][] = [
    [undefined, "source"],
    [null, "source"],
    [{ ...good, source: 5 }, "source"],
    [{ ...good, source: undefined }, "source"],
    [{ ...good, timestamp: Infinity }, "timestamp"],
    [{ ...good, timestamp: undefined }, "timestamp"],
    [{ ...good, timestamp: "1" }, "timestamp"],
    [{ ...good, timestamp: new Date("never") }, "timestamp"],
    [{ ...good, timestamp: 2n ** 63n }, "timestamp"],
    [{ ...good, timestamp: 1e300 }, "timestamp"],
    [{ ...good, metrics: undefined }, "metrics"],
    [{ ...good, metrics: { x: 1n } }, "metrics"],
  ];
  for (const [point, field] of wrong) {
    const error = assertThrows(() => encodePoint(point as PointInit, 3), TypeError);
    assertStringIncludes(error.message, `Cannot encode point 3: ${field}: `);
  }
});

Deno.test("writeLog() carries every field", () => {
  const entry = fromBinary(
    LogEntrySchema,
    encodeLog({ application: "shop", level: "W", timestamp: new Date(7), message: "m", fields: { a: "b" } }, 0),
  );
  assertEquals(entry.application, "shop");
  assertEquals(entry.level, "W");
  assertEquals(entry.timestamp, 7n);
  assertEquals(entry.message, "m");
  assertEquals(entry.fields, { a: "b" });
  assertEquals(fromBinary(LogEntrySchema, encodeLog({ application: "a", timestamp: 1, message: "" }, 0)).level, "");
});
