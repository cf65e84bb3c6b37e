/**
 * SearchLogs over segments: hour by hour in the order asked for. A segment is opened only if its index cannot rule it out,
 * and it may hold something that comes before the worst hit of a full page.
 *
 * @module
 */
import { logMatcher } from "../format/log_match.ts";
import { LogRow } from "../format/log_row.ts";
import type { LogSearch, LogSearchResult, StoredLog } from "../log_types.ts";
import { clamped } from "./log_range.ts";
import type { FoundPart, FoundSegment } from "./log_parts.ts";
import { LogSegments, type LogSegmentsOptions } from "./log_segments.ts";

/** What entries are in order by. */
type Place = Pick<StoredLog, "timestamp" | "id">;

export async function searchLogs(
  options: LogSegmentsOptions,
  tenant: string,
  asked: LogSearch,
  signal: AbortSignal,
): Promise<LogSearchResult> {
  const search = narrowed(clamped(asked, options));
  const { newestFirst, after, limit, from, to } = search;
  const isMet = logMatcher(search.where);
  const sign = newestFirst ? -1 : 1;
  const before = (a: Place, b: Place) => sign * (a.timestamp - b.timestamp || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  // One more than the page, to know whether there is a next one.
  const wanted = limit + 1;
  let hits: readonly StoredLog[] = [];
  const segments = new LogSegments(options, tenant, signal);
  const nearest = ({ minTime, maxTime }: FoundSegment) => newestFirst ? -maxTime : minTime;

  const read = async (parts: AsyncIterable<FoundPart>) => {
    let own = hits;
    for await (const { segments: found, endsHour } of parts) {
      const candidates = found.toSorted((a, b) => nearest(a) - nearest(b));
      for (const [i, candidate] of candidates.entries()) {
        const worst = own.length >= wanted ? sign * own[wanted - 1].timestamp : Infinity;
        if (nearest(candidate) > worst) {
          segments.skip(candidates.length - i);
          break;
        }
        const matching = (await segments.open(candidate)).filter((entry) =>
          entry.timestamp >= from && entry.timestamp < to && isMet(entry) && (!after || before(after, entry) < 0)
        );
        if (matching.length > 0) own = copied([...own, ...matching].sort(before).slice(0, wanted));
      }
      // Hours do not overlap: a full page is final once its hour is done.
      if (endsHour && own.length >= wanted) break;
    }
    return own;
  };
  await segments.each(search, newestFirst, read, (own) => {
    hits = own;
    return hits.length < wanted;
  });
  return { hits: hits.slice(0, limit), more: hits.length > limit, ...segments.counts };
}

/** Copies those of a segment that is open, or each would keep all of it in memory. */
function copied(hits: readonly StoredLog[]): StoredLog[] {
  return hits.map((hit) => hit instanceof LogRow ? hit.copy() : hit);
}

/** Clamps the range to what is left behind the entry that the last page ended with. */
function narrowed(search: LogSearch): LogSearch {
  const { after, newestFirst, from, to } = search;
  if (after === undefined) return search;
  return newestFirst
    ? { ...search, to: Math.min(to, after.timestamp + 1) }
    : { ...search, from: Math.max(from, after.timestamp) };
}
