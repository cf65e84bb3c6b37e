import { assertEquals, assertGreater, assertLess, assertRejects } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  DAY,
  HOUR,
  MAX_TAILS,
  MINUTE,
  TAIL_LATE_MS,
  TAIL_MARGIN_MS,
  TAIL_POLL_MS,
  TAIL_REST_MS,
  TAIL_SWEEP_MS,
} from "../../../limits.ts";
import { EVERY_ENTRY, type LogCondition } from "../../../store/log_condition.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { nextLogs, nextMessages, tapLists, writeLogs } from "../../support/log_tails.ts";
import { NEVER, openTestStores } from "../../support/stores.ts";

Deno.test("LogStore.tail() gives what is committed from then on, of its tenant, that meets the condition", async () => {
  using stores = await openTestStores();
  await writeLogs(stores, ["before"]);
  const where: LogCondition = { type: "words", where: "anywhere", words: { text: "slow", isPrefix: false } };
  const [all, some] = [await stores.logs.tail("t", EVERY_ENTRY), await stores.logs.tail("t", where)];
  await writeLogs(stores, ["of another"], "u");
  await writeLogs(stores, ["one", "slow two"]);
  assertEquals(await nextMessages(all, stores), ["one", "slow two"]);
  assertEquals(await nextMessages(some, stores), ["slow two"]);
  await writeLogs(stores, ["three"]);
  assertEquals(await nextMessages(all, stores), ["three"]);
  all.close();
  some.close();
});

Deno.test("LogStore.tail() begins with nothing from before, whoever follows already and whatever is committed meanwhile", async () => {
  const lists: PromiseWithResolvers<void>[] = [];
  let isSlow = false;
  const begin = async () => {
    const list = Promise.withResolvers<void>();
    lists.push(list);
    if (isSlow) await list.promise;
  };
  using stores = await openTestStores({ wrap: tapLists(begin) });
  await writeLogs(stores, ["long before"]);
  stores.clock.advance(10_000);
  isSlow = true;
  const following = stores.logs.tail("t", EVERY_ENTRY);
  while (lists.length === 0) await new Promise((resolve) => setTimeout(resolve));
  await writeLogs(stores, ["meanwhile"]);
  // A look of its own for this commit, were it not for the one that is under way.
  stores.clock.advance(TAIL_REST_MS);
  isSlow = false;
  lists[0].resolve();
  const first = await following;
  await writeLogs(stores, ["one"]);
  const second = await stores.logs.tail("t", EVERY_ENTRY);
  await writeLogs(stores, ["two"]);
  const seen: string[] = [];
  while (!seen.includes("two")) seen.push(...await nextMessages(first, stores));
  assertEquals(seen.filter((message) => message !== "meanwhile"), ["one", "two"]);
  assertEquals(await nextMessages(second, stores), ["two"]);
  first.close();
  second.close();
});

Deno.test("LogStore.tail() gives once what instances commit, however far apart their clocks are", async () => {
  for (const offset of [-10 * MINUTE, -40_000, 40_000, 2 * DAY]) {
    using here = await openTestStores();
    using there = await openTestStores({ db: here.db, clock: new FakeClock(here.clock.now() + offset) });
    const tail = await here.logs.tail("t", EVERY_ENTRY);
    for (let i = 0; i < 3; i++) {
      await writeLogs(here, [`here ${i}`]);
      await writeLogs(there, [`there ${i}`]);
      const seen = new Set<string>();
      let count = 0;
      while (seen.size < 2) {
        for (const message of await nextMessages(tail, here, there)) {
          seen.add(message);
          count++;
        }
      }
      assertEquals([count, seen], [2, new Set([`here ${i}`, `there ${i}`])]);
    }
    tail.close();
  }
});

Deno.test("LogStore.tail() gives everything once while its own clock jumps", async () => {
  using stores = await openTestStores();
  const tail = await stores.logs.tail("t", EVERY_ENTRY);
  const seen: string[] = [];
  const expected: string[] = [];
  for (const jump of [0, -20_000, 0, DAY, -DAY, 0, -MINUTE]) {
    stores.clock.time += jump;
    for (let i = 0; i < 3; i++) {
      const message = `${expected.length} after a jump of ${jump}`;
      expected.push(message);
      await writeLogs(stores, [message]);
      seen.push(...await nextMessages(tail, stores));
    }
  }
  assertEquals(seen, expected);
  tail.close();
});

Deno.test("LogStore.tail() a look that dies midway loses nothing and gives nothing twice", async () => {
  let failures = 0;
  using stores = await openTestStores({
    wrap: (kv) => ({
      getMany: kv.getMany.bind(kv),
      atomic: kv.atomic.bind(kv),
      list: kv.list.bind(kv),
      get<T>(key: Deno.KvKey) {
        // Of each two segments, the first time.
        if (key[0] === "logs" && ++failures % 2 === 0) return Promise.reject(new Error("cut"));
        return kv.get<T>(key);
      },
    }),
  });
  const tail = await stores.logs.tail("t", EVERY_ENTRY);
  const expected = Array.from({ length: 10 }, (_, i) => `line ${i}`);
  for (const message of expected) await writeLogs(stores, [message]);
  const seen: string[] = [];
  while (seen.length < expected.length) seen.push(...await nextMessages(tail, stores));
  assertEquals(seen, expected);
  assertGreater(failures, expected.length);
  tail.close();
});

Deno.test("LogStore.tail() MAX_TAILS: refuses more", async () => {
  using stores = await openTestStores();
  const tails = await Promise.all(Array.from({ length: MAX_TAILS }, () => stores.logs.tail("t", EVERY_ENTRY)));
  await assertRejects(() => stores.logs.tail("t", EVERY_ENTRY), ConnectError, "calls do already");
  tails[0].close();
  (await stores.logs.tail("t", EVERY_ENTRY)).close();
  for (const tail of tails.slice(1)) tail.close();
});

Deno.test("LogStore.tail() TAIL_REST_MS: many commits make for few looks, and each is seen soon", async () => {
  let looks = 0;
  using stores = await openTestStores({ wrap: tapLists(() => void looks++) });
  const tail = await stores.logs.tail("t", EVERY_ENTRY);
  stores.clock.advance(TAIL_REST_MS);
  const count = 50;
  for (let i = 0; i < count; i++) {
    await writeLogs(stores, [`line ${i}`]);
    // Fifty in a second, and time for as many looks.
    stores.clock.advance(1000 / count);
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  let seen = 0;
  while (seen < count) seen += (await nextLogs(tail, stores)).entries.length;
  assertLess(looks, 2 + stores.clock.elapsed() / TAIL_REST_MS);
  tail.close();
});

Deno.test("LogStore.tail() TAIL_SWEEP_MS, TAIL_MARGIN_MS: a look reads little of a long journal, but for now and then", async () => {
  let entries = 0, looks = 0;
  using stores = await openTestStores({ wrap: tapLists(() => void looks++, () => void entries++) });
  const count = 200;
  for (let i = 0; i < count; i++) {
    await writeLogs(stores, [`before ${i}`]);
    stores.clock.advance(TAIL_MARGIN_MS / 10);
  }
  const tail = await stores.logs.tail("t", EVERY_ENTRY);
  assertEquals(entries, count);
  entries = looks = 0;
  const began = stores.clock.elapsed();
  for (let i = 0; i < 5; i++) {
    await writeLogs(stores, [`after ${i}`]);
    assertEquals(await nextMessages(tail, stores), [`after ${i}`]);
  }
  assertLess(stores.clock.elapsed() - began, TAIL_SWEEP_MS);
  assertLess(entries, 20 * looks);
  stores.clock.advance(TAIL_SWEEP_MS);
  await writeLogs(stores, ["later"]);
  assertEquals(await nextMessages(tail, stores), ["later"]);
  assertLess(count, entries);
  tail.close();
});

Deno.test("LogStore.tail() TAIL_LATE_MS: fails when KV has not answered for so long that something may be missed", async () => {
  using stores = await openTestStores();
  const tail = await stores.logs.tail("t", EVERY_ENTRY);
  const next = assertRejects(() => tail.next(NEVER), ConnectError, "Cannot");
  // All of it in one go: a look that begins meanwhile has no answer in time.
  stores.clock.advance(TAIL_LATE_MS + 2 * TAIL_POLL_MS);
  await next;
  // Whoever calls again follows again.
  const again = await stores.logs.tail("t", EVERY_ENTRY);
  await writeLogs(stores, ["again"]);
  assertEquals(await nextMessages(again, stores), ["again"]);
  tail.close();
  again.close();
});

Deno.test("LogStore.tail() fails where what was committed cannot be read, and begins anew behind it", async () => {
  const flip = (value: Uint8Array) => value.with(value.length - 1, value[value.length - 1] ^ 1);
  for (const [kind, fn] of [["logjournal", flip], ["logs", flip], ["logs", undefined]] as const) {
    using stores = await openTestStores();
    const tail = await stores.logs.tail("t", EVERY_ENTRY);
    await writeLogs(stores, ["one"]);
    assertEquals(await nextMessages(tail, stores), ["one"]);
    await writeLogs(stores, ["two"]);
    const [{ key, value }] = await Array.fromAsync(stores.db.list<Uint8Array>({ prefix: [kind] }, { reverse: true }));
    if (fn) await stores.db.set(key, fn(value));
    else await stores.db.delete(key);
    await writeLogs(stores, ["three"]);
    const error = await assertRejects(() => nextLogs(tail, stores), ConnectError, "Cannot follow the logs any more");
    assertEquals([error.code, stores.damaged], [Code.Unavailable, fn ? [key.join("/")] : []]);
    const again = await stores.logs.tail("t", EVERY_ENTRY);
    await writeLogs(stores, ["four"]);
    assertEquals(await nextMessages(again, stores), ["four"]);
    tail.close();
    again.close();
  }
});

Deno.test("LogStore.tail() is not stopped by what is past retention when a look finds it", async () => {
  using here = await openTestStores();
  using there = await openTestStores({ db: here.db, clock: new FakeClock(here.clock.now() - here.retention - HOUR) });
  const tail = await here.logs.tail("t", EVERY_ENTRY);
  await writeLogs(there, ["past"]);
  await here.keepHouse();
  await writeLogs(here, ["one"]);
  assertEquals(await nextMessages(tail, here), ["one"]);
  tail.close();
});
