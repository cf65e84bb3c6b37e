import { assert, assertEquals, assertThrows } from "@std/assert";
import { decodeLogIndex } from "../../../store/format/log_index.ts";
import { logMatcher } from "../../../store/format/log_match.ts";
import { mayMatch } from "../../../store/format/log_may_match.ts";
import { foldWord, forEachToken } from "../../../store/format/tokens.ts";
import { DamagedError } from "../../../store/format/value.ts";
import { EVERY_ENTRY } from "../../../store/log_condition.ts";
import type { LogRecord } from "../../../store/log_types.ts";
import { type Asked, conditionOf } from "../../support/log_conditions.ts";
import { indexOf, randomRecord, randomRecords, rowOf } from "./logs.ts";
import { damage, property, type Random } from "./random.ts";

/** Conditions that one of the entries may well meet. */
function randomAsked(random: Random, { application, level, message, fields }: LogRecord): Asked {
  const words: string[] = [];
  for (const text of [message, ...fields.map(([, value]) => value)]) forEachToken(text, (token) => words.push(token));
  const start = random.below(message.length + 1);
  return {
    application: random.pick([undefined, application, random.text(3)]),
    minLevel: random.pick([0, level, random.below(6)]),
    words: random.pick([[], words, [foldWord(message.slice(start, start + 10))]]).filter((word) => word !== ""),
    fields: random.pick([[], fields]),
  };
}

Deno.test("mayMatch() is true wherever an entry matches", () => {
  let matching = 0;
  property(500, (random) => {
    const records = randomRecords(random, 1 + random.below(20));
    const index = decodeLogIndex(indexOf(records));
    const condition = conditionOf(randomAsked(random, random.pick(records)));
    if (records.map(rowOf).some(logMatcher(condition))) {
      matching++;
      assert(mayMatch(index, condition), JSON.stringify(condition));
    }
  });
  assert(matching > 50, `${matching} searches had matches`);
});

Deno.test("mayMatch() is false where time, level, application, field or word rule the segment out", () => {
  const records: LogRecord[] = [
    { application: "api", level: 2, timestamp: 100, message: "Request done", fields: [["user", "Ada L"]] },
    { application: "db", level: 3, timestamp: 200, message: "slow query", fields: [] },
  ];
  const index = decodeLogIndex(indexOf(records));
  const may = (asked: Asked) => mayMatch(index, conditionOf(asked));
  const mayAt = (from: number, to: number) => mayMatch(index, { type: "time", from, to });
  assertEquals([index.minTime, index.maxTime, index.count], [100, 200, 2]);
  assertEquals([...index.names.applications], [["api", 1], ["db", 1]]);
  assertEquals(index.levels, [0, 0, 1, 1, 0, 0]);
  assertEquals(index.names.fieldNames, ["user"]);
  assert(may({}));
  assert(mayAt(200, 300) && mayAt(0, 101) && !mayAt(201, 300) && !mayAt(0, 100));
  assert(may({ minLevel: 3 }) && !may({ minLevel: 4 }));
  assert(may({ application: "api" }) && !may({ application: "web" }));
  assert(may({ fields: [["user", "Ada L"]] }) && !may({ fields: [["user", "ada l"]] }));
  assert(!may({ fields: [["trace", "1"]] }));
  assert(may({ words: ["request", "ada", "slow query"] }) && !may({ words: ["request", "absent"] }));
  assert(!mayMatch(decodeLogIndex(indexOf([])), EVERY_ENTRY));
});

Deno.test("encodeLogIndex() stays small on hostile entries, and does not rule out what it had no room for", () =>
  property(2, (random) => {
    const records = Array.from({ length: 1000 }, (_, i): LogRecord => ({
      ...randomRecord(random),
      application: `${i}`.padStart(4, "0") + "é".repeat(126),
      message: Array.from({ length: 20 }, () => random.integer()).join(" "),
      fields: [[`${i}`.padStart(4, "0") + "ü".repeat(126), random.text(50)]],
    }));
    const bytes = indexOf(records);
    assert(bytes.length < 16 * 1024, `${bytes.length} bytes`);
    const index = decodeLogIndex(bytes);
    assertEquals([index.names.applicationsComplete, index.names.fieldNamesComplete], [false, false]);
    for (const { application, fields } of records) assert(mayMatch(index, conditionOf({ application, fields })));
  }));

Deno.test("encodeLogIndex() keeps the most frequent applications when there are too many", () => {
  const record = { level: 0, timestamp: 1, message: "", fields: [] };
  const many = Array.from({ length: 100 }, (_, i): LogRecord => ({ ...record, application: `${i}`.padEnd(256, "x") }));
  const index = decodeLogIndex(
    indexOf([...many, { ...record, application: "often" }, { ...record, application: "often" }]),
  );
  assertEquals([...index.names.applications][0], ["often", 2]);
});

Deno.test("decodeLogIndex() refuses damaged bytes or does no harm", () =>
  property(10, (random) => {
    const records = randomRecords(random, 1 + random.below(30));
    const read = (bytes: Uint8Array) => mayMatch(decodeLogIndex(bytes), conditionOf(randomAsked(random, records[0])));
    damage(random, indexOf(records), read, (error) => error instanceof DamagedError);
    assertThrows(() => decodeLogIndex(indexOf(records).subarray(0, 5)), DamagedError);
  }));
