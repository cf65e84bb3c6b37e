/**
 * The segments of log entries of a tenant, as those see them who look for entries: their indexes in the order of hours, and
 * what is in one, in KV and in runs alike. A segment without an index that can be read may hold anything of its hour. One
 * that is damaged itself gives nothing; both are counted.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import type { Clock } from "../../clock.ts";
import { DAY, HOUR, KV_LIST_BATCH, MAX_READ_ENTRIES } from "../../limits.ts";
import { overLimit } from "../../errors.ts";
import { decodeLogIndex, type LogIndex } from "../format/log_index.ts";
import { mayMatch } from "../format/log_may_match.ts";
import { decodeLogSegment } from "../format/log_reader.ts";
import type { LogRow } from "../format/log_row.ts";
import { DamagedError, FORMAT } from "../format/value.ts";
import type { DeletedItems } from "../deletion_types.ts";
import type { LogRuns } from "./compaction/logs.ts";
import { type ActiveDeletion, coversLog, loadDeletions, newerThan, NO_DELETIONS } from "./deletions.ts";
import { hoursRange, segmentKey } from "./keys.ts";
import type { Entry, KvClient } from "./kv.ts";
import { type FoundPart, type FoundSegment, type Hours, type HourSources, partsOf, type Place } from "./log_parts.ts";
import type { LogRangeSearch } from "./log_range.ts";
import { openValue } from "./records.ts";
import { daysWith, listRuns, readStable, type Run, type RunList } from "./runs/run_list.ts";

export interface LogSegmentsOptions {
  readonly kv: KvClient;
  readonly runs: LogRuns;
  readonly clock: Clock;
  /** How long entries are kept, ms. */
  readonly retention: number;
  /** Entries that one question may read. Default: MAX_READ_ENTRIES. */
  readonly maxEntries?: number;
}

/** How segments fared. */
class Tally {
  opened = 0;
  /** Ruled out by their index. */
  skipped = 0;
  /** Ids of segments that are damaged, or whose index is. */
  readonly damaged = new Set<string>();

  add({ opened, skipped, damaged }: Tally): void {
    this.opened += opened;
    this.skipped += skipped;
    for (const id of damaged) this.damaged.add(id);
  }
}

export class LogSegments {
  readonly #total = new Tally();
  /** Of what is being read. */
  #tally = new Tally();
  /** What is missing is damage, and no run that was replaced. */
  #isCertain = false;
  /** Entries, in all. */
  #read = 0;
  #deletions: readonly ActiveDeletion[] = NO_DELETIONS;

  constructor(
    private readonly options: LogSegmentsOptions,
    private readonly tenant: string,
    private readonly signal: AbortSignal,
  ) {}

  get counts(): { readonly opened: number; readonly skipped: number; readonly damaged: number } {
    const { opened, skipped, damaged } = this.#total;
    return { opened, skipped, damaged: damaged.size };
  }

  /** Counts segments that were found and need not be opened. */
  skip(count: number): void {
    this.#tally.skipped += count;
  }

  /**
   * Goes through the hours that may hold something, some at a time, in parts. `read` may be called again for the same ones,
   * because segments were moved meanwhile, and must have no effect but its result; it may stop before the last part if
   * nothing is to come after. `take` is called once with its result, and says whether to go on.
   */
  async each<T>(
    search: LogRangeSearch,
    newestFirst: boolean,
    read: (parts: AsyncIterable<FoundPart>) => Promise<T>,
    take: (result: T) => boolean,
  ): Promise<void> {
    const { kv } = this.options;
    const { from, to } = search;
    if (from >= to) return;
    this.#deletions = (await loadDeletions(kv, "logs", this.tenant)).list;
    for await (
      const day of daysWith(kv, "logs", this.tenant, Math.floor(from / DAY), Math.ceil(to / DAY), newestFirst)
    ) {
      let hours: Hours = {
        first: Math.max(Math.floor(from / HOUR), day * DAY / HOUR),
        end: Math.min(Math.ceil(to / HOUR), (day + 1) * DAY / HOUR),
      };
      while (hours.first < hours.end) {
        const list = () => listRuns(kv, "logs", this.tenant, day, day + 1);
        const { left, result } = await readStable(list, async (runs, isCertain) => {
          this.#tally = new Tally();
          this.#isCertain = isCertain;
          const left = { ...hours };
          return { left, result: await read(this.#parts(runs, search, left, newestFirst)) };
        });
        this.#total.add(this.#tally);
        if (!take(result)) return;
        hours = left;
      }
    }
  }

  /** The entries of a segment, in order; none if it is damaged, or expired. */
  async open(found: FoundSegment): Promise<readonly LogRow[]> {
    const { id, place, deletions } = found;
    const entries = place ? await this.#openPlaced(place) : await this.#openOwn(found);
    this.signal.throwIfAborted();
    if (entries === undefined) this.#tally.damaged.add(id);
    if (entries === undefined || entries === "expired") return [];
    this.#tally.opened++;
    this.#read += entries.length;
    const { maxEntries = MAX_READ_ENTRIES } = this.options;
    if (this.#read > maxEntries) {
      throw overLimit(
        `The question reads more than ${maxEntries} entries: take a shorter range, or name an application, or a word that ` +
          "few entries have",
      );
    }
    return deletions.length === 0 ? entries : entries.filter((entry) => !coversLog(deletions, entry));
  }

  async #openPlaced({ run, segment }: Place): Promise<readonly LogRow[] | undefined> {
    const { kv, runs } = this.options;
    const payload = await this.#unlessDamaged(run, async () => {
      for await (const [, payload] of runs.open(run, [segment])) return payload;
    });
    return payload && kv.decodeOrSkip(run.entry, () => decodeLogSegment(payload));
  }

  async #openOwn({ hour, id }: FoundSegment): Promise<readonly LogRow[] | "expired" | undefined> {
    const { kv, clock } = this.options;
    const entry = await kv.get(segmentKey("logs", this.tenant, hour, id));
    const entries = kv.decodeOrSkip(entry, () => {
      const payload = openValue(FORMAT.logSegment, clock.now(), entry.value);
      return payload ? decodeLogSegment(payload) : "expired";
    });
    return entry.value === null && await this.#isMissed(hour, id) ? undefined : entries;
  }

  /** Whether a segment that is not there should be: its index, which goes with it, still is. */
  async #isMissed(hour: number, id: string): Promise<boolean> {
    const { kv } = this.options;
    const entry = await kv.get(segmentKey("logindex", this.tenant, hour, id));
    if (entry.value === null) return false;
    const error = new DamagedError("Cannot read a segment as it is missing");
    kv.reportDamage(segmentKey("logs", this.tenant, hour, id), error);
    return true;
  }

  /** What the next hours of those in `left` hold; at the end `left` has those that are left. */
  async *#parts(
    { runs, damaged }: RunList,
    search: LogRangeSearch,
    left: Hours,
    newestFirst: boolean,
  ): AsyncGenerator<FoundPart> {
    for (let i = 0; i < damaged; i++) this.#tally.damaged.add(`run ${i}`);
    const placed = await this.#placedByHour(runs, left);
    const selector = hoursRange("logindex", this.tenant, left.first, left.end);
    const found: HourSources = {
      own: this.options.kv.pages(selector, { reverse: newestFirst, batch: KV_LIST_BATCH }),
      judgeOwn: (entry) => {
        this.signal.throwIfAborted();
        return this.#judgeOwn(entry, search);
      },
      placedHours: placed.keys(),
      judgePlaced: (hour) => placed.get(hour)?.flatMap((place) => this.#judgePlaced(place, search) ?? []) ?? [],
    };
    yield* partsOf(found, left, newestFirst);
  }

  /** The segments that runs have, by hour. */
  async #placedByHour(runs: readonly Run[], { first, end }: Hours): Promise<Map<number, Place[]>> {
    const hours = new Map<number, Place[]>();
    for (const run of runs) {
      if (run.maxTime < first * HOUR || run.minTime >= end * HOUR) continue;
      for (const segment of await this.#unlessDamaged(run, () => this.options.runs.segments(run)) ?? []) {
        if (segment.hour < first || segment.hour >= end) continue;
        const own = hours.get(segment.hour);
        if (own) own.push({ run, segment });
        else hours.set(segment.hour, [{ run, segment }]);
      }
    }
    return hours;
  }

  #judgePlaced(place: Place, search: LogRangeSearch): FoundSegment | undefined {
    const { run, segment: { hour, index, offset } } = place;
    const deletions = newerThan(this.#deletions, run.entry.versionstamp);
    return this.#judge({ hour, id: `${run.id}.${offset}`, place, deletions }, index, search);
  }

  #judgeOwn(entry: Entry, search: LogRangeSearch): FoundSegment | undefined {
    const { kv, clock } = this.options;
    const [, , hour, id] = entry.key as [string, string, number, string];
    const index = kv.decodeOrSkip(entry, () => {
      const payload = openValue(FORMAT.logIndex, clock.now(), entry.value);
      return payload ? decodeLogIndex(payload) : "expired";
    });
    if (index === "expired") return undefined;
    const deletions = newerThan(this.#deletions, entry.versionstamp!);
    if (index !== undefined) return this.#judge({ hour, id, deletions }, index, search);
    this.#tally.damaged.add(id);
    return { hour, id, deletions, minTime: hour * HOUR, maxTime: (hour + 1) * HOUR - 1, index };
  }

  /** The segment, if it may hold something. */
  #judge(
    segment: Pick<FoundSegment, "hour" | "id" | "place" | "deletions">,
    index: LogIndex,
    { where, from, to }: LogRangeSearch,
  ): FoundSegment | undefined {
    const { minTime, maxTime } = index;
    if (minTime < to && maxTime >= from && mayMatch(index, where)) {
      const deletions = segment.deletions.filter(({ items }) => mayHoldFor(items, index));
      return { ...segment, deletions, minTime, maxTime, index };
    }
    this.#tally.skipped++;
    return undefined;
  }

  /** What is read of a run; undefined if that is damaged. */
  async #unlessDamaged<T>(run: Run, read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      if (!this.#isCertain || !(error instanceof ConnectError && error.code === Code.DataLoss)) throw error;
      this.#tally.damaged.add(run.id);
      this.options.runs.reportDamage(run, error);
      return undefined;
    }
  }
}

/** Whether a deletion may hold for an entry of a segment with this index. */
function mayHoldFor(items: DeletedItems, { minTime, maxTime, names }: LogIndex): boolean {
  if (items.kind !== "logs" || minTime >= items.to || maxTime < items.from) return false;
  const { applications, applicationsComplete } = names;
  return items.application === undefined || !applicationsComplete || applications.has(items.application);
}
