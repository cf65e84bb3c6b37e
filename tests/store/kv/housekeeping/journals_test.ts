import { assertEquals } from "@std/assert";
import { DAY, KV_LIST_BATCH, LOG_JOURNAL_EXPIRY_MS, LOG_JOURNAL_MS } from "../../../../limits.ts";
import { EVERY_ENTRY } from "../../../../store/log_condition.ts";
import { encodeValue, FORMAT } from "../../../../store/format/value.ts";
import { journalKey } from "../../../../store/kv/keys.ts";
import { FakeClock } from "../../../support/fake_clock.ts";
import { BYTE, openHouse, START } from "../../../support/house.ts";
import { nextMessages, writeLogs } from "../../../support/log_tails.ts";
import { openTestStores } from "../../../support/stores.ts";

Deno.test("Housekeeping: LOG_JOURNAL_MS after its commit an entry of a journal goes, whatever clocks say", async () => {
  using house = await openHouse();
  const { round, clock } = house.instance("a");
  const put = async (at: number) => {
    const value = encodeValue(FORMAT.logJournal, at + LOG_JOURNAL_EXPIRY_MS, BYTE);
    await house.db.set(journalKey("t", at, `${at}`), value);
  };
  const journal = async () =>
    (await house.keys()).filter((key) => key.startsWith("logjournal/")).map((key) => Number(key.split("/")[2]));
  // More than a page of an instance whose clock is ahead, and one whose is behind.
  for (let i = 0; i <= KV_LIST_BATCH; i++) await put(START + 5 * DAY + i);
  await put(START - DAY / 2);
  assertEquals((await round()).journals, 0);
  await put(START - DAY / 2 + 1);
  clock.advance(LOG_JOURNAL_MS - 1);
  assertEquals((await round()).journals, 0);
  clock.advance(1);
  assertEquals((await round()).journals, KV_LIST_BATCH + 2);
  assertEquals(await journal(), [START - DAY / 2 + 1]);
  clock.advance(LOG_JOURNAL_MS);
  assertEquals((await round()).journals, 1);
  // Where nobody keeps house for so long.
  await put(START);
  await put(START - DAY);
  assertEquals((await house.instance("a").round()).journals, 1);
  assertEquals(await journal(), [START]);
});

Deno.test("Housekeeping: takes nothing from those who follow logs of an instance whose clock is behind", async () => {
  using here = await openTestStores();
  using there = await openTestStores({ db: here.db, clock: new FakeClock(here.clock.now() - DAY / 2) });
  const tail = await here.logs.tail("t", EVERY_ENTRY);
  await here.keepHouse();
  await writeLogs(there, ["behind"]);
  await here.keepHouse();
  assertEquals(await nextMessages(tail, here), ["behind"]);
  tail.close();
});
