/**
 * Ids of log entries: the ULID of the commit that first stored an entry, and its place there. Compaction keeps them.
 *
 * @module
 */
import type { LogRecord, StoredLog } from "../types.ts";

/** Characters of an origin: a ULID's. */
const ORIGIN_LENGTH = 26;
/** Base-36 digits of an ordinal. A commit takes 512 KiB of items, so it has far fewer than 36^4. */
const ORDINAL_DIGITS = 4;
/** The greatest place. */
export const MAX_ORDINAL = 36 ** ORDINAL_DIGITS - 1;

/** An entry and the two parts of its id. */
export interface Placed {
  readonly record: LogRecord;
  readonly origin: string;
  readonly ordinal: number;
}

/**
 * The id of the entry with this place in the commit of this origin. Ids of one origin have the order of their ordinals.
 *
 * @param origin A ULID.
 * @throws {RangeError} If the ordinal has more than four digits of base 36.
 */
export function logId(origin: string, ordinal: number): string {
  if (!(ordinal >= 0 && ordinal <= MAX_ORDINAL)) throw new RangeError(`Cannot make an id: ordinal ${ordinal}`);
  return `${origin}-${ordinal.toString(36).padStart(ORDINAL_DIGITS, "0")}`;
}

/** Sorts entries by time and then id, and gives ids to those that have none. */
export function place(records: readonly (LogRecord | StoredLog)[], origin: string): Placed[] {
  if (origin.length !== ORIGIN_LENGTH) throw new RangeError(`Cannot use ${JSON.stringify(origin)} as an origin`);
  if (records.length > MAX_ORDINAL + 1) throw new RangeError(`Cannot give ids to ${records.length} entries`);
  const sorted = records.toSorted((a, b) => a.timestamp - b.timestamp || compareIds(a, b));
  return sorted.map((record, i) => {
    if (!("id" in record)) return { record, origin, ordinal: i };
    const placed = { record, origin: record.id.slice(0, ORIGIN_LENGTH), ordinal: ordinalOf(record.id) };
    if (logId(placed.origin, placed.ordinal) !== record.id) throw new RangeError(`Cannot keep the id ${record.id}`);
    return placed;
  });
}

/** Entries without an id stay as they arrived. */
function compareIds(a: LogRecord | StoredLog, b: LogRecord | StoredLog): number {
  if (!("id" in a) || !("id" in b) || a.id === b.id) return 0;
  return a.id < b.id ? -1 : 1;
}

function ordinalOf(id: string): number {
  return parseInt(id.slice(ORIGIN_LENGTH + 1), 36);
}
