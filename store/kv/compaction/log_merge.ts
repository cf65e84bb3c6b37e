/**
 * Log entries of many segments, in the order of time and id.
 *
 * @module
 */
import {
  HOUR,
  RUN_BLOOM_BYTES,
  RUN_PART_CHARS,
  RUN_PART_ENTRIES,
  RUN_SEGMENT_CHARS,
  RUN_SEGMENT_ENTRIES,
} from "../../../limits.ts";
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

/**
 * Packs entries, which come in order, to segments of one hour each and of up to RUN_SEGMENT_ENTRIES. By application, those of
 * RUN_PART_ENTRIES are put into that order first, and their segments overlap in time.
 */
export async function* packEntries(
  lists: AsyncIterable<readonly StoredLog[]>,
  origin: string,
  byApplication: boolean,
): AsyncGenerator<PackedRunLogs> {
  const part = byApplication ? { entries: RUN_PART_ENTRIES, chars: RUN_PART_CHARS } : SEGMENT;
  for await (const { hour, entries } of cutByHour(lists, part)) {
    const segments = byApplication ? cut(ordered(entries), SEGMENT) : [entries];
    for (const own of segments) {
      for (const packed of packLogSegments(toLogColumns(own), origin, RUN_BLOOM_BYTES)) yield { ...packed, hour };
    }
  }
}

interface Size {
  readonly entries: number;
  readonly chars: number;
}

const SEGMENT: Size = { entries: RUN_SEGMENT_ENTRIES, chars: RUN_SEGMENT_CHARS };

/** Entries of one hour each, at most so many. */
async function* cutByHour(lists: AsyncIterable<readonly StoredLog[]>, size: Size) {
  let entries: StoredLog[] = [];
  let hour = NaN;
  let chars = 0;
  for await (const list of lists) {
    for (const entry of list) {
      const own = Math.floor(entry.timestamp / HOUR);
      if (entries.length > 0 && (own !== hour || entries.length === size.entries || chars > size.chars)) {
        yield { hour, entries };
        entries = [];
        chars = 0;
      }
      hour = own;
      entries.push(entry);
      chars += charsOf(entry);
    }
  }
  if (entries.length > 0) yield { hour, entries };
}

function* cut(list: readonly StoredLog[], size: Size): Generator<readonly StoredLog[]> {
  let first = 0;
  let chars = 0;
  for (const [i, entry] of list.entries()) {
    if (i > first && (i - first === size.entries || chars > size.chars)) {
      yield list.slice(first, i);
      first = i;
      chars = 0;
    }
    chars += charsOf(entry);
  }
  yield list.slice(first);
}

/** By application, and of each in the order in which they are. */
function ordered(entries: readonly StoredLog[]): StoredLog[] {
  const applications = Map.groupBy(entries, ({ application }) => application);
  return Array.from(applications.keys()).sort().flatMap((application) => applications.get(application) ?? []);
}

function charsOf({ message, fields }: StoredLog): number {
  return fields.reduce((sum, [name, value]) => sum + name.length + value.length, message.length);
}
