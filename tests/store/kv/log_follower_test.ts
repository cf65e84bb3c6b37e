import { assertEquals, assertRejects } from "@std/assert";
import { TAIL_MESSAGE_ENTRIES, TAIL_POLL_MS, TAIL_QUEUE_BYTES } from "../../../limits.ts";
import { EVERY_ENTRY } from "../../../store/log_condition.ts";
import { nextLogs, nextMessages, writeLogs } from "../../support/log_tails.ts";
import { NEVER, openTestStores } from "../../support/stores.ts";

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
