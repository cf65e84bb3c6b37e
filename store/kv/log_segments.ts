/**
 * The segments of log entries of a tenant, as those see them who look for entries: their indexes in the order of hours, and
 * what is in one, in KV and in runs alike. A segment without an index that can be read may hold anything of its hour. One
 * that is damaged itself gives nothing; both are counted.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import type { Clock } from "../../clock.ts";
import { DAY, HOUR, KV_LIST_BATCH, MAX_READ_ENTRIES, READ_GROUP_SEGMENTS } from "../../limits.ts";
import { overLimit } from "../../errors.ts";
import { decodeLogIndex, type LogIndex } from "../format/log_index.ts";
import { mayMatch } from "../format/log_may_match.ts";
import { decodeLogSegment } from "../format/log_reader.ts";
import type { LogRow } from "../format/log_row.ts";
import type { LogRunSegment } from "../format/run_footer.ts";
import { DamagedError, FORMAT } from "../format/value.ts";
import type { DeletedItems } from "../deletion_types.ts";
import type { LogRuns } from "./compaction/logs.ts";
import { type ActiveDeletion, coversLog, loadDeletions, newerThan, NO_DELETIONS } from "./deletions.ts";
import { hoursRange, segmentKey } from "./keys.ts";
import type { Entry, KvClient } from "./kv.ts";
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
  readonly place?: { readonly run: Run; readonly segment: LogRunSegment };
}

/** What segments hold something of an hour. */
export type FoundHour = readonly FoundSegment[];

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

/** Hours that were looked through together, and the range of hours that is left. */
interface Group {
  readonly hours: readonly FoundHour[];
  readonly first: number;
  readonly end: number;
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
   * Goes through the hours that may hold something, some at a time. `read` may be called again for the same ones, because
   * segments were moved meanwhile, and must have no effect but its result; `take` is called once with it, and says whether
   * to go on.
   */
  async each<T>(
    search: LogRangeSearch,
    newestFirst: boolean,
    read: (hours: readonly FoundHour[]) => Promise<T>,
    take: (result: T) => boolean,
  ): Promise<void> {
    const { kv } = this.options;
    const { from, to } = search;
    if (from >= to) return;
    this.#deletions = (await loadDeletions(kv, "logs", this.tenant)).list;
    for await (
      const day of daysWith(kv, "logs", this.tenant, Math.floor(from / DAY), Math.ceil(to / DAY), newestFirst)
    ) {
      let first = Math.max(Math.floor(from / HOUR), day * DAY / HOUR);
      let end = Math.min(Math.ceil(to / HOUR), (day + 1) * DAY / HOUR);
      while (first < end) {
        const list = () => listRuns(kv, "logs", this.tenant, day, day + 1);
        const { group, result } = await readStable(list, async (runs, isCertain) => {
          this.#tally = new Tally();
          this.#isCertain = isCertain;
          const group = await this.#group(runs, search, first, end, newestFirst);
          return { group, result: await read(group.hours) };
        });
        this.#total.add(this.#tally);
        if (!take(result)) return;
        ({ first, end } = group);
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

  async #openPlaced({ run, segment }: NonNullable<FoundSegment["place"]>): Promise<readonly LogRow[] | undefined> {
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

  /** The next hours of those from `first` up to `end`. */
  async #group(
    { runs, damaged }: RunList,
    search: LogRangeSearch,
    first: number,
    end: number,
    newestFirst: boolean,
  ): Promise<Group> {
    for (let i = 0; i < damaged; i++) this.#tally.damaged.add(`run ${i}`);
    const hours = new Map<number, FoundSegment[]>();
    const add = (found: FoundSegment | undefined) => {
      if (found === undefined) return;
      const own = hours.get(found.hour);
      if (own) own.push(found);
      else hours.set(found.hour, [found]);
    };
    const rest = await this.#findOwn(search, first, end, newestFirst, add);
    for (const run of runs) {
      const segments = await this.#unlessDamaged(run, () => this.options.runs.segments(run)) ?? [];
      for (const segment of segments) {
        if (segment.hour < first || segment.hour >= end) continue;
        if (segment.hour >= rest.first && segment.hour < rest.end) continue;
        const { hour, index, offset } = segment;
        const own = { hour, id: `${run.id}.${offset}`, place: { run, segment } };
        add(this.#judge({ ...own, deletions: newerThan(this.#deletions, run.entry.versionstamp!) }, index, search));
      }
    }
    const order = [...hours].sort(([a], [b]) => newestFirst ? b - a : a - b);
    return { hours: order.map(([, found]) => found), ...rest };
  }

  /** Finds segments that are in no run, up to some hour; returns the hours that are left. */
  async #findOwn(
    search: LogRangeSearch,
    first: number,
    end: number,
    newestFirst: boolean,
    add: (found: FoundSegment | undefined) => void,
  ): Promise<{ readonly first: number; readonly end: number }> {
    const { kv } = this.options;
    let hour = NaN;
    let count = 0;
    const selector = hoursRange("logindex", this.tenant, first, end);
    for await (const page of kv.pages(selector, { reverse: newestFirst, batch: KV_LIST_BATCH })) {
      this.signal.throwIfAborted();
      for (const entry of page) {
        const own = entry.key[2] as number;
        if (own !== hour && count >= READ_GROUP_SEGMENTS) {
          return newestFirst ? { first, end: hour } : { first: hour + 1, end };
        }
        hour = own;
        const found = this.#judgeOwn(entry, search);
        if (found !== undefined) count++;
        add(found);
      }
    }
    return { first: end, end };
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
