import { assertEquals, assertMatch } from "@std/assert";
import { type CollectionResult, createSluice, type LogInit, type PointInit, type Rejection } from "../../client/mod.ts";
import { DataCollectionService } from "../../gen/sluice/v1/data_collection_pb.ts";
import { DAY } from "../../limits.ts";
import { sharedServer } from "../support/shared_server.ts";
import { PROTOCOLS, receipt, send } from "../support/wire.ts";

const server = await sharedServer({ env: { SLUICE_RETENTION_DAYS: "2" } });
const sluice = createSluice({ url: server.url });
const { collectDataPoints, collectLogs } = DataCollectionService.method;
const now = Date.now();

const many = <T>(count: number, value: T) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, value]));

/** Each differs from a good point in one thing. */
const BAD_POINTS: Record<string, [bad: Partial<PointInit>, field: RegExp]> = {
  "an empty source": [{ source: "" }, /^source$/],
  "a source of 257 bytes": [{ source: "x".repeat(257) }, /^source$/],
  "a source of 258 bytes of UTF-8": [{ source: "é".repeat(129) }, /^source$/],
  "no metrics": [{ metrics: {} }, /^metrics$/],
  "a metric without a name": [{ metrics: { "": 1 } }, /^metrics$/],
  "a metric with a name of 257 bytes": [{ metrics: { ["x".repeat(257)]: 1 } }, /^metrics$/],
  "129 metrics": [{ metrics: many(129, 1) }, /^metrics$/],
  "NaN": [{ metrics: { good: 1, cpu: NaN } }, /^metrics\[cpu\]$/],
  "Infinity": [{ metrics: { cpu: Infinity } }, /^metrics\[cpu\]$/],
  "-Infinity": [{ metrics: { cpu: -Infinity } }, /^metrics\[cpu\]$/],
  "the timestamp 0": [{ timestamp: 0 }, /^timestamp$/],
  "a negative timestamp": [{ timestamp: -1 }, /^timestamp$/],
  "a timestamp past retention": [{ timestamp: now - 2 * DAY - 60_000 }, /^timestamp$/],
  "a timestamp more than a day ahead": [{ timestamp: now + DAY + 60_000 }, /^timestamp$/],
  "a timestamp in microseconds": [{ timestamp: now * 1000 }, /^timestamp$/],
  "the greatest timestamp": [{ timestamp: 2n ** 63n - 1n }, /^timestamp$/],
  "33 tags": [{ tags: many(33, "x") }, /^tags$/],
  "a tag without a key": [{ tags: { "": "x" } }, /^tags$/],
  "a tag with a value of 1025 bytes": [{ tags: { zone: "x".repeat(1025) } }, /^tags\[zone\]$/],
  "tags of more than 2 KiB": [{ tags: many(5, "x".repeat(500)) }, /^tags$/],
  "tags of more than 2 KiB of UTF-8": [{ tags: many(20, "漢".repeat(60)) }, /^tags$/],
};

const BAD_LOGS: Record<string, [bad: Partial<LogInit>, field: string]> = {
  "an empty application": [{ application: "" }, "application"],
  "an application of 257 bytes": [{ application: "x".repeat(257) }, "application"],
  "an unknown level": [{ level: "loud" }, "level"],
  "a message over 32 KiB": [{ message: "x".repeat(32 * 1024 + 1) }, "message"],
  "a message over 32 KiB of UTF-8": [{ message: "é".repeat(16 * 1024 + 1) }, "message"],
  "a timestamp past retention": [{ timestamp: now - 2 * DAY - 60_000 }, "timestamp"],
  "a timestamp more than a day ahead": [{ timestamp: now + DAY + 60_000 }, "timestamp"],
  "65 fields": [{ fields: many(65, "x") }, "fields"],
  "fields of more than 16 KiB": [{ fields: many(5, "x".repeat(4000)) }, "fields"],
  "a field without a key": [{ fields: { "": "x" } }, "fields"],
};

const point = (source: string, bad: Partial<PointInit> = {}): PointInit => ({
  source,
  timestamp: now,
  metrics: { cpu: 1 },
  tags: { zone: "a" },
  ...bad,
});
const entry = (application: string, bad: Partial<LogInit> = {}): LogInit => ({
  application,
  timestamp: now,
  message: "all is well",
  ...bad,
});

async function countPoints(source: string): Promise<number> {
  const { series } = await sluice.queryMetrics({ source, metric: "cpu" });
  return series.reduce((sum, { buckets }) => sum + Number(buckets[0].count), 0);
}

function assertRejected(rejections: readonly Rejection[], index: number, field: RegExp): void {
  assertEquals(rejections.length, 1);
  assertEquals(rejections[0].index, BigInt(index));
  assertEquals(rejections[0].code, "INVALID_ARGUMENT");
  assertEquals(rejections[0].retryable, false);
  assertMatch(rejections[0].field, field);
}

for (const [i, [what, [bad, field]]] of Object.entries(BAD_POINTS).entries()) {
  Deno.test(`bad point: ${what} is a rejection with its index, the good ones are kept`, async () => {
    const source = `point-${i}`;
    const result = await sluice.sendPoints([point(source), point(source), point(source, bad), point(source)]);
    assertEquals([result.totalProcessed, result.successfulCount, result.errorCount], [4, 3, 1]);
    assertRejected(result.rejections, 2, field);
    assertEquals(result.errors.length, 1);
    assertEquals(await countPoints(source), 3);
  });
}

for (const [i, [what, [bad, field]]] of Object.entries(BAD_LOGS).entries()) {
  Deno.test(`bad log entry: ${what} is a rejection with its index, the good ones are kept`, async () => {
    const application = `app-${i}`;
    const entries = [entry(application), entry(application, bad), entry(application)];
    const result = await sluice.sendLogs(entries);
    assertEquals([result.totalReceived, result.indexedCount, result.errorCount], [3, 2, 1n]);
    assertEquals(result.status, "partial");
    assertRejected(result.rejections, 1, new RegExp(`^${field}$`));
    assertEquals((await sluice.searchLogs({ application })).hits.length, 2);
  });
}

Deno.test("bad point: at the limits all is well", async () => {
  const atLimits = [
    point("x".repeat(256)),
    point("limits", { metrics: many(128, 1) }),
    point("limits", { tags: many(32, "x") }),
    point("limits", { tags: { zone: "x".repeat(1024) } }),
    point("limits", { timestamp: now - 2 * DAY + 60_000 }),
    point("limits", { timestamp: now + DAY - 60_000 }),
    point("limits", { metrics: { a: Number.MAX_VALUE, b: -Number.MAX_VALUE, c: Number.MIN_VALUE, d: -0 } }),
  ];
  const result = await sluice.sendPoints(atLimits);
  assertEquals([result.successfulCount, result.errors], [7, []]);
});

Deno.test("bad log entry: at the limits all is well", async () => {
  const atLimits = [
    entry("limits", { message: "x".repeat(32 * 1024) }),
    entry("limits", { message: "" }),
    entry("limits", { fields: many(64, "x") }),
    entry("limits", { fields: many(4, "x".repeat(4000)) }),
  ];
  const result = await sluice.sendLogs(atLimits);
  assertEquals([result.indexedCount, result.rejections], [4, []]);
  assertEquals((await sluice.searchLogs({ application: "limits" })).hits.length, 4);
});

Deno.test("rejections: counts are exact beyond the 100 that are named", async () => {
  const items = 2500;
  const isBad = (i: number) => i % 7 === 3;
  const bad = Array.from({ length: items }, (_, i) => i).filter(isBad);
  const points = Array.from({ length: items }, (_, i) => point("counts", isBad(i) ? { metrics: {} } : {}));
  for (const protocol of PROTOCOLS) {
    const messages = points.map((p) => ({ ...p, timestamp: BigInt(now) }));
    const result: CollectionResult = await receipt(send(server.url, collectDataPoints, messages, { protocol }));
    assertEquals([result.totalProcessed, result.errorCount], [items, bad.length]);
    assertEquals(result.successfulCount, items - bad.length);
    assertEquals(result.committed, BigInt(items));
    assertEquals(result.rejections.map(({ index }) => Number(index)), bad.slice(0, 100));
    assertEquals(result.errors.length, 100);
  }
  assertEquals(await countPoints("counts"), 3 * (items - bad.length));

  const entries = Array.from({ length: items }, (_, i) => entry("counts", isBad(i) ? { level: "loud" } : {}));
  const messages = entries.map((e) => ({ ...e, timestamp: BigInt(now) }));
  for (const protocol of PROTOCOLS) {
    const result = await receipt(send(server.url, collectLogs, messages, { protocol }));
    assertEquals([result.totalReceived, Number(result.errorCount)], [items, bad.length]);
    assertEquals(result.indexedCount, items - bad.length);
    assertEquals(result.rejections.map(({ index }) => Number(index)), bad.slice(0, 100));
  }
});

Deno.test("points: 128 metrics with the longest tags there may be are stored", async () => {
  const tags = many(16, "x".repeat(100));
  const result = await sluice.sendPoints([point("wide", { metrics: { ...many(127, 1), cpu: 1 }, tags })]);
  assertEquals(result.successfulCount, 1);
  assertEquals(await countPoints("wide"), 1);
});
