/**
 * The segments of log entries of a tenant, as those see them who look for entries: their indexes in the order of hours, and
 * what is in one. A segment without an index that can be read may hold anything of its hour. One that is damaged itself
 * gives nothing; both are counted.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import { HOUR, KV_LIST_BATCH } from "../../limits.ts";
import { decodeLogIndex, type LogIndex } from "../format/log_index.ts";
import { mayMatch } from "../format/log_may_match.ts";
import { decodeLogSegment } from "../format/log_reader.ts";
import { DamagedError, FORMAT } from "../format/value.ts";
import { type LogCondition, timesOf } from "../log_condition.ts";
import type { StoredLog } from "../log_types.ts";
import { hoursRange, segmentKey } from "./keys.ts";
import type { KvClient } from "./kv.ts";
import { openValue } from "./records.ts";

export interface LogSegmentsOptions {
  readonly kv: KvClient;
  readonly clock: Clock;
  /** How long entries are kept, ms. */
  readonly retention: number;
}

/** What is sought, and when it was: from `from` (inclusive) up to `to` (exclusive), ms since the epoch. */
export interface LogRangeSearch {
  readonly where: LogCondition;
  readonly from: number;
  readonly to: number;
}

/** A segment that may hold what is sought. */
export interface FoundSegment {
  readonly hour: number;
  readonly id: string;
  readonly minTime: number;
  readonly maxTime: number;
  /** Undefined if it is damaged. */
  readonly index: LogIndex | undefined;
}

export class LogSegments {
  opened = 0;
  /** Ruled out by their index. */
  skipped = 0;
  /** Ids of segments that are damaged, or whose index is. */
  readonly #damaged = new Set<string>();

  constructor(
    private readonly options: LogSegmentsOptions,
    private readonly tenant: string,
    private readonly signal: AbortSignal,
  ) {}

  get damaged(): number {
    return this.#damaged.size;
  }

  /** The segments that may hold something, hour by hour. */
  async *find({ where, from, to }: LogRangeSearch, newestFirst: boolean): AsyncGenerator<readonly FoundSegment[]> {
    if (from >= to) return;
    const { kv, clock } = this.options;
    let hour = NaN;
    let found: FoundSegment[] = [];
    const selector = hoursRange("logindex", this.tenant, Math.floor(from / HOUR), Math.ceil(to / HOUR));
    for await (const page of kv.pages(selector, { reverse: newestFirst, batch: KV_LIST_BATCH })) {
      this.signal.throwIfAborted();
      for (const entry of page) {
        const [, , h, id] = entry.key as [string, string, number, string];
        if (h !== hour) {
          if (found.length > 0) yield found;
          hour = h;
          found = [];
        }
        const index = kv.decodeOrSkip(entry, () => {
          const payload = openValue(FORMAT.logIndex, clock.now(), entry.value);
          return payload ? decodeLogIndex(payload) : "expired";
        });
        if (index === undefined) {
          this.#damaged.add(id);
          found.push({ hour, id, minTime: hour * HOUR, maxTime: (hour + 1) * HOUR - 1, index });
        } else if (index !== "expired") {
          const { minTime, maxTime } = index;
          if (minTime < to && maxTime >= from && mayMatch(index, where)) {
            found.push({ hour, id, minTime, maxTime, index });
          } else this.skipped++;
        }
      }
    }
    if (found.length > 0) yield found;
  }

  /** The entries of a segment, in order; none if it is damaged, or expired. */
  async open({ hour, id }: FoundSegment): Promise<readonly StoredLog[]> {
    const { kv, clock } = this.options;
    const entry = await kv.get(segmentKey("logs", this.tenant, hour, id));
    this.signal.throwIfAborted();
    const entries = kv.decodeOrSkip(entry, () => {
      const payload = openValue(FORMAT.logSegment, clock.now(), entry.value);
      return payload ? decodeLogSegment(payload) : "expired";
    });
    if (entries === undefined || (entry.value === null && await this.#isMissed(hour, id))) this.#damaged.add(id);
    if (entries === undefined || entries === "expired") return [];
    this.opened++;
    return entries;
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
}

/** The search within what is retained, and within the times that its condition names. */
export function clamped<S extends LogRangeSearch>(search: S, { clock, retention }: LogSegmentsOptions): S {
  const times = timesOf(search.where);
  return {
    ...search,
    from: Math.max(search.from, clock.now() - retention, times.from),
    to: Math.min(search.to, times.to),
  };
}
