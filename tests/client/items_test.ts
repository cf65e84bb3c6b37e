import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { fromBinary } from "@bufbuild/protobuf";
import { encodeLog, encodePoint, type PointInit } from "../../client/items.ts";
import { DataPointSchema, LogEntrySchema } from "../../gen/sluice/v1/data_collection_pb.ts";

Deno.test("encodePoint() carries every field", () => {
  const point = fromBinary(
    DataPointSchema,
    encodePoint({ source: "a", timestamp: 5n, metrics: { x: 1.5, y: -0 }, tags: { zone: "ü" } }, 0),
  );
  assertEquals(point.source, "a");
  assertEquals(point.timestamp, 5n);
  assertEquals(point.metrics, { x: 1.5, y: -0 });
  assertEquals(point.tags, { zone: "ü" });
});

Deno.test("encodePoint() takes a timestamp as bigint, number or Date", () => {
  const ms = 1_700_000_000_123;
  for (const timestamp of [BigInt(ms), ms, ms + 0.9, new Date(ms)]) {
    const point = fromBinary(DataPointSchema, encodePoint({ source: "a", timestamp, metrics: { x: 1 } }, 0));
    assertEquals(point.timestamp, BigInt(ms));
  }
  const before = fromBinary(DataPointSchema, encodePoint({ source: "a", timestamp: -1.5, metrics: {} }, 0));
  assertEquals(before.timestamp, -2n);
});

Deno.test("encodePoint() leaves bad values to the server, and names the item of a bad shape", () => {
  const point = fromBinary(DataPointSchema, encodePoint({ source: "", timestamp: 0, metrics: { x: NaN } }, 0));
  assertEquals(point.metrics, { x: NaN });
  assertStringIncludes(
    assertThrows(() => encodePoint({ source: "a", timestamp: NaN, metrics: {} }, 17), TypeError).message,
    "Cannot encode point 17: timestamp",
  );
  const wrong = { source: 5, timestamp: 1, metrics: { x: 1 } } as unknown as PointInit;
  assertStringIncludes(assertThrows(() => encodePoint(wrong, 3), TypeError).message, "point 3");
});

Deno.test("encodeLog() carries every field", () => {
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
