import { assertEquals, assertLess } from "@std/assert";
import { HOUR, MIB } from "../../../limits.ts";
import { parseQuery } from "../../../services/log_language/parser.ts";
import { toLogColumns } from "../../../store/format/log_columns.ts";
import type { LogRecord } from "../../../store/log_types.ts";
import { bytesHeld, bytesInUse } from "../../support/memory.ts";
import { NEVER, openTestStores } from "../../support/stores.ts";

const SEGMENTS = 40;
/** Of one segment, in characters: some 10 MiB of all together. */
const TEXTS = 250_000;

/** Stores with as many segments, each with one entry that has a word, and a field's value, of its own. */
async function openStores(onRead = () => {}) {
  const wrap = (kv: Deno.Kv) => ({
    getMany: kv.getMany.bind(kv),
    list: kv.list.bind(kv),
    atomic: kv.atomic.bind(kv),
    get: ((key, options) => {
      if (key[0] === "logs") onRead();
      return kv.get(key, options);
    }) as Deno.Kv["get"],
  });
  const stores = await openTestStores({ wrap });
  const now = stores.clock.now();
  for (let i = 0; i < SEGMENTS; i++) {
    const writer = stores.logs.writer("t");
    await writer.write(toLogColumns(Array.from({ length: 100 }, (_, j): LogRecord => ({
      application: "web",
      level: 2,
      timestamp: now - i * 1000 - j,
      message: "padding ".repeat(TEXTS / 800) + (j === 50 ? `rare in ${i}` : ""),
      fields: j === 50 ? [["user", `the only one of segment ${i}`]] : [],
    }))));
    await writer.flush();
  }
  const common = { from: 0, to: now + HOUR };
  return {
    search: (query: string, limit: number) =>
      stores.logs.search("t", { ...common, where: parseQuery(query, now), newestFirst: true, limit }, NEVER),
    count: () => {
      const facets = [{ type: "field", name: "user" }] as const;
      return stores.logs.count("t", { ...common, where: parseQuery("", now), step: 0, facets, limit: 100 }, NEVER);
    },
    [Symbol.dispose]: () => stores[Symbol.dispose](),
  };
}

Deno.test("LogStore.search() keeps no segment in memory for a hit in it, neither while it reads nor after", async () => {
  let reads = 0;
  let atTheFirst = 0;
  let atTheLast = 0;
  using stores = await openStores(() => {
    reads++;
    if (reads === 1) atTheFirst = bytesInUse();
    if (reads === SEGMENTS) atTheLast = bytesInUse();
  });
  const bytes = await bytesHeld(() => stores.search("rare", 100));
  assertEquals(reads, SEGMENTS);
  // Beside them, what is being read.
  assertLess(atTheLast - atTheFirst, 3 * MIB);
  assertLess(bytes, 1 * MIB);
});

Deno.test("LogStore.count() keeps no segment in memory for a field's value in it", async () => {
  using stores = await openStores();
  // V8 copies what becomes the key of a Map, so nothing has to be done for it; should that change, this tells.
  const bytes = await bytesHeld(async () => {
    const { facets } = await stores.count();
    assertEquals(facets[0].values.length, SEGMENTS);
    return facets;
  });
  assertLess(bytes, 1 * MIB);
});
