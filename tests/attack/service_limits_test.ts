import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Code, ConnectError, createSluice } from "../../client/mod.ts";
import {
  HOUR,
  MAX_CONTENT_TYPE_BYTES,
  MAX_DEADLINE_MS,
  MAX_LOG_FIELD_BYTES,
  MAX_LOG_FIELDS,
  MAX_LOG_MESSAGE_BYTES,
  MAX_METRICS,
  MAX_NAME_BYTES,
  MAX_PAGE_SIZE,
  MAX_QUERY_BUCKETS,
  MAX_QUERY_QUANTILES,
  MAX_QUERY_SERIES,
  MAX_QUOTED_CHARACTERS,
  MAX_REJECTIONS,
  MAX_SEARCH_TERMS,
  MAX_SERIES_BYTES,
  MAX_TAG_VALUE_BYTES,
  MAX_TAGS,
} from "../../limits.ts";
import { sharedServer } from "../support/shared_server.ts";

const server = await sharedServer();
const sluice = createSluice({ url: server.url });
const now = Date.now();

const many = <T>(count: number, value: (i: number) => T) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, value(i)]));
const point = (more: Record<string, unknown>) => ({ source: "s", timestamp: now, metrics: { m: 1 }, ...more });
const entry = (more: Record<string, unknown>) => ({ application: "a", timestamp: now, message: "m", ...more });

/** What is at the limit, and what is over it; the field that the rejection names. */
const POINTS: Record<string, [at: object, over: object, field: string]> = {
  MAX_METRICS: [{ metrics: many(MAX_METRICS, Number) }, { metrics: many(MAX_METRICS + 1, Number) }, "metrics"],
  MAX_TAGS: [{ tags: many(MAX_TAGS, String) }, { tags: many(MAX_TAGS + 1, String) }, "tags"],
  MAX_NAME_BYTES: [
    { source: "é".repeat(MAX_NAME_BYTES / 2) },
    { source: "é".repeat(MAX_NAME_BYTES / 2) + "x" },
    "source",
  ],
  MAX_TAG_VALUE_BYTES: [
    { tags: { k: "v".repeat(MAX_TAG_VALUE_BYTES) } },
    { tags: { k: "v".repeat(MAX_TAG_VALUE_BYTES + 1) } },
    "tags[k]",
  ],
  MAX_SERIES_BYTES: [
    { source: "s", metrics: { m: 1 }, tags: { a: "v".repeat(1024), b: "v".repeat(MAX_SERIES_BYTES - 1028) } },
    { source: "s", metrics: { m: 1 }, tags: { a: "v".repeat(1024), b: "v".repeat(MAX_SERIES_BYTES - 1027) } },
    "tags",
  ],
};
const ENTRIES: typeof POINTS = {
  MAX_LOG_MESSAGE_BYTES: [
    { message: "m".repeat(MAX_LOG_MESSAGE_BYTES) },
    { message: "m".repeat(MAX_LOG_MESSAGE_BYTES + 1) },
    "message",
  ],
  MAX_LOG_FIELDS: [{ fields: many(MAX_LOG_FIELDS, String) }, { fields: many(MAX_LOG_FIELDS + 1, String) }, "fields"],
  MAX_LOG_FIELD_BYTES: [
    { fields: { k: "v".repeat(MAX_LOG_FIELD_BYTES - 1) } },
    { fields: { k: "v".repeat(MAX_LOG_FIELD_BYTES) } },
    "fields",
  ],
};

for (const [limit, [at, over, field]] of Object.entries(POINTS)) {
  Deno.test(`${limit}: a point at it is kept, one over it is a rejection`, async () => {
    const receipt = await sluice.sendPoints([point({ ...at }), point({ ...over })]);
    assertEquals([receipt.successfulCount, receipt.errorCount], [1, 1]);
    assertEquals([receipt.rejections[0].index, receipt.rejections[0].field], [1n, field]);
  });
}

for (const [limit, [at, over, field]] of Object.entries(ENTRIES)) {
  Deno.test(`${limit}: an entry at it is kept, one over it is a rejection`, async () => {
    const receipt = await sluice.sendLogs([entry({ ...at }), entry({ ...over })]);
    assertEquals([receipt.indexedCount, receipt.errorCount], [1, 1n]);
    assertEquals([receipt.rejections[0].index, receipt.rejections[0].field], [1n, field]);
  });
}

Deno.test("MAX_REJECTIONS: a receipt names that many, and counts all", async () => {
  const receipt = await sluice.sendPoints(Array.from({ length: 3 * MAX_REJECTIONS }, () => point({ source: "" })));
  assertEquals([receipt.errorCount, receipt.rejections.length], [3 * MAX_REJECTIONS, MAX_REJECTIONS]);
});

async function assertCode(code: Code, call: () => Promise<unknown>): Promise<ConnectError> {
  const error = await assertRejects(call, ConnectError);
  assertEquals(Code[error.code], Code[code], error.message);
  return error;
}

Deno.test("MAX_QUERY_SERIES and MAX_QUERY_BUCKETS: a query over them is told how to narrow it", async () => {
  await sluice.sendPoints(
    Array.from({ length: MAX_QUERY_SERIES + 1 }, (_, i) => point({ metrics: { wide: i }, tags: { n: `${i}` } })),
  );
  assertStringIncludes(
    (await assertCode(Code.ResourceExhausted, () => sluice.queryMetrics({ metric: "wide" }))).message,
    "narrow",
  );
  assertEquals((await sluice.queryMetrics({ metric: "wide", tags: { n: "7" } })).series.length, 1);

  const from = now - 2 * HOUR;
  await sluice.sendPoints(
    Array.from({ length: MAX_QUERY_BUCKETS + 1 }, (_, i) => point({ metrics: { fine: i }, timestamp: from + i })),
  );
  await assertCode(Code.ResourceExhausted, () => sluice.queryMetrics({ metric: "fine", stepMs: 1n }));
  assertEquals((await sluice.queryMetrics({ metric: "fine", stepMs: BigInt(HOUR) })).series.length, 1);
});

Deno.test("limits of questions: over each is INVALID_ARGUMENT", async () => {
  const over: (() => Promise<unknown>)[] = [
    () => sluice.queryMetrics({ metric: "m", quantiles: Array(MAX_QUERY_QUANTILES + 1).fill(0.5) }),
    () => sluice.searchLogs({ words: Array(MAX_SEARCH_TERMS + 1).fill("w") }),
    () => sluice.searchLogs({ pageSize: MAX_PAGE_SIZE + 1 }),
    () => sluice.listSeries({ pageSize: MAX_PAGE_SIZE + 1 }),
    () => sluice.files.list({ pageSize: MAX_PAGE_SIZE + 1 }),
    () =>
      sluice.uploadFile(new Uint8Array(1), { name: "a.txt", contentType: `a/${"b".repeat(MAX_CONTENT_TYPE_BYTES)}` }),
  ];
  for (const call of over) await assertCode(Code.InvalidArgument, call);
});

Deno.test("MAX_QUOTED_CHARACTERS: an error does not repeat a caller's text at any length", async () => {
  const error = await assertCode(Code.NotFound, () => sluice.files.get("x".repeat(300_000)));
  assert(error.message.length < 2 * MAX_QUOTED_CHARACTERS + 50, `${error.message.length} characters`);
});

Deno.test("MAX_DEADLINE_MS: a longer one is INVALID_ARGUMENT", async () => {
  const ask = (timeout: number) =>
    fetch(`${server.url}/sluice.v1.FileUploadService/ListFiles`, {
      method: "POST",
      headers: { "content-type": "application/json", "connect-timeout-ms": `${timeout}` },
      body: "{}",
    });
  assertEquals((await (await ask(MAX_DEADLINE_MS + 1)).json()).code, "invalid_argument");
  const fine = await ask(MAX_DEADLINE_MS);
  assertEquals(fine.status, 200);
  await fine.body?.cancel();
});
