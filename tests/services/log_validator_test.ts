import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { LogEntrySchema } from "../../gen/sluice/v1/data_collection_pb.ts";
import { DAY, MAX_LOG_FIELD_BYTES, MAX_LOG_FIELDS, MAX_LOG_MESSAGE_BYTES, MAX_NAME_BYTES } from "../../limits.ts";
import { type LogRule, parseLogRules } from "../../services/log_rules.ts";
import { LogValidator } from "../../services/log_validator.ts";
import { timeBounds } from "../../services/time_bounds.ts";
import { decodeLogSegment } from "../../store/format/log_reader.ts";
import { encodeLogSegment } from "../../store/format/log_segment.ts";
import type { LogBatch } from "../../store/log_types.ts";
import { ORIGIN } from "../store/format/logs.ts";
import { decodedLogs } from "../support/logs.ts";

type Entry = MessageInitShape<typeof LogEntrySchema>;

const NOW = Date.UTC(2026, 0, 1);
const good: Entry = { application: "web", level: "warn", timestamp: BigInt(NOW), message: "all is well" };
const fieldsOf = (count: number, value: string) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, value]));

function validate(entries: readonly Entry[], rules: readonly LogRule[] = []) {
  const rejections: string[] = [];
  const { batch, kept, filtered } = new LogValidator(rules).validate(
    decodedLogs(entries),
    timeBounds(NOW, 7 * DAY),
    (place, { field, reason }) => rejections.push(`${place} ${field} ${reason}`),
  );
  return { batch, kept, filtered, rejections };
}

/** What entries of a batch say, in the order of time. */
function messages(batch: LogBatch): string[] {
  return decodeLogSegment(encodeLogSegment(batch, ORIGIN)).map(({ message }) => message);
}

Deno.test("LogValidator.validate() rejects what is wrong, and says what comes first of several", () => {
  const long = "é".repeat(MAX_NAME_BYTES / 2) + "x";
  const late = { timestamp: BigInt(NOW - 8 * DAY) };
  const huge = { message: "x".repeat(MAX_LOG_MESSAGE_BYTES + 1) };
  const many = { fields: fieldsOf(MAX_LOG_FIELDS + 1, "") };
  const wide = { fields: { a: "x".repeat(MAX_LOG_FIELD_BYTES) } };
  const wrong: [bad: Entry, rejection: string][] = [
    [{ application: "" }, "application must not be empty"],
    [{ application: long }, `application must have at most ${MAX_NAME_BYTES} bytes`],
    [
      { level: "loud" },
      'level must be one of TRACE, DEBUG, INFO, WARN, ERROR, FATAL, or as usually written: current value is "loud"',
    ],
    [huge, `message must have at most ${MAX_LOG_MESSAGE_BYTES} bytes: it has ${MAX_LOG_MESSAGE_BYTES + 1}`],
    [{ fields: { "": "x" } }, "fields must not have an empty key"],
    [{ fields: { [long]: "x" } }, `fields a key must have at most ${MAX_NAME_BYTES} bytes`],
    [many, `fields must be at most ${MAX_LOG_FIELDS}: there are ${MAX_LOG_FIELDS + 1}`],
    [wide, `fields must have at most ${MAX_LOG_FIELD_BYTES} bytes: they have ${MAX_LOG_FIELD_BYTES + 1}`],
    [{ level: "loud", ...many, ...huge, ...late, application: "" }, "application must not be empty"],
    [
      { level: "loud", ...many, ...huge, timestamp: -1n },
      "timestamp must be within the 7 days that are kept, in milliseconds since the epoch: current value is -1",
    ],
    [
      { level: "loud", ...many, message: `${huge.message}é` },
      `message must have at most ${MAX_LOG_MESSAGE_BYTES} bytes: it has ${MAX_LOG_MESSAGE_BYTES + 3}`,
    ],
    [{ level: "loud", ...many }, `fields must be at most ${MAX_LOG_FIELDS}: there are ${MAX_LOG_FIELDS + 1}`],
  ];
  const entries = wrong.flatMap(([bad], i) => [{ ...good, message: `${i}` }, { ...good, ...bad }]);
  const { batch, kept, filtered, rejections } = validate(entries);
  assertEquals(kept, Int32Array.from(wrong, (_, i) => 2 * i));
  assertEquals(rejections, wrong.map(([, rejection], i) => `${2 * i + 1} ${rejection}`));
  assertEquals(filtered, 0);
  assertEquals(messages(batch), wrong.map((_, i) => `${i}`));
});

Deno.test("LogValidator.validate() takes what is at the limits", () => {
  const entries: Entry[] = [
    { ...good, application: "x".repeat(MAX_NAME_BYTES) },
    { ...good, message: "x".repeat(MAX_LOG_MESSAGE_BYTES) },
    { ...good, message: "" },
    { ...good, fields: fieldsOf(MAX_LOG_FIELDS, "") },
    { ...good, fields: { ab: "x".repeat(MAX_LOG_FIELD_BYTES - 2) } },
    { ...good, timestamp: BigInt(NOW - 7 * DAY), level: "" },
    { ...good, timestamp: BigInt(NOW + DAY) },
  ];
  const { batch, kept, rejections } = validate(entries);
  assertEquals(rejections, []);
  assertEquals([batch.timestamps.length, kept], [entries.length, undefined]);
});

Deno.test("LogValidator.validate() hands a batch on as it is if all of it is kept", () => {
  const batch = decodedLogs([good, { ...good, level: "W" }]);
  const left = new LogValidator([]).validate(batch, timeBounds(NOW, DAY), () => assert(false)).batch;
  assertStrictEquals(left.texts, batch.texts);
  assertEquals(left.shapes, [3, 3].map((level) => ({ application: "web", level, keys: [] })));
});

Deno.test("LogValidator.validate() leaves out and counts what the rules drop", () => {
  const rules = parseLogRules(
    '[{"action":"drop","application":"web","level":"DEBUG"},{"action":"drop","pattern":"GET /healthz*"}]',
  );
  const entries: Entry[] = [
    { ...good, level: "debug", message: "1" },
    { ...good, message: "GET /healthz 200" },
    { ...good, application: "db", level: "debug", message: "2", fields: { user: "ü" } },
    { ...good, message: "3" },
    { ...good, level: "loud", message: "GET /healthz" },
    { ...good, message: "4 é", fields: { a: "b" } },
    { ...good, message: "GET /healthz?é" },
  ];
  const { batch, kept, filtered, rejections } = validate(entries, rules);
  assertEquals([filtered, rejections.length], [3, 1]);
  assertEquals(messages(batch), ["2", "3", "4 é"]);
  assertEquals(kept, Int32Array.of(2, 3, 5));
  const none = validate([entries[0]], rules);
  assertEquals([none.batch.timestamps.length, none.kept, none.filtered], [0, new Int32Array(0), 1]);
});
