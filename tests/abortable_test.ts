import { assert, assertEquals, assertRejects } from "@std/assert";
import { AbortableWait, untilAborted } from "../abortable.ts";
import { settle } from "./rpc/ingest/support.ts";

const REASON = new RangeError("too late");

Deno.test("AbortableWait.for() is what the promise comes to", async () => {
  const wait = new AbortableWait(new AbortController().signal);
  assertEquals(await wait.for(Promise.resolve(1)), 1);
  await assertRejects(() => wait.for(Promise.reject(new TypeError("no"))), TypeError, "no");
  assertEquals(await wait.for(Promise.resolve(2)), 2);
  wait.end();
});

Deno.test("AbortableWait.for() throws the signal's reason when it aborts first", async () => {
  const aborter = new AbortController();
  const wait = new AbortableWait(aborter.signal);
  const { promise, reject } = Promise.withResolvers<never>();
  const waiting = wait.for(promise);
  aborter.abort(REASON);
  await assertRejects(() => waiting, RangeError, "too late");
  // Nobody asks how it ended; it must not count as unhandled.
  reject(new TypeError("later"));
  await assertRejects(() => wait.for(Promise.reject(new TypeError("no"))), RangeError, "too late");
  await settle();
});

Deno.test("AbortableWait.for() is what has come even if the signal aborts afterwards", async () => {
  const aborter = new AbortController();
  const wait = new AbortableWait(aborter.signal);
  const got = wait.for(Promise.resolve(1));
  await settle();
  aborter.abort(REASON);
  assertEquals(await got, 1);
});

Deno.test("AbortableWait.end() lets go of the signal", async () => {
  const aborter = new AbortController();
  const wait = new AbortableWait(aborter.signal);
  const { promise, resolve } = Promise.withResolvers<number>();
  const waiting = wait.for(promise);
  wait.end();
  aborter.abort(REASON);
  resolve(3);
  assertEquals(await waiting, 3);
});

Deno.test("untilAborted() is the items until they end, or until they throw", async () => {
  const { signal } = new AbortController();
  assertEquals(
    await Array.fromAsync(untilAborted(
      async function* () {
        yield* [1, 2, 3];
      }(),
      signal,
    )),
    [1, 2, 3],
  );
  const failing = untilAborted(
    async function* () {
      yield 1;
      throw new TypeError("broken");
    }(),
    signal,
  );
  assertEquals((await failing.next()).value, 1);
  await assertRejects(() => failing.next(), TypeError, "broken");
});

Deno.test("untilAborted() throws the signal's reason though the next item never comes, and lets go of the items", async () => {
  const aborter = new AbortController();
  let returned = 0;
  const items: AsyncIterableIterator<number> = {
    next: () => new Promise(() => {}),
    return: () => (returned++, new Promise(() => {})),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
  const next = untilAborted(items, aborter.signal).next();
  await settle();
  aborter.abort(REASON);
  await assertRejects(() => next, RangeError, "too late");
  assertEquals(returned, 1);
});

Deno.test("untilAborted() closes the items when its consumer stops", async () => {
  let isClosed = false;
  async function* endless() {
    try {
      for (let i = 0;; i++) yield i;
    } finally {
      isClosed = true;
    }
  }
  for await (const item of untilAborted(endless(), new AbortController().signal)) if (item === 2) break;
  await settle();
  assert(isClosed);
});
