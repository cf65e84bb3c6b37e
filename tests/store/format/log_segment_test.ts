import { assert, assertEquals, assertThrows } from "@std/assert";
import { MAX_LOG_FIELD_BYTES, MAX_LOG_MESSAGE_BYTES, MAX_SEGMENT_BYTES } from "../../../limits.ts";
import { decodeLogIndex } from "../../../store/format/log_index.ts";
import { logId } from "../../../store/format/log_id.ts";
import { toLogColumns } from "../../../store/format/log_columns.ts";
import { decodeLogSegment } from "../../../store/format/log_reader.ts";
import { encodeLogSegment, packLogSegments } from "../../../store/format/log_segment.ts";
import { foldWord } from "../../../store/format/tokens.ts";
import { DamagedError } from "../../../store/format/value.ts";
import type { LogRecord, StoredLog } from "../../../store/log_types.ts";
import { ORIGIN, randomRecords } from "./logs.ts";
import { damage, property } from "./random.ts";

const OTHER = "01HF7YAT01ABCDEFGHJKMNPQRS";

/** What is to come back: sorted by time, arrival deciding between equal times, and with ids. */
function stored(records: readonly LogRecord[], origin = ORIGIN): StoredLog[] {
  return records.toSorted((a, b) => a.timestamp - b.timestamp).map((record, i) => ({
    ...record,
    id: logId(origin, i),
  }));
}

function entriesOf(segment: Uint8Array): StoredLog[] {
  return decodeLogSegment(segment).map((row) => row.copy());
}

/** Asks for everything that a segment has. */
function useAll(segment: Uint8Array): void {
  for (const row of decodeLogSegment(segment)) {
    for (const [name] of row.copy().fields) row.field(name);
    void row.foldedMessage;
    row.someFoldedValue(() => false);
  }
}

function byTimeAndId(a: StoredLog, b: StoredLog): number {
  return a.timestamp - b.timestamp || (a.id < b.id ? -1 : 1);
}

Deno.test("logId() has the order of the ordinals", () => {
  const ids = [0, 9, 10, 35, 36, 1295, 1296, 36 ** 4 - 1].map((ordinal) => logId(ORIGIN, ordinal));
  assertEquals(ids.toSorted(), ids);
  assertEquals(ids[4], `${ORIGIN}-0010`);
  for (const ordinal of [-1, 36 ** 4, NaN]) assertThrows(() => logId(ORIGIN, ordinal), RangeError);
});

Deno.test("decodeLogSegment() gives back the entries in order, with ids", () =>
  property(100, (random) => {
    const records = randomRecords(random, 1 + random.below(100));
    const decoded = entriesOf(encodeLogSegment(toLogColumns(records), ORIGIN));
    assertEquals(decoded, stored(records));
    assertEquals(decoded.toSorted(byTimeAndId), decoded);
  }));

Deno.test("encodeLogSegment() keeps the ids of entries that have them, so that segments can be merged", () =>
  property(50, (random) => {
    const first = stored(randomRecords(random, 1 + random.below(50)));
    const second = stored(randomRecords(random, 1 + random.below(50)), OTHER);
    const kept = random.shuffle([...first, ...second]).slice(0, 1 + random.below(60));
    const decoded = entriesOf(encodeLogSegment(toLogColumns(kept), "01HF7YAT02ABCDEFGHJKMNPQRS"));
    assertEquals(decoded, kept.toSorted(byTimeAndId));
  }));

Deno.test("encodeLogSegment() refuses an id or an origin that is none", () => {
  const [entry] = stored([{ application: "a", level: 0, timestamp: 0, message: "", fields: [] }]);
  for (const id of ["", "x", `${ORIGIN}-1`, `${ORIGIN}-00A0`, `${ORIGIN}-00001`]) {
    assertThrows(() => encodeLogSegment(toLogColumns([{ ...entry, id }]), ORIGIN), RangeError);
  }
  assertThrows(() => encodeLogSegment(toLogColumns([entry]), "short"), RangeError);
  assertThrows(() => encodeLogSegment(toLogColumns([]), ORIGIN), RangeError);
});

Deno.test("LogRow tells of an entry what the entry says, folded too, whether the segment is all ASCII or not", () =>
  property(100, (random) => {
    const ascii = (text: string) => text.replaceAll(/[^ -~]/g, "A");
    const records = randomRecords(random, 1 + random.below(30)).map((record) =>
      random.below(2) === 0 ? record : { ...record, message: ascii(record.message), fields: [] }
    );
    const rows = decodeLogSegment(encodeLogSegment(toLogColumns(records), ORIGIN));
    for (const [i, { message, fields }] of stored(records).entries()) {
      assertEquals(rows[i].foldedMessage, foldWord(message));
      for (const [name, value] of fields) assertEquals(rows[i].field(name), value);
      assertEquals(rows[i].field("no such field"), undefined);
      const folded: string[] = [];
      rows[i].someFoldedValue((value) => folded.push(value) === 0);
      assertEquals(folded, fields.map(([, value]) => foldWord(value)));
    }
  }));

Deno.test("packLogSegments() makes segments that fit a value, ids unique among them", () =>
  property(3, (random) => {
    const records = randomRecords(random, 1000).map((record) => ({
      ...record,
      message: record.message + btoa(String.fromCharCode(...random.bytes(300))),
    }));
    const packed = packLogSegments(toLogColumns(records), ORIGIN);
    assert(packed.length > 1);
    const all = packed.flatMap(({ segment, index, minTime, maxTime, count }) => {
      assert(segment.length <= MAX_SEGMENT_BYTES);
      const decoded = entriesOf(segment);
      const decodedIndex = decodeLogIndex(index);
      assertEquals([decoded.length, decoded[0].timestamp, decoded[count - 1].timestamp], [count, minTime, maxTime]);
      assertEquals([decodedIndex.count, decodedIndex.minTime, decodedIndex.maxTime], [count, minTime, maxTime]);
      return decoded;
    });
    assertEquals(all, stored(records));
    assertEquals(packLogSegments(toLogColumns([]), ORIGIN), []);
  }));

Deno.test("packLogSegments() packs an entry that is as large as may be and does not compress", () =>
  property(3, (random) => {
    const noise = (length: number) => String.fromCharCode(...random.bytes(length).map((byte) => byte & 0x7f));
    const record: LogRecord = {
      application: noise(256),
      level: 5,
      timestamp: 1,
      message: noise(MAX_LOG_MESSAGE_BYTES),
      fields: Array.from(
        { length: 64 },
        (_, i): [string, string] => [`${100 + i}`, noise(MAX_LOG_FIELD_BYTES / 64 - 3)],
      ),
    };
    assertEquals(packLogSegments(toLogColumns([record]), ORIGIN).length, 1);
  }));

Deno.test("packLogSegments() divides entries that would unpack to too much", () => {
  const record = { application: "a", level: 0, timestamp: 1, message: "m".repeat(30_000), fields: [] };
  const packed = packLogSegments(toLogColumns(new Array(300).fill(record)), ORIGIN);
  assertEquals(packed.reduce((sum, { count }) => sum + count, 0), 300);
  assert(packed.length >= 3);
  assertEquals(decodeLogSegment(packed[1].segment)[0].message, record.message);
});

Deno.test("decodeLogSegment() refuses damaged bytes or does no harm", () =>
  property(6, (random) => {
    const bytes = encodeLogSegment(toLogColumns(randomRecords(random, 1 + random.below(60))), ORIGIN);
    damage(random, bytes, useAll, (error) => error instanceof DamagedError);
    for (let length = 0; length < bytes.length - 4; length += 7) {
      assertThrows(() => decodeLogSegment(bytes.subarray(0, length)), DamagedError);
    }
  }));
