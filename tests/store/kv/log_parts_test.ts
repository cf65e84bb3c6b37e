import { assert, assertEquals, assertGreater } from "@std/assert";
import { HOUR, MINUTE, READ_GROUP_SEGMENTS } from "../../../limits.ts";
import { toLogColumns } from "../../../store/format/log_columns.ts";
import type { Entry } from "../../../store/kv/kv.ts";
import { type FoundSegment, type Hours, partsOf } from "../../../store/kv/log_parts.ts";
import { EVERY_ENTRY } from "../../../store/log_condition.ts";
import type { LogSearch } from "../../../store/log_types.ts";
import { NEVER, openTestStores } from "../../support/stores.ts";
import { Random } from "../format/random.ts";

const segment = (hour: number, id: string) => ({ hour, id }) as FoundSegment;

/** The parts of some hours, each as its ids; in KV there are so many segments of each hour. */
async function partsFor(own: ReadonlyMap<number, number>, placed: readonly number[], newestFirst: boolean) {
  const left: Hours = { first: 0, end: 100 };
  const hours = [...own.keys()].sort((a, b) => newestFirst ? b - a : a - b);
  const pages = async function* () {
    for (const hour of hours) {
      await Promise.resolve();
      yield Array.from({ length: own.get(hour)! }, () => ({ key: ["logindex", "t", hour, "kv"] }) as unknown as Entry);
    }
  };
  const sources = {
    own: pages(),
    judgeOwn: ({ key }: Entry) => segment(key[2] as number, "kv"),
    placedHours: placed,
    judgePlaced: (hour: number) => [segment(hour, "run")],
  };
  const parts: string[] = [];
  for await (const { segments, endsHour } of partsOf(sources, left, newestFirst)) {
    const inRuns = segments.filter(({ id }) => id === "run").length;
    const hour = new Set(segments.map(({ hour }) => hour));
    assert(hour.size <= 1);
    parts.push(`${[...hour].join() || "-"}: ${segments.length - inRuns} + ${inRuns}${endsHour ? "." : ""}`);
  }
  return { parts, left };
}

Deno.test("partsOf() holds READ_GROUP_SEGMENTS of an hour at once, with what runs have of it", async () => {
  assertEquals(READ_GROUP_SEGMENTS, 64);
  const own = new Map([[5, 150], [7, 10]]);
  assertEquals(await partsFor(own, [4, 5, 6, 9], false), {
    parts: ["4: 0 + 1.", "5: 64 + 1", "5: 64 + 0", "5: 22 + 0."],
    left: { first: 6, end: 100 },
  });
  assertEquals(await partsFor(own, [4, 5, 6, 9], true), {
    parts: ["9: 0 + 1.", "7: 10 + 0.", "6: 0 + 1.", "5: 64 + 1", "5: 64 + 0", "5: 22 + 0.", "4: 0 + 1."],
    left: { first: 100, end: 100 },
  });
  assertEquals((await partsFor(new Map([[5, 64]]), [5], true)).parts, ["5: 64 + 1", "-: 0 + 0."]);
  assertEquals(await partsFor(new Map(), [], true), { parts: [], left: { first: 100, end: 100 } });
});

Deno.test("LogStore: of a busy hour whose segments overlap, pages come in order and have everything once", async () => {
  using stores = await openTestStores();
  const { clock, logs } = stores;
  const random = new Random(13);
  const hour = Math.floor(clock.now() / HOUR) * HOUR - 2 * HOUR;
  const expected: string[] = [];
  for (let i = 0; i < 5 * READ_GROUP_SEGMENTS; i++) {
    // Some are in a run, the others in KV.
    if (i === 20) {
      clock.advance(5 * MINUTE);
      assertGreater((await stores.keepHouse()).runs, 0);
    }
    const writer = logs.writer("t");
    const begin = hour + random.below(HOUR);
    const own = Array.from({ length: 5 }, (_, j) => ({
      ...{ application: "a", level: 2, message: `${i}.${j}`, fields: [] },
      timestamp: Math.min(begin + random.below(10 * MINUTE), hour + HOUR - 1) + random.below(2) * HOUR,
    }));
    expected.push(...own.map(({ message }) => message));
    await writer.write(toLogColumns(own));
    await writer.flush();
  }
  for (const newestFirst of [true, false]) {
    const found: string[] = [];
    let after: LogSearch["after"];
    let time = newestFirst ? Infinity : -Infinity;
    for (let more = true; more;) {
      const search = { where: EVERY_ENTRY, from: 0, to: clock.now(), newestFirst, limit: 100, after };
      const page = await logs.search("t", search, NEVER);
      for (const { timestamp, message } of page.hits) {
        assert(newestFirst ? timestamp <= time : timestamp >= time, "they are in order");
        time = timestamp;
        found.push(message);
      }
      after = page.hits.at(-1);
      more = page.more;
    }
    assertEquals(found.toSorted(), expected.toSorted());
  }
  const counting = { where: EVERY_ENTRY, from: 0, to: clock.now(), limit: 10, step: 0, facets: [] };
  assertEquals((await logs.count("t", counting, NEVER)).count, expected.length);
});
