/**
 * SearchLogs over segments: hour by hour in the order asked for, index values first. A segment is opened only if its
 * index cannot rule it out and it may hold something that comes before the worst hit of a full page. A segment without
 * an index that can be read is opened; one that is damaged itself gives nothing, and the answer counts both.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import { HOUR, KV_LIST_BATCH } from "../../limits.ts";
import { decodeLogIndex, type LogIndex } from "../format/log_index.ts";
import { decodeLogSegment } from "../format/log_reader.ts";
import { matchesLog } from "../format/log_match.ts";
import { mayMatch } from "../format/log_may_match.ts";
import { DamagedError, FORMAT } from "../format/value.ts";
import { timesOf } from "../log_condition.ts";
import type { LogSearch, LogSearchResult, StoredLog } from "../types.ts";
import { hoursRange, segmentKey } from "./keys.ts";
import type { KvClient } from "./kv.ts";
import { openValue } from "./records.ts";

export interface LogSearchOptions {
  readonly kv: KvClient;
  readonly clock: Clock;
  readonly retention: number;
}

/** A segment that may hold hits. */
interface Candidate {
  readonly id: string;
  readonly index: Pick<LogIndex, "minTime" | "maxTime">;
}

export async function searchLogs(
  { kv, clock, retention }: LogSearchOptions,
  tenant: string,
  asked: LogSearch,
  signal: AbortSignal,
): Promise<LogSearchResult> {
  const search = narrowed(asked, clock.now() - retention);
  if (search.from >= search.to) return { hits: [], more: false, opened: 0, skipped: 0, damaged: 0 };
  const sign = search.newestFirst ? -1 : 1;
  const before = (a: { timestamp: number; id: string }, b: { timestamp: number; id: string }) =>
    sign * (a.timestamp - b.timestamp || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  // One more than the page, to know whether there is a next one.
  const wanted = search.limit + 1;
  let hits: StoredLog[] = [];
  let opened = 0, skipped = 0;
  /** Keys of segments that are damaged, or whose index is. */
  const damaged = new Set<string>();

  /** Opens those candidates of one hour that can still matter, best first. */
  async function openHour(hour: number, candidates: Candidate[]): Promise<void> {
    const nearest = ({ index }: Candidate) => search.newestFirst ? -index.maxTime : index.minTime;
    candidates.sort((a, b) => nearest(a) - nearest(b));
    for (const [i, candidate] of candidates.entries()) {
      const worst = hits.length >= wanted ? sign * hits[wanted - 1].timestamp : Infinity;
      if (nearest(candidate) > worst) {
        skipped += candidates.length - i;
        return;
      }
      const entry = await kv.get(segmentKey("logs", tenant, hour, candidate.id));
      signal.throwIfAborted();
      const found = kv.decodeOrSkip(entry, () => {
        const payload = openValue(FORMAT.logSegment, clock.now(), entry.value);
        return payload ? decodeLogSegment(payload) : "expired";
      });
      if (found === undefined || (entry.value === null && await isMissed(hour, candidate.id))) {
        damaged.add(candidate.id);
        continue;
      }
      if (found === "expired") continue;
      opened++;
      const matching = found.filter((record) =>
        isHit(record, search) && (!search.after || before(search.after, record) < 0)
      );
      if (matching.length > 0) hits = [...hits, ...matching].sort(before).slice(0, wanted);
    }
  }

  /** Whether a segment that is not there should be: its index, which goes with it, still is. */
  async function isMissed(hour: number, id: string): Promise<boolean> {
    const entry = await kv.get(segmentKey("logindex", tenant, hour, id));
    if (entry.value === null) return false;
    const error = new DamagedError("Cannot read a segment as it is missing");
    kv.reportDamage(segmentKey("logs", tenant, hour, id), error);
    return true;
  }

  let hour = NaN;
  let candidates: Candidate[] = [];
  const selector = hoursRange("logindex", tenant, Math.floor(search.from / HOUR), Math.ceil(search.to / HOUR));
  scan: for await (const page of kv.pages(selector, { reverse: search.newestFirst, batch: KV_LIST_BATCH })) {
    signal.throwIfAborted();
    for (const entry of page) {
      const [, , h, id] = entry.key as [string, string, number, string];
      if (h !== hour) {
        await openHour(hour, candidates);
        // Hours do not overlap: a full page is final once its hour is done.
        if (hits.length >= wanted) break scan;
        hour = h;
        candidates = [];
      }
      const index = kv.decodeOrSkip(entry, () => {
        const payload = openValue(FORMAT.logIndex, clock.now(), entry.value);
        return payload ? decodeLogIndex(payload) : "expired";
      });
      if (index === undefined) {
        damaged.add(id);
        candidates.push({ id, index: { minTime: h * HOUR, maxTime: (h + 1) * HOUR - 1 } });
      } else if (index !== "expired") {
        if (mayHold(index, search)) candidates.push({ id, index });
        else skipped++;
      }
    }
  }
  if (hits.length < wanted) await openHour(hour, candidates);
  return {
    hits: hits.slice(0, search.limit),
    more: hits.length > search.limit,
    opened,
    skipped,
    damaged: damaged.size,
  };
}

/** Clamps the range to what is retained, to the times that the search names, and to what is left behind the entry that the last page ended with. */
function narrowed(search: LogSearch, oldest: number): LogSearch {
  const times = timesOf(search.where);
  let from = Math.max(search.from, oldest, times.from);
  let to = Math.min(search.to, times.to);
  if (search.after && search.newestFirst) to = Math.min(to, search.after.timestamp + 1);
  else if (search.after) from = Math.max(from, search.after.timestamp);
  return { ...search, from, to };
}

function mayHold(index: LogIndex, { from, to, where }: LogSearch): boolean {
  return index.minTime < to && index.maxTime >= from && mayMatch(index, where);
}

function isHit(record: StoredLog, { from, to, where }: LogSearch): boolean {
  return record.timestamp >= from && record.timestamp < to && matchesLog(record, where);
}
