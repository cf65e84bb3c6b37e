/**
 * Log entries of many segments, in the order of time and id.
 *
 * @module
 */
import { HOUR, RUN_BLOOM_BYTES, RUN_SEGMENT_CHARS, RUN_SEGMENT_ENTRIES } from "../../../limits.ts";
import { Cursor } from "./cursor.ts";
import { toLogColumns } from "../../format/log_columns.ts";
import { type PackedLogs, packLogSegments } from "../../format/log_segment.ts";
import type { StoredLog } from "../../log_types.ts";

export function compareLogs(a: StoredLog, b: StoredLog): number {
  return a.timestamp - b.timestamp || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/** Entries in order, in lists. */
export interface LogSource {
  /** None of them is earlier, ms since the epoch: so long it need not be begun. */
  readonly from: number;
  readonly lists: AsyncIterator<readonly StoredLog[]> | Iterator<readonly StoredLog[]>;
}

/** Entries that are handed on at once. */
const BATCH = 1024;

/** Several sources as one. Those of other hours are begun when their time comes, so that few are in memory at once. */
export async function* mergeLogs(sources: readonly LogSource[]): AsyncGenerator<readonly StoredLog[]> {
  const pending = sources.toSorted((a, b) => b.from - a.from);
  const cursors: Cursor<StoredLog>[] = [];
  let merged: StoredLog[] = [];
  for (;;) {
    let least = leastOf(cursors);
    while (pending.length > 0 && !(least && least.head.timestamp < pending.at(-1)!.from)) {
      const cursor = new Cursor(pending.pop()!.lists);
      if (await cursor.refill()) cursors.push(cursor);
      least = leastOf(cursors);
    }
    if (least === undefined) break;
    merged.push(least.head);
    if (!least.next() && !await least.refill()) cursors.splice(cursors.indexOf(least), 1);
    if (merged.length < BATCH) continue;
    yield merged;
    merged = [];
  }
  if (merged.length > 0) yield merged;
}

function leastOf(cursors: readonly Cursor<StoredLog>[]): Cursor<StoredLog> | undefined {
  let least = cursors[0];
  for (const cursor of cursors) if (compareLogs(cursor.head, least.head) < 0) least = cursor;
  return least;
}

/** A segment of a run, of one hour. */
export interface PackedRunLogs extends PackedLogs {
  readonly hour: number;
}

/** Packs entries, which come in order, to segments of one hour and up to RUN_SEGMENT_ENTRIES each. */
export async function* packEntries(
  lists: AsyncIterable<readonly StoredLog[]>,
  origin: string,
): AsyncGenerator<PackedRunLogs> {
  let list: StoredLog[] = [];
  let hour = NaN;
  let chars = 0;
  const pack = () =>
    packLogSegments(toLogColumns(list), origin, RUN_BLOOM_BYTES).map((packed) => ({ ...packed, hour }));
  for await (const entries of lists) {
    for (const entry of entries) {
      const own = Math.floor(entry.timestamp / HOUR);
      if (list.length > 0 && (own !== hour || list.length === RUN_SEGMENT_ENTRIES || chars > RUN_SEGMENT_CHARS)) {
        yield* pack();
        list = [];
        chars = 0;
      }
      hour = own;
      list.push(entry);
      chars += entry.message.length;
      for (const [name, value] of entry.fields) chars += name.length + value.length;
    }
  }
  if (list.length > 0) yield* pack();
}
