import { assertEquals, assertRejects } from "@std/assert";
import { ConnectError } from "@connectrpc/connect";
import { MAX_TAILS, TAIL_LOOKBACK_MS, TAIL_POLL_MS, TAIL_QUEUE_BYTES } from "../../../limits.ts";
import { toLogColumns } from "../../../store/format/log_columns.ts";
import { EVERY_ENTRY, type LogCondition } from "../../../store/log_condition.ts";
import type { LogRecord, LogTail } from "../../../store/log_types.ts";
import { NEVER, openTestStores } from "../../support/stores.ts";

type Stores = Awaited<ReturnType<typeof openTestStores>>;

async function write(stores: Stores, messages: readonly string[], tenant = "t"): Promise<void> {
  const writer = stores.logs.writer(tenant);
  const timestamp = stores.clock.now();
  await writer.write(toLogColumns(messages.map((message): LogRecord => ({
    application: "a",
    level: 2,
    timestamp,
    message,
    fields: [],
  }))));
  await writer.flush();
}

const messages = async (tail: LogTail) => (await tail.next(NEVER)).entries.map(({ message }) => message);

Deno.test("LogStore.tail() gives what is committed from then on, of its tenant, that meets the condition", async () => {
  using stores = await openTestStores();
  await write(stores, ["before"]);
  const where: LogCondition = { type: "words", where: "anywhere", words: { text: "slow", isPrefix: false } };
  const [all, some] = [await stores.logs.tail("t", EVERY_ENTRY), await stores.logs.tail("t", where)];
  await write(stores, ["of another"], "u");
  await write(stores, ["one", "slow two"]);
  stores.clock.advance(0);
  assertEquals(await messages(all), ["one", "slow two"]);
  assertEquals(await messages(some), ["slow two"]);
  await write(stores, ["three"]);
  stores.clock.advance(0);
  assertEquals(await messages(all), ["three"]);
  all.close();
  some.close();
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
  const tail = await stores.logs.tail("t", EVERY_ENTRY);
  const long = "x".repeat(30_000);
  const fits = Math.floor(TAIL_QUEUE_BYTES / (2 * 30_200));
  for (let i = 0; i < 20; i++) await write(stores, Array.from({ length: 10 }, () => long));
  stores.clock.advance(0);
  // All that was committed is read in one look, which gives up the thread while it does.
  for (let i = 0; i < 400; i++) await new Promise((resolve) => setTimeout(resolve));
  const { entries, missed } = await tail.next(NEVER);
  assertEquals([entries.length, missed], [fits, 200 - fits]);
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

Deno.test("LogStore.tail() fails when KV has not answered for so long that something may have been missed", async () => {
  using stores = await openTestStores();
  const tail = await stores.logs.tail("t", EVERY_ENTRY);
  const next = assertRejects(() => tail.next(NEVER), ConnectError, "Cannot");
  // All of it in one go: a look that begins meanwhile has no answer in time.
  stores.clock.advance(TAIL_LOOKBACK_MS + 2 * TAIL_POLL_MS);
  await next;
  tail.close();
});
