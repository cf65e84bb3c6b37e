/**
 * Log entries for tests.
 *
 * @module
 */
import { toLogColumns } from "../../../store/format/log_columns.ts";
import { place } from "../../../store/format/log_id.ts";
import { encodeLogIndex } from "../../../store/format/log_index.ts";
import { decodeLogSegment } from "../../../store/format/log_reader.ts";
import type { LogRow } from "../../../store/format/log_row.ts";
import { encodeLogSegment } from "../../../store/format/log_segment.ts";
import type { LogRecord } from "../../../store/log_types.ts";
import type { Random } from "./random.ts";

/** A ULID, as origins are. */
export const ORIGIN = "01HF7YAT00ABCDEFGHJKMNPQRS";

export function randomRecord(random: Random): LogRecord {
  const fields = new Map(Array.from({ length: random.below(5) }, () => [random.text(6), random.text(20)] as const));
  return {
    application: random.pick(["api", "worker", random.text(6)]),
    level: random.below(6),
    timestamp: 1_700_000_000_000 + random.below(1000),
    message: random.text(60),
    fields: [...fields].sort(([a], [b]) => a < b ? -1 : 1),
  };
}

export function randomRecords(random: Random, count: number): LogRecord[] {
  return Array.from({ length: count }, () => randomRecord(random));
}

/** An entry as a segment has it. */
export function rowOf(record: LogRecord): LogRow {
  return decodeLogSegment(encodeLogSegment(toLogColumns([record]), ORIGIN))[0];
}

/** The index of a segment with these entries. */
export function indexOf(records: readonly LogRecord[]): Uint8Array<ArrayBuffer> {
  const columns = toLogColumns(records);
  return encodeLogIndex(columns, place(columns, ORIGIN).order);
}
