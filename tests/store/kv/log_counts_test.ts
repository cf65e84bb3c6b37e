import { assert, assertEquals, assertRejects } from "@std/assert";
import { ConnectError } from "@connectrpc/connect";
import { HOUR, MAX_FACET_BUCKETS } from "../../../limits.ts";
import { parseQuery } from "../../../services/log_language/parser.ts";
import { toLogColumns } from "../../../store/format/log_columns.ts";
import { logMatcher } from "../../../store/format/log_match.ts";
import type { LogRow } from "../../../store/format/log_row.ts";
import { type FacetKey, LEVELS, type LogCounting, type LogRecord } from "../../../store/log_types.ts";
import { NEVER, openTestStores } from "../../support/stores.ts";
import { rowOf } from "../format/logs.ts";
import { Random } from "../format/random.ts";

type Stores = Awaited<ReturnType<typeof openTestStores>>;

const FACETS: readonly FacetKey[] = [{ type: "application" }, { type: "level" }, { type: "field", name: "user" }];

function randomRecord(random: Random, timestamp: number): LogRecord {
  return {
    application: `app${random.below(7)}`,
    level: random.below(LEVELS.length),
    timestamp,
    message: random.pick(["request done", "timeout", "retry later"]),
    fields: random.below(3) === 0 ? [] : [["user", `u${random.below(20)}`]],
  };
}

async function write(stores: Stores, records: readonly LogRecord[]): Promise<void> {
  const writer = stores.logs.writer("t");
  await writer.write(toLogColumns(records));
  await writer.flush();
}

const rows = new Map<LogRecord, LogRow>();

function rowIn(record: LogRecord): LogRow {
  const known = rows.get(record) ?? rowOf(record);
  rows.set(record, known);
  return known;
}

/** Counts as anybody would who has all entries. */
function scan(records: readonly LogRecord[], { where, from, to, step, facets, limit }: LogCounting) {
  const start = ({ timestamp }: LogRecord) => step === 0 ? from : timestamp - timestamp % step;
  const histogram = (own: readonly LogRecord[]) =>
    Object.entries(Object.groupBy(own, start)).map(([at, list]) => [Number(at), list!.length] as const)
      .sort(([a], [b]) => a - b);
  const isMet = logMatcher(where);
  const own = records.filter((record) => record.timestamp >= from && record.timestamp < to && isMet(rowIn(record)));
  return {
    count: own.length,
    histogram: histogram(own),
    facets: facets.map((facet) => {
      const value = ({ application, level, fields }: LogRecord) =>
        facet.type === "application" ? application : facet.type === "level" ? LEVELS[level] : fields[0]?.[1];
      const groups = Object.entries(Object.groupBy(own, (record) => value(record) ?? ""))
        .filter(([value]) => value !== "")
        .map(([value, list]) => ({ value, count: list!.length, histogram: histogram(list!) }))
        .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1));
      return { values: groups.slice(0, limit), other: groups.slice(limit).reduce((sum, { count }) => sum + count, 0) };
    }),
  };
}

Deno.test("LogStore.count() property: equals a plain scan, for any range, step and query", async () => {
  using stores = await openTestStores();
  const random = new Random(3);
  const now = stores.clock.now();
  const records: LogRecord[] = [];
  for (let i = 0; i < 50; i++) {
    const begin = now - random.below(6 * HOUR);
    const own = Array.from({ length: 1 + random.below(100) }, (_, j) => randomRecord(random, begin + j * 100));
    records.push(...own);
    await write(stores, own);
  }
  const queries = ["", "timeout", "level:warn+", "app:app3 OR user:u1", "NOT level:fatal", "-app:app1 level:<error"];
  let closed = 0;
  for (let i = 0; i < 100; i++) {
    const from = now - 7 * HOUR + random.below(4 * HOUR);
    const counting = {
      where: parseQuery(random.pick(queries), now),
      from,
      to: from + 1 + random.below(5 * HOUR),
      step: random.pick([0, 60_000, HOUR, 3 * HOUR]),
      facets: random.shuffle(FACETS).slice(random.below(3)),
      limit: 1 + random.below(6),
    };
    const { opened: _, skipped, damaged, ...counts } = await stores.logs.count("t", counting, NEVER);
    assertEquals(counts, scan(records, counting), JSON.stringify(counting));
    assertEquals(damaged, 0);
    closed += skipped;
  }
  assert(closed > 100, `${closed} segments stayed closed`);
});

Deno.test("LogStore.count() opens no segment where indexes have the counts", async () => {
  using stores = await openTestStores();
  const now = Math.floor(stores.clock.now() / HOUR) * HOUR;
  for (let i = 0; i < 5; i++) {
    await write(stores, Array.from({ length: 20 }, (_, j) => randomRecord(new Random(j), now - i * HOUR - 1 - j)));
  }
  const counting = { where: parseQuery("", now), from: now - 5 * HOUR, to: now, step: HOUR, limit: 10 };
  const facets = FACETS.slice(0, 2);
  const counts = await stores.logs.count("t", { ...counting, facets }, NEVER);
  assertEquals([counts.count, counts.opened, counts.skipped], [100, 0, 5]);
  // Those that a range cuts are opened.
  const cut = await stores.logs.count("t", { ...counting, to: now - 10, facets }, NEVER);
  assertEquals([cut.count, cut.opened, cut.skipped], [90, 1, 4]);
});

Deno.test("LogStore.count() MAX_FACET_BUCKETS: refuses what makes more", async () => {
  using stores = await openTestStores();
  const now = stores.clock.now();
  const records = Array.from({ length: MAX_FACET_BUCKETS / 2 + 1 }, (_, i): LogRecord => ({
    application: "a",
    level: 2,
    timestamp: now - i,
    message: "",
    fields: [["id", `${i}`]],
  }));
  for (let i = 0; i < records.length; i += 1000) await write(stores, records.slice(i, i + 1000));
  const counting = { where: parseQuery("", now), from: 0, to: now + 1, step: 1, limit: 10 };
  const facets: FacetKey[] = [{ type: "field", name: "id" }];
  assertEquals((await stores.logs.count("t", { ...counting, facets: [] }, NEVER)).count, records.length);
  await assertRejects(() => stores.logs.count("t", { ...counting, facets }, NEVER), ConnectError, "a longer step");
});
