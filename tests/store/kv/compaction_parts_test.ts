import { assertEquals, assertGreater, assertLess } from "@std/assert";
import { DAY, HOUR, MINUTE, RUN_SEGMENT_ENTRIES } from "../../../limits.ts";
import { parseQuery } from "../../../services/log_language/parser.ts";
import { checkStore } from "../../../store/check/check.ts";
import { toLogColumns } from "../../../store/format/log_columns.ts";
import type { LogRecord, LogSearch } from "../../../store/log_types.ts";
import { NEVER, openTestStores } from "../../support/stores.ts";
import { Random } from "../format/random.ts";
import { recordText } from "./log_questions.ts";

type Stores = Awaited<ReturnType<typeof openTestStores>>;

const APPLICATIONS = 40;

/** Entries of many applications, some of them at the same time. */
function entriesFrom(begin: number, count: number, random: Random): LogRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    application: `app-${random.below(APPLICATIONS)}`,
    level: random.below(6),
    timestamp: begin + Math.floor(i / 3),
    message: random.pick(["timeout", "request done"]) + ` ${random.below(1e6)}`,
    fields: [],
  }));
}

async function write({ logs }: Stores, entries: readonly LogRecord[]): Promise<void> {
  const writer = logs.writer("t");
  await writer.write(toLogColumns(entries));
  await writer.flush();
}

/** All hits, page by page, and how many segments were opened. */
async function search({ logs, clock }: Stores, query: string, newestFirst: boolean) {
  const where = parseQuery(query, clock.now());
  const hits: LogRecord[] = [];
  let after: LogSearch["after"];
  let opened = 0;
  for (;;) {
    const page = await logs.search("t", { where, from: 0, to: clock.now(), newestFirst, limit: 1000, after }, NEVER);
    hits.push(...page.hits);
    opened += page.opened;
    after = page.hits.at(-1);
    if (!page.more) return { hits, opened };
  }
}

Deno.test("Compaction: in the run of a day, entries of an application stand together, and it is merged with what comes late", async () => {
  using stores = await openTestStores();
  const random = new Random(11);
  const day = Math.floor(stores.clock.now() / DAY) * DAY;
  const records = [5, 6].flatMap((hour) => entriesFrom(day + hour * HOUR, 3 * RUN_SEGMENT_ENTRIES, random));
  // Well into the next day, so that the run of the day is due.
  stores.clock.advance(day + DAY + 8 * HOUR - stores.clock.now());
  const verify = async () => {
    for (const newestFirst of [true, false]) {
      const own = records.filter(({ application, message }) => application === "app-7" && message.includes("timeout"));
      const { hits, opened } = await search(stores, "app:app-7 timeout", newestFirst);
      assertEquals(hits.map(recordText).sort(), own.map(recordText).sort());
      const times = hits.map(({ timestamp }) => newestFirst ? -timestamp : timestamp);
      assertEquals(times, times.toSorted((a, b) => a - b));
      assertGreater(opened, 0);
      assertLess(opened, 2 * 3, "of two hours about one segment each");
    }
    const { hits } = await search(stores, "timeout", true);
    assertEquals(hits.length, records.filter(({ message }) => message.includes("timeout")).length);
    let findings = 0;
    await checkStore(stores, () => findings++);
    assertEquals([findings, stores.damaged], [0, []]);
  };
  /** Compacts until nothing moves any more, and returns how many runs there are, and segments beside them. */
  const settle = async () => {
    stores.clock.advance(5 * MINUTE);
    while ((await stores.keepHouse()).runs > 0);
    const keys = await stores.keys();
    return ["run/logs/", "logs/"].map((prefix) => keys.filter((key) => key.startsWith(prefix)).length);
  };
  for (let i = 0; i < records.length; i += 1000) await write(stores, records.slice(i, i + 1000));
  assertEquals(await settle(), [1, 0]);
  await verify();
  // What comes late, in more segments than wait, is a run of its own; and, once it is enough of the day, part of its run.
  for (const { size, runs } of [{ size: 10, runs: 2 }, { size: 1000, runs: 1 }]) {
    for (let i = 0; i < 10; i++) {
      const late = entriesFrom(day + 5 * HOUR + i * 500, size, random);
      await write(stores, late);
      records.push(...late);
    }
    assertEquals(await settle(), [runs, 0]);
    await verify();
  }
  // And without one application.
  await stores.deletions.add("t", { kind: "logs", from: 0, to: Number.MAX_SAFE_INTEGER, application: "app-3" });
  const kept = records.filter(({ application }) => application !== "app-3");
  records.splice(0, records.length, ...kept);
  await verify();
  await stores.keepHouse();
  assertGreater((await stores.deletions.list("t", 1, undefined))[0].doneAt, 0);
  await verify();
});
