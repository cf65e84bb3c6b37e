/**
 * The index of a tenant's series: one KV entry a series, written in the commit that first uses it, written again once a
 * day while it is in use, and gone a retention after it was last used. Known ones are held in memory, so that a point of
 * a known series costs no look-up. Several instances learn of each other's series when they next load, so the limit on
 * their number holds for each instance by itself.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import { SeriesRecordSchema } from "../../gen/sluice/store/v1/records_pb.ts";
import { DAY, DELETIONS_AGE_MS, SERIES_RESERVATION_MS } from "../../limits.ts";
import { makeSeries, matches, seriesId } from "../format/series.ts";
import { decodeValue, FORMAT } from "../format/value.ts";
import type { Mutation, Series, SeriesFilter } from "../types.ts";
import { type ActiveDeletion, isOfAllTime, loadDeletions, newerThan, ofSeries } from "./deletions.ts";
import { latestDeletionKey, seriesKvKey, seriesPrefix } from "./keys.ts";
import type { Entry, KvClient } from "./kv.ts";
import { decodeRecord, encodeRecord } from "./records.ts";

/** When the entry of each known series expires, by its key; for one that no commit has written yet, minus the time at which
 * it took its room. */
type Known = Map<string, number>;

/**
 * `new`: there is no entry, and the commit that uses the series must write it. `due`: there is one that should be written
 * again within a day. `fresh`: there is nothing to do.
 */
export type SeriesState = "new" | "due" | "fresh";

export interface SeriesIndexOptions {
  readonly kv: KvClient;
  readonly clock: Clock;
  /** How long points are kept, ms. */
  readonly retention: number;
  /** Series that a tenant may have. */
  readonly maxSeries: number;
}

export class SeriesIndex {
  readonly #tenants = new Map<string, Promise<Known>>();
  /** The deletions that the known series of a tenant take into account, and when that was looked up. */
  readonly #deletions = new Map<string, { readonly version: string | null; readonly at: number }>();

  constructor(private readonly o: SeriesIndexOptions) {}

  /** Which of these the tenant has no room for. Room is taken for the others. */
  async refused(tenant: string, series: readonly Series[]): Promise<ReadonlySet<Series>> {
    const known = await this.#load(tenant);
    const refused = new Set<Series>();
    let swept = false;
    for (const s of series) {
      if (known.has(s.key)) continue;
      if (known.size >= this.o.maxSeries && !swept) {
        this.#forgetExpired(known);
        swept = true;
      }
      if (known.size >= this.o.maxSeries) refused.add(s);
      else known.set(s.key, -this.o.clock.now());
    }
    return refused;
  }

  /** Whether the commit that uses a series has to write its entry, may do so, or need not. */
  async states(tenant: string): Promise<(series: Series) => SeriesState> {
    const known = await this.#load(tenant);
    const now = this.o.clock.now();
    // Written again when a day of its life has passed.
    const threshold = this.#expiry() - DAY;
    return ({ key }) => {
      const expires = known.get(key) ?? 0;
      return expires >= threshold ? "fresh" : expires > now ? "due" : "new";
    };
  }

  /** The entries to write for those, and what to call when they are committed. */
  async register(tenant: string, series: Iterable<Series>): Promise<{ mutations: Mutation[]; committed(): void }> {
    const known = await this.#load(tenant);
    const expires = this.#expiry();
    const registered = [...series];
    return {
      mutations: registered.map(({ source, metric, tags, key }) => ({
        type: "set",
        key: seriesKvKey(tenant, seriesId(key)),
        value: encodeRecord(SeriesRecordSchema, FORMAT.series, expires, {
          source,
          metric,
          tags: tags.map(([key, value]) => ({ key, value })),
        }),
      })),
      committed() {
        for (const { key } of registered) known.set(key, expires);
      },
    };
  }

  /** Matching series in the order of their ids, after the id `after` (hex). */
  async list(tenant: string, filter: SeriesFilter, limit: number, after: string | undefined, signal: AbortSignal) {
    const prefix = seriesPrefix(tenant);
    const start = after && seriesKvKey(tenant, Uint8Array.from([...Uint8Array.fromHex(after), 0]));
    const found: Series[] = [];
    let last = "";
    const { list } = await loadDeletions(this.o.kv, "points", tenant);
    for await (const page of this.o.kv.pages(start ? { prefix, start } : { prefix })) {
      signal.throwIfAborted();
      for (const entry of page) {
        const series = this.#decode(entry);
        if (!series || !matches(series, filter) || isDeleted(series, entry, list)) continue;
        if (found.length === limit) return { series: found, next: last };
        found.push(series);
        last = (entry.key[2] as Uint8Array).toHex();
      }
    }
    return { series: found, next: undefined };
  }

  #expiry(): number {
    // A day for points that lie ahead, and one until it is written again.
    return this.o.clock.now() + this.o.retention + 2 * DAY;
  }

  /** Forgets series that have expired, and those that took room but were never committed. */
  #forgetExpired(known: Known): void {
    const now = this.o.clock.now();
    for (const [key, expires] of known) {
      const gone = expires > 0 ? expires <= now : now + expires > SERIES_RESERVATION_MS;
      if (gone) known.delete(key);
    }
  }

  async #load(tenant: string): Promise<Known> {
    await this.#forgetDeleted(tenant);
    let known = this.#tenants.get(tenant);
    if (!known) {
      known = this.#read(tenant);
      // A failure is this call's; the next one tries again.
      known.catch(() => this.#tenants.delete(tenant));
      this.#tenants.set(tenant, known);
    }
    return await known;
  }

  /** After a deletion, which another instance may have taken, the series that it was of have to be written again. */
  async #forgetDeleted(tenant: string): Promise<void> {
    const seen = this.#deletions.get(tenant);
    const now = this.o.clock.elapsed();
    if (seen !== undefined && now - seen.at < DELETIONS_AGE_MS) return;
    const { versionstamp } = await this.o.kv.get(latestDeletionKey("points", tenant));
    if (seen !== undefined && seen.version !== versionstamp) this.#tenants.delete(tenant);
    this.#deletions.set(tenant, { version: versionstamp, at: now });
  }

  async #read(tenant: string): Promise<Known> {
    const known: Known = new Map();
    const { list } = await loadDeletions(this.o.kv, "points", tenant);
    for await (const page of this.o.kv.pages({ prefix: seriesPrefix(tenant) })) {
      for (const entry of page) {
        const series = this.#decode(entry);
        if (series && !isDeleted(series, entry, list)) known.set(series.key, decodeValue(entry.value).expires);
      }
    }
    return known;
  }

  #decode(entry: Entry): Series | undefined {
    return this.o.kv.decodeOrSkip(entry, () => decodeSeries(entry.value, this.o.clock.now()));
  }
}

/** Whether all that a series had when its entry was written is deleted. */
function isDeleted(series: Series, { versionstamp }: Entry, list: readonly ActiveDeletion[]): boolean {
  return ofSeries(newerThan(list, versionstamp), series).some(({ items }) => isOfAllTime(items));
}

/** The series in an entry of the index; undefined if it has expired. DATA_LOSS if it is damaged. */
export function decodeSeries(value: Uint8Array, now = 0): Series | undefined {
  const record = decodeRecord(SeriesRecordSchema, FORMAT.series, now, value);
  return record && makeSeries(record.source, record.metric, record.tags.map(({ key, value }) => [key, value] as const));
}
