import { assert, assertEquals } from "@std/assert";
import { FLUSH_MS, HOUR } from "../../../limits.ts";
import { toLogColumns } from "../../../store/format/log_columns.ts";
import { foldWord } from "../../../store/format/tokens.ts";
import { EVERY_ENTRY } from "../../../store/log_condition.ts";
import type { LogRecord, LogSearch } from "../../../store/log_types.ts";
import { type Asked, conditionOf } from "../../support/log_conditions.ts";
import { NEVER, openTestStores } from "../../support/stores.ts";

type Stores = Awaited<ReturnType<typeof openTestStores>>;

const record = (timestamp: number, message: string, more: Partial<LogRecord> = {}): LogRecord => ({
  application: "web",
  level: 2,
  timestamp,
  message,
  fields: [],
  ...more,
});

async function write(stores: Stores, records: readonly LogRecord[]) {
  const writer = stores.logs.writer("t");
  await writer.write(toLogColumns(records));
  await writer.flush();
}

type Search = Asked & Partial<Omit<LogSearch, "where">>;

function search(stores: Stores, { application, minLevel, words, fields, ...more }: Search) {
  const where = conditionOf({ application, minLevel, words, fields });
  const to = stores.clock.now() + HOUR;
  return stores.logs.search("t", { where, from: 0, to, newestFirst: true, limit: 100, ...more }, NEVER);
}

Deno.test("LogStore.search() equals a plain scan, page by page, in both orders", async () => {
  using stores = await openTestStores();
  const now = stores.clock.now();
  const words = ["alpha", "Beta", "GAMMA", "delta", "Ünïcode"];
  const records: LogRecord[] = [];
  for (let i = 0; i < 5000; i++) {
    // Several entries share a timestamp, and all of it spans hours.
    const timestamp = now - Math.floor((i * 7919 % 5000) / 3) * 9000;
    records.push(record(timestamp, `${words[i % 5]} took ${i % 97} ms, ${words[i * 3 % 5]}`, {
      application: `app${i % 3}`,
      level: i % 6,
      fields: [["user", `u${i % 11}`]],
    }));
  }
  for (let i = 0; i < records.length; i += 700) await write(stores, records.slice(i, i + 700));

  const searches: Search[] = [
    {},
    { words: ["alpha"] },
    { words: ["beta", "42"].map(foldWord) },
    { words: [foldWord("ÜNÏCODE")], minLevel: 4 },
    { application: "app1", fields: [["user", "u7"]] },
    { from: now - 3 * HOUR, to: now - HOUR },
    { words: ["absent"] },
  ];
  for (const s of searches) {
    const expected = records.filter((r) =>
      r.timestamp >= (s.from ?? 0) && r.timestamp < (s.to ?? Infinity) && r.level >= (s.minLevel ?? 0) &&
      (s.application === undefined || r.application === s.application) &&
      (s.words ?? []).every((w) => foldWord(r.message).split(/[^\p{L}\p{N}_]+/u).includes(w)) &&
      (s.fields ?? []).every(([k, v]) => r.fields.some(([a, b]) => a === k && b === v))
    );
    for (const newestFirst of [true, false]) {
      const found: LogRecord[] = [];
      const ids = new Set<string>();
      let after: LogSearch["after"];
      for (;;) {
        const { hits, more } = await search(stores, { ...s, newestFirst, limit: 137, after });
        for (const { id, ...hit } of hits) {
          assert(!ids.has(id), "an entry came twice");
          ids.add(id);
          found.push(hit);
        }
        if (!more) break;
        after = hits[hits.length - 1];
      }
      const times = found.map((r) => r.timestamp);
      assertEquals(times, times.toSorted((a, b) => newestFirst ? b - a : a - b));
      const text = (list: readonly LogRecord[]) => list.map((r) => JSON.stringify(Object.entries(r).sort())).sort();
      assertEquals(text(found), text(expected), JSON.stringify(s));
    }
  }
});

Deno.test("LogStore.search() rules out segments by their index before it opens any", async () => {
  using stores = await openTestStores();
  const now = stores.clock.now();
  for (let i = 0; i < 10; i++) {
    await write(stores, Array.from({ length: 50 }, (_, n) => record(now - i * HOUR, `line ${n} of batch${i}`)));
  }
  const rare = await search(stores, { words: ["batch7"] });
  assertEquals([rare.hits.length, rare.opened, rare.skipped], [50, 1, 9]);
  const other = await search(stores, { application: "none" });
  assertEquals([other.opened, other.skipped], [0, 10]);
  const level = await search(stores, { minLevel: 5 });
  assertEquals([level.opened, level.skipped], [0, 10]);
  // Newest first stops as soon as the page is full.
  const newest = await search(stores, { limit: 10 });
  assertEquals([newest.hits.length, newest.opened], [10, 1]);
});

Deno.test("LogStore: an entry that is followed by silence is found after FLUSH_MS", async () => {
  using stores = await openTestStores();
  const writer = stores.logs.writer("t");
  await writer.write(toLogColumns([record(stores.clock.now(), "lonely")]));
  assertEquals((await search(stores, {})).hits, []);
  stores.clock.advance(FLUSH_MS);
  const deadline = Date.now() + 5000;
  while ((await search(stores, {})).hits.length === 0) assert(Date.now() < deadline, "it was not flushed");
});

Deno.test("LogStore: what one tenant wrote is not another's", async () => {
  using stores = await openTestStores();
  await write(stores, [record(stores.clock.now(), "mine")]);
  const to = stores.clock.now() + HOUR;
  const asked = { where: EVERY_ENTRY, from: 0, to, newestFirst: true, limit: 10 };
  assertEquals((await stores.logs.search("u", asked, NEVER)).hits, []);
});

Deno.test("LogStore: a commit of text that does not compress, in a script of three bytes a character, fits KV", async () => {
  using stores = await openTestStores();
  const random = () => String.fromCharCode(0x4e00 + Math.floor(Math.random() * 20_000));
  const records = Array.from(
    { length: 120 },
    (_, i) => record(stores.clock.now() - i * HOUR, Array.from({ length: 10_900 }, random).join("")),
  );
  await write(stores, records);
  const { hits } = await search(stores, { limit: 200 });
  assertEquals(hits.map((hit) => hit.message), records.map((r) => r.message));
});
