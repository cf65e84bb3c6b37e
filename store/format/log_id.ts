/**
 * Ids of log entries: the ULID of the commit that first stored an entry, and its place there. Compaction keeps them.
 *
 * @module
 */
import type { LogColumns } from "./log_columns.ts";

/** Characters of an origin: a ULID's. */
const ORIGIN_LENGTH = 26;
/** Base-36 digits of an ordinal. A commit takes 512 KiB of items, so it has far fewer than 36^4. */
const ORDINAL_DIGITS = 4;
/** The greatest place. */
export const MAX_ORDINAL = 36 ** ORDINAL_DIGITS - 1;

/** Entries in the order of time and then id, and the two parts of their ids. */
export interface Placed {
  /** Places in their columns. */
  readonly order: Int32Array;
  /** One an entry of `order`, or one for all. */
  readonly origins: readonly string[];
  /** One an entry of `order`. */
  readonly ordinals: Int32Array;
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

/** Sorts entries by time and then id, and gives ids to those that have none; those stay as they arrived. */
export function place({ timestamps, ids }: LogColumns, origin: string): Placed {
  if (origin.length !== ORIGIN_LENGTH) throw new RangeError(`Cannot use ${JSON.stringify(origin)} as an origin`);
  const count = timestamps.length;
  if (count > MAX_ORDINAL + 1) throw new RangeError(`Cannot give ids to ${count} entries`);
  const order = new Int32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  const ordinals = order.slice();
  const known = ids?.some((id) => id !== undefined) ? ids : undefined;
  if (known || !isSorted(timestamps)) {
    order.sort((a, b) => timestamps[a] - timestamps[b] || (known ? compareIds(known[a], known[b]) : 0) || a - b);
  }
  if (!known) return { order, origins: [origin], ordinals };
  const origins = Array.from(order, (i, at) => {
    const id = known[i];
    if (id === undefined) return origin;
    const own = id.slice(0, ORIGIN_LENGTH);
    const ordinal = parseInt(id.slice(ORIGIN_LENGTH + 1), 36);
    if (logId(own, ordinal) !== id) throw new RangeError(`Cannot keep the id ${id}`);
    ordinals[at] = ordinal;
    return own;
  });
  return { order, origins, ordinals };
}

function isSorted(timestamps: Float64Array): boolean {
  for (let i = 1; i < timestamps.length; i++) if (timestamps[i] < timestamps[i - 1]) return false;
  return true;
}

/** An entry without an id comes last, as its id will be the latest. */
function compareIds(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  return a === undefined || (b !== undefined && a > b) ? 1 : -1;
}
