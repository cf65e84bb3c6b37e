import { assertEquals, assertGreater, assertLess, assertRejects } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  DAY,
  HOUR,
  MAX_TAILS,
  MINUTE,
  TAIL_LATE_MS,
  TAIL_MARGIN_MS,
  TAIL_MESSAGE_ENTRIES,
  TAIL_POLL_MS,
  TAIL_QUEUE_BYTES,
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

Deno.test("LogStore.tail() ends with the signal's reason", async () => {
  using stores = await openTestStores();
  const tail = await stores.logs.tail("t", EVERY_ENTRY);
  const abort = new AbortController();
  const next = tail.next(abort.signal);
  abort.abort(new Error("enough"));
  await assertRejects(() => next, Error, "enough");
  tail.close();
});

Deno.test("LogStore.tail() TAIL_QUEUE_BYTES: one who is slow is told how much was missed", async () => {
  using stores = await openTestStores();
  const [slow, other] = [await stores.logs.tail("t", EVERY_ENTRY), await stores.logs.tail("t", EVERY_ENTRY)];
  const long = "x".repeat(30_000);
  const fits = Math.floor(TAIL_QUEUE_BYTES / (2 * 30_200));
  for (let i = 0; i < 20; i++) await writeLogs(stores, Array.from({ length: 10 }, () => long));
  // When the other has seen all, this one has missed what it has.
  for (let seen = 0; seen < 200;) {
    const { entries, missed } = await nextLogs(other, stores);
    seen += entries.length + missed;
  }
  const { entries, missed } = await slow.next(NEVER);
  assertEquals([entries.length, missed], [fits, 200 - fits]);
  slow.close();
  other.close();
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

Deno.test("LogStore.tail() gives nothing of what is deleted, wherever it waits and on whichever instance", async () => {
  using here = await openTestStores();
  using there = await openTestStores({ db: here.db });
  const all = { kind: "logs", from: 0, to: Number.MAX_SAFE_INTEGER } as const;
  const tails = await Promise.all([here, there].map((stores) => stores.logs.tail("t", EVERY_ENTRY)));
  // One whose entries have arrived when the others are deleted.
  const early = await Promise.all([here, there].map((stores) => stores.logs.tail("t", EVERY_ENTRY)));
  await writeLogs(here, ["seen"]);
  for (const tail of early) assertEquals(await nextMessages(tail, here, there), ["seen"]);
  await here.deletions.add("t", all);
  // No look has been at this when it is deleted.
  await writeLogs(there, ["not seen"]);
  await there.deletions.add("t", { ...all, application: "a" });
  await writeLogs(here, ["kept"]);
  // Of another application.
  await here.deletions.add("t", { ...all, application: "b" });
  for (const tail of [...tails, ...early]) {
    assertEquals(await nextMessages(tail, here, there), ["kept"]);
    tail.close();
  }
});

Deno.test("LogStore.tail() gives nothing of what is deleted while an answer is made", async () => {
  let isHeld = false;
  const asked = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<void>();
  using stores = await openTestStores({
    wrap: (kv) => ({
      getMany: kv.getMany.bind(kv),
      atomic: kv.atomic.bind(kv),
      list: kv.list.bind(kv),
      async get<T>(key: Deno.KvKey) {
        const entry = await kv.get<T>(key);
        if (!isHeld || key[0] !== "deletions") return entry;
        isHeld = false;
        asked.resolve();
        await answered.promise;
        return entry;
      },
    }),
  });
  const other = await openTestStores({ db: stores.db });
  const [tail, witness] = await Promise.all([1, 2].map(() => stores.logs.tail("t", EVERY_ENTRY)));
  await writeLogs(stores, ["one"]);
  assertEquals(await nextMessages(witness, stores), ["one"]);
  // The answer with the first entry is held up until the second is there, and deleted.
  isHeld = true;
  const next = tail.next(NEVER);
  await asked.promise;
  await writeLogs(stores, ["two"]);
  assertEquals(await nextMessages(witness, stores), ["two"]);
  await other.deletions.add("t", { kind: "logs", from: 0, to: Number.MAX_SAFE_INTEGER });
  answered.resolve();
  assertEquals((await next).entries.map(({ message }) => message), ["one"]);
  await writeLogs(stores, ["three"]);
  assertEquals(await nextMessages(tail, stores), ["three"]);
  tail.close();
  witness.close();
});

Deno.test("LogStore.tail() TAIL_MESSAGE_ENTRIES: an answer has no more", async () => {
  using stores = await openTestStores();
  const [tail, witness] = await Promise.all([1, 2].map(() => stores.logs.tail("t", EVERY_ENTRY)));
  await writeLogs(stores, Array.from({ length: TAIL_MESSAGE_ENTRIES + 1 }, (_, i) => `line ${i}`));
  for (const expected of [TAIL_MESSAGE_ENTRIES, 1]) {
    assertEquals((await nextLogs(witness, stores)).entries.length, expected);
  }
  assertEquals((await tail.next(NEVER)).entries.length, TAIL_MESSAGE_ENTRIES);
  assertEquals((await tail.next(NEVER)).entries.map(({ message }) => message), [`line ${TAIL_MESSAGE_ENTRIES}`]);
  tail.close();
  witness.close();
});

Deno.test("LogStore.tail() an answer waits while KV does not say whether it is deleted", async () => {
  let isDown = false;
  using stores = await openTestStores({
    wrap: (kv) => ({
      getMany: kv.getMany.bind(kv),
      atomic: kv.atomic.bind(kv),
      list: kv.list.bind(kv),
      get: (key) => isDown ? Promise.reject(new Error("down")) : kv.get(key),
    }),
  });
  const [tail, witness] = await Promise.all([1, 2].map(() => stores.logs.tail("t", EVERY_ENTRY)));
  await writeLogs(stores, ["one"]);
  assertEquals(await nextMessages(witness, stores), ["one"]);
  isDown = true;
  const next = tail.next(NEVER);
  for (let i = 0; i < 20; i++) {
    stores.clock.advance(TAIL_POLL_MS);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  isDown = false;
  stores.clock.advance(TAIL_POLL_MS);
  assertEquals((await next).entries.map(({ message }) => message), ["one"]);
  tail.close();
  witness.close();
});
