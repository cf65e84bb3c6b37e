import { assert, assertEquals, assertGreater, assertLess, assertRejects } from "@std/assert";
import { Code, ConnectError, createSluice, type LogInit, SearchOrder } from "../../client/mod.ts";
import { DataCollectionService } from "../../gen/sluice/v1/data_collection_pb.ts";
import { HOUR } from "../../limits.ts";
import { searchAll } from "../support/ask.ts";
import { startServer } from "../support/server.ts";
import { sharedServer } from "../support/shared_server.ts";
import { until } from "../support/until.ts";
import { PROTOCOLS, receipt, send } from "../support/wire.ts";

const server = await sharedServer();
const sluice = createSluice({ url: server.url });
const { collectLogs } = DataCollectionService.method;
const now = Date.now();

type Query = Parameters<typeof sluice.searchLogs>[0];

/** Messages of the hits, in the order of the answer. */
async function messages(query: Query): Promise<string[]> {
  return (await sluice.searchLogs(query)).hits.map(({ entry }) => entry?.message ?? "");
}

Deno.test("LogCollection: 10,000 entries are collected, indexed and found again", async () => {
  const levels = ["debug", "info", "warn", "error"];
  const entries: LogInit[] = Array.from({ length: 10_000 }, (_, i) => ({
    application: `bulk-${i % 3}`,
    level: levels[i % 4],
    timestamp: now - i,
    message: `request number${i} took ${i % 977} ms`,
    fields: { user: `u${i % 100}` },
  }));
  const result = await sluice.sendLogs(entries);
  assertEquals([result.totalReceived, result.indexedCount, result.status], [10_000, 10_000, "completed"]);
  assertEquals([result.committed, result.errorCount, result.filteredCount], [10_000n, 0n, 0n]);
  let found = 0;
  for (const application of ["bulk-0", "bulk-1", "bulk-2"]) {
    found += (await searchAll(sluice, { application, pageSize: 1000 })).hits.length;
  }
  assertEquals(found, 10_000);
  assertEquals(await messages({ words: ["number4321"] }), [entries[4321].message]);
  const { hits } = await sluice.searchLogs({ application: "bulk-2", words: ["number4321", "took"] });
  assertEquals(hits, []);
  const of42 = await searchAll(sluice, { fields: { user: "u42" }, minLevel: "info", pageSize: 1000 });
  assertEquals(of42.hits.length, entries.filter((e) => e.fields?.user === "u42" && e.level !== "debug").length);
});

Deno.test("LogCollection: levels in their usual spellings become six", async () => {
  const spellings = {
    t: "TRACE",
    dbg: "DEBUG",
    "": "INFO",
    Notice: "INFO",
    warning: "WARN",
    Err: "ERROR",
    crit: "FATAL",
  };
  for (const protocol of PROTOCOLS) {
    const application = `levels-${protocol}`;
    const entries = Object.keys(spellings).map((level, i) => ({
      application,
      level,
      timestamp: BigInt(now + i),
      message: `as ${level}`,
    }));
    assertEquals((await receipt(send(server.url, collectLogs, entries, { protocol }))).indexedCount, entries.length);
    const { hits } = await sluice.searchLogs({ application, order: SearchOrder.OLDEST_FIRST });
    assertEquals(hits.map(({ entry }) => entry?.level), Object.values(spellings));
    assertEquals((await messages({ application, minLevel: "W" })).sort(), ["as Err", "as crit", "as warning"]);
    assertEquals(await messages({ application, minLevel: "FATAL" }), ["as crit"]);
    assertEquals((await messages({ application, minLevel: "trace" })).length, entries.length);
  }
});

Deno.test("SearchLogs: words in any case, whole, in messages and in field values", async () => {
  const application = "words";
  const texts = [
    "Timeout while READING",
    "timeouts are rare",
    "ΟΔΥΣΣΕΥΣ in Straße",
    "e\u0301te\u0301 (NFD)",
    "İstanbul",
    "a_b c-d",
  ];
  await sluice.sendLogs([
    ...texts.map((message, i) => ({ application, timestamp: now + i, message })),
    { application, timestamp: now + 10, message: "plain", fields: { note: "the Needle is here" } },
  ]);
  const found = (...words: string[]) => messages({ application, words, order: SearchOrder.OLDEST_FIRST });
  assertEquals(await found("timeout"), [texts[0]]);
  assertEquals(await found("TIMEOUT", "reading"), [texts[0]]);
  assertEquals(await found("timeout", "rare"), []);
  assertEquals(await found("time"), []);
  assertEquals(await found("οδυσσευς"), [texts[2]]);
  assertEquals(await found("ΟΔΥΣΣΕΥΣ", "STRAßE"), [texts[2]]);
  assertEquals(await found("été"), [texts[3]]);
  assertEquals(await found("ÉTÉ"), [texts[3]]);
  assertEquals(await found("a_b", "d"), [texts[5]]);
  assertEquals(await found("needle"), ["plain"]);
  assertEquals((await found()).length, 7);
});

Deno.test("SearchLogs: fields must be equal, not alike", async () => {
  const application = "fields";
  const fields: Record<string, string>[] = [{ user: "Ann", code: "7" }, { user: "ann" }, { user: "Ann B" }, {
    code: "7",
  }, {}];
  await sluice.sendLogs(fields.map((fields, i) => ({ application, timestamp: now + i, message: `${i}`, fields })));
  const found = async (fields: Record<string, string>) => (await messages({ application, fields })).sort();
  assertEquals(await found({ user: "Ann" }), ["0"]);
  assertEquals(await found({ code: "7" }), ["0", "3"]);
  assertEquals(await found({ user: "Ann", code: "7" }), ["0"]);
  assertEquals(await found({ user: "" }), []);
  assertEquals(await found({ nobody: "Ann" }), []);
});

Deno.test("SearchLogs: newest or oldest first, within a range, across hours and calls", async () => {
  const application = "order";
  const at = Array.from({ length: 60 }, (_, i) => now - i * HOUR / 10);
  const entry = (i: number) => ({ application, timestamp: at[i], message: String(i) });
  // Two calls, interleaved and out of order.
  await sluice.sendLogs(at.flatMap((_, i) => i % 2 === 0 ? [entry(i)] : []).reverse());
  await sluice.sendLogs(at.flatMap((_, i) => i % 2 === 1 ? [entry(i)] : []));
  const ascending = at.map((_, i) => String(i));
  assertEquals(await messages({ application }), ascending);
  assertEquals(await messages({ application, order: SearchOrder.OLDEST_FIRST }), ascending.toReversed());
  assertEquals(await messages({ application, pageSize: 3 }), ["0", "1", "2"]);
  // From is inclusive, to is exclusive.
  const range = { from: BigInt(at[20]), to: BigInt(at[10]) };
  assertEquals(await messages({ application, ...range }), ascending.slice(11, 21));
});

Deno.test("SearchLogs: pages through 1,500 hits of equal timestamps, each of them once", async () => {
  const application = "equal";
  const entries = Array.from({ length: 1500 }, (_, i) => ({ application, timestamp: now, message: `entry ${i}` }));
  for (let i = 0; i < 1500; i += 500) await sluice.sendLogs(entries.slice(i, i + 500));
  const runs: string[][] = [];
  for (const order of [SearchOrder.NEWEST_FIRST, SearchOrder.OLDEST_FIRST]) {
    const { hits } = await searchAll(sluice, { application, order, pageSize: 99 });
    assertEquals(hits.length, 1500);
    assertEquals(new Set(hits.map(({ id }) => id)).size, 1500);
    assertEquals(new Set(hits.map(({ entry }) => entry?.message)).size, 1500);
    runs.push(hits.map(({ id }) => id));
  }
  assertEquals(runs[1], runs[0].toReversed());
});

Deno.test("SearchLogs: segments that cannot hold a hit are skipped, and the others are opened", async () => {
  await using fresh = await startServer();
  const sluice = createSluice({ url: fresh.url });
  // Each call its own segment, each hour too.
  for (let i = 0; i < 20; i++) {
    const timestamp = now - (i % 4) * HOUR;
    await sluice.sendLogs([
      {
        application: `app-${i}`,
        level: i === 7 ? "error" : "info",
        timestamp,
        message: `word${i}`,
        fields: { [`f${i}`]: "x" },
      },
    ]);
  }
  const all = await sluice.searchLogs({});
  assertEquals([all.hits.length, Number(all.segmentsOpened), Number(all.segmentsSkipped)], [20, 20, 0]);
  const questions: Query[] = [{ application: "app-7" }, { minLevel: "error" }, { words: ["word7"] }, {
    fields: { f7: "x" },
  }];
  for (const question of questions) {
    const { hits, segmentsOpened, segmentsSkipped } = await sluice.searchLogs(question);
    assertEquals(hits.map(({ entry }) => entry?.message), ["word7"]);
    assertEquals(segmentsOpened + segmentsSkipped, 20n);
    // A bloom filter may be wrong now and then.
    assertGreater(segmentsSkipped, 15n);
  }
  const none = await sluice.searchLogs({ words: ["nowhere"] });
  assertEquals(none.hits, []);
  assertGreater(none.segmentsSkipped, 15n);
  const newest = await sluice.searchLogs({ pageSize: 1 });
  assertLess(newest.segmentsOpened, 10n);
});

Deno.test("SearchLogs: a question that makes no sense is INVALID_ARGUMENT", async () => {
  const questions: Query[] = [
    { minLevel: "loud" },
    { words: ["two words"] },
    { words: [""] },
    { words: Array(33).fill("x") },
    { from: 5n, to: 4n },
    { pageSize: -1 },
    { pageSize: 1001 },
    { pageToken: "x" },
  ];
  for (const question of questions) {
    const error = await assertRejects(() => sluice.searchLogs(question), ConnectError);
    assertEquals(Code[error.code], "InvalidArgument");
  }
});

Deno.test("LogCollection: an entry of a slow stream that stays open is found within 6 s", async () => {
  const found = Promise.withResolvers<void>();
  async function* entries() {
    yield { application: "slow", timestamp: now, message: "first" };
    await found.promise;
    yield { application: "slow", timestamp: now + 1, message: "second" };
  }
  const began = performance.now();
  const sending = sluice.sendLogs(entries());
  await until(async () => (await messages({ application: "slow" })).length === 1, 15_000);
  assertLess(performance.now() - began, 6000);
  found.resolve();
  assertEquals((await sending).indexedCount, 2);
  assertEquals(await messages({ application: "slow" }), ["second", "first"]);
});

Deno.test("SLUICE_LOG_RULES: the first rule that fits decides, and what is dropped is counted and not stored", async () => {
  const rules = [
    { action: "keep", application: "web", level: "ERROR" },
    { action: "drop", application: "web", pattern: "GET /healthz*" },
    { action: "drop", level: "debug" },
  ];
  await using filtering = await startServer({ env: { SLUICE_LOG_RULES: JSON.stringify(rules) } });
  const sluice = createSluice({ url: filtering.url });
  const entries: [application: string, level: string, message: string, kept: boolean][] = [
    ["web", "err", "GET /healthz 500", true],
    ["web", "info", "GET /healthz 200", false],
    ["web", "info", "GET / 200", true],
    ["api", "info", "GET /healthz 200", true],
    ["api", "DBG", "details", false],
    ["web", "debug", "details", false],
  ];
  const result = await sluice.sendLogs([
    ...entries.map(([application, level, message]) => ({ application, level, message, timestamp: now })),
    { application: "", level: "debug", message: "a bad one is rejected, not filtered", timestamp: now },
  ]);
  assertEquals([result.totalReceived, result.indexedCount], [7, 3]);
  assertEquals([result.filteredCount, result.errorCount, result.status], [3n, 1n, "partial"]);
  const { hits } = await sluice.searchLogs({});
  const kept = entries.filter(([, , , kept]) => kept).map(([application, , message]) => `${application} ${message}`);
  assertEquals(hits.map(({ entry }) => `${entry?.application} ${entry?.message}`).sort(), kept.sort());
  assert(hits.every(({ entry }) => entry?.level !== "DEBUG"));
});
