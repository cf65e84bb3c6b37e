/**
 * Writing and following logs in stores whose clock the test moves.
 *
 * @module
 */
import { MINUTE } from "../../limits.ts";
import { toLogColumns } from "../../store/format/log_columns.ts";
import type { LogRecord, LogTail, TailedLogs } from "../../store/log_types.ts";
import type { Kv } from "../../store/kv/kv.ts";
import { NEVER, type openTestStores } from "./stores.ts";

type Stores = Awaited<ReturnType<typeof openTestStores>>;

/** One commit of entries of this moment. */
export async function writeLogs(stores: Stores, messages: readonly string[], tenant = "t"): Promise<void> {
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

/** What comes next, while the time of these stores goes on, for a minute at the most. */
export async function nextLogs(tail: LogTail, ...stores: readonly Stores[]): Promise<TailedLogs> {
  let isThere = false;
  const next = tail.next(NEVER).finally(() => isThere = true);
  // Whoever awaits it is told.
  next.catch(() => {});
  await new Promise((resolve) => setTimeout(resolve));
  for (let passed = 0; !isThere; passed += 50) {
    if (passed > MINUTE) throw new Error("nothing came for a minute");
    for (const { clock } of stores) clock.advance(50);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return await next;
}

export const nextMessages = async (tail: LogTail, ...stores: readonly Stores[]) =>
  (await nextLogs(tail, ...stores)).entries.map(({ message }) => message);

/** A KV that tells of each list that is begun, and of each entry that one has given; `begin` may hold it up. */
export function tapLists(begin: () => Promise<void> | void, given: () => void = () => {}) {
  return (kv: Deno.Kv): Kv => ({
    get: kv.get.bind(kv),
    getMany: kv.getMany.bind(kv),
    atomic: kv.atomic.bind(kv),
    list<T>(selector: Deno.KvListSelector, options?: Deno.KvListOptions) {
      const entries = (async function* () {
        if (selectsJournal(selector)) await begin();
        for await (const entry of kv.list<T>(selector, options)) {
          if (selectsJournal(selector)) given();
          yield entry;
        }
      })();
      return entries as unknown as Deno.KvListIterator<T>;
    },
  });
}

const selectsJournal = (selector: Deno.KvListSelector) => "prefix" in selector && selector.prefix[0] === "logjournal";
