/**
 * The segments that may hold what is sought in logs, hour by hour: of each hour first some that are in KV, with all that are
 * in runs, and then the others in KV. So of an hour with many segments few are in memory at once.
 *
 * @module
 */
import { READ_GROUP_SEGMENTS } from "../../limits.ts";
import type { LogIndex } from "../format/log_index.ts";
import type { LogRunSegment } from "../format/run_footer.ts";
import type { ActiveDeletion } from "./deletions.ts";
import type { Entry } from "./kv.ts";
import type { Run } from "./runs/run_list.ts";

/** A segment that may hold what is sought. */
export interface FoundSegment {
  readonly hour: number;
  readonly id: string;
  readonly minTime: number;
  readonly maxTime: number;
  /** Undefined if it is damaged. */
  readonly index: LogIndex | undefined;
  /** Those that may hold for entries of it. */
  readonly deletions: readonly ActiveDeletion[];
  /** Where it is, if it is in a run. */
  readonly place?: Place;
}

/** A segment of a run. */
export interface Place {
  readonly run: Run;
  readonly segment: LogRunSegment;
}

/** Segments that may hold something of an hour: all of them, or some, for of a busy hour there are many in KV. */
export interface FoundPart {
  readonly segments: readonly FoundSegment[];
  /** Whether no more of this hour come. */
  readonly endsHour: boolean;
}

/** A range of hours, `end` exclusive. */
export interface Hours {
  first: number;
  end: number;
}

/** Where segments come from. */
export interface HourSources {
  /** Those in KV, in the order of hours that is asked for. */
  readonly own: AsyncIterable<readonly Entry[]>;
  /** The segment, if it may hold something. */
  judgeOwn(entry: Entry): FoundSegment | undefined;
  /** Hours of which runs have segments. */
  readonly placedHours: Iterable<number>;
  /** Those of an hour that may hold something. */
  judgePlaced(hour: number): readonly FoundSegment[];
}

/** What the next hours of those in `left` hold, in order; at the end `left` has those that are left. */
export async function* partsOf(sources: HourSources, left: Hours, newestFirst: boolean): AsyncGenerator<FoundPart> {
  const hours = [...sources.placedHours].sort((a, b) => newestFirst ? a - b : b - a);
  /** Hours before one, of which only runs have something. */
  const before = function* (hour: number): Generator<FoundPart> {
    for (let own = hours.at(-1); own !== undefined && (newestFirst ? own > hour : own < hour); own = hours.at(-1)) {
      hours.pop();
      yield { segments: sources.judgePlaced(own), endsHour: true };
    }
  };
  let hour: number | undefined;
  let found: FoundSegment[] = [];
  let count = 0;
  const part = (endsHour: boolean): FoundPart => {
    const segments = found;
    found = [];
    if (hour === undefined || hours.at(-1) !== hour) return { segments, endsHour };
    hours.pop();
    return { segments: [...segments, ...sources.judgePlaced(hour)], endsHour };
  };
  for await (const page of sources.own) {
    for (const entry of page) {
      const own = entry.key[2] as number;
      if (own !== hour) {
        if (hour !== undefined) yield part(true);
        if (hour !== undefined && count >= READ_GROUP_SEGMENTS) {
          if (newestFirst) left.end = hour;
          else left.first = hour + 1;
          return;
        }
        yield* before(own);
        hour = own;
      }
      const judged = sources.judgeOwn(entry);
      if (judged === undefined) continue;
      count++;
      found.push(judged);
      if (found.length === READ_GROUP_SEGMENTS) yield part(false);
    }
  }
  if (hour !== undefined) yield part(true);
  yield* before(newestFirst ? -Infinity : Infinity);
  left.first = left.end;
}
