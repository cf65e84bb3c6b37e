import { assert, assertEquals } from "@std/assert";
import { HOUR } from "../../../limits.ts";
import { parseQuery } from "../../../services/log_language/parser.ts";
import { toLogColumns } from "../../../store/format/log_columns.ts";
import type { LogRecord, LogSearch } from "../../../store/log_types.ts";
import { NEVER, openTestStores } from "../../support/stores.ts";
import { Random } from "../format/random.ts";
import { question, randomRecords, recordText } from "./log_questions.ts";

Deno.test("LogStore.search() property: a query finds what a plain scan of all entries finds, and skips segments", async () => {
  using stores = await openTestStores();
  const random = new Random(8);
  const now = stores.clock.now();
  const records: LogRecord[] = [];
  for (let batch = 0; batch < 60; batch++) {
    const own = randomRecords(random, now - random.below(5 * HOUR));
    records.push(...own);
    const writer = stores.logs.writer("t");
    await writer.write(toLogColumns(own));
    await writer.flush();
  }
  let skippedSome = 0;
  for (let i = 0; i < 300; i++) {
    const { query, holds } = question(random, now, 3);
    const expected = records.filter(holds).map(recordText).sort();
    const found: string[] = [];
    let skippedOf = 0;
    let after: LogSearch["after"];
    for (;;) {
      const { hits, more, skipped } = await stores.logs.search("t", {
        where: parseQuery(query, now),
        from: 0,
        to: now + HOUR,
        newestFirst: i % 2 === 0,
        limit: 500,
        after,
      }, NEVER);
      found.push(...hits.map(recordText));
      skippedOf += skipped;
      if (!more) break;
      after = hits.at(-1);
    }
    assertEquals(found.sort(), expected, query);
    if (skippedOf > 0) skippedSome++;
  }
  assert(skippedSome > 100, `only ${skippedSome} queries skipped segments`);
});
