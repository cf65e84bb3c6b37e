/**
 * The points of a day, in segments and runs: skips what is of other times or series, takes the rollups of hours that a run
 * has where buckets are made of whole hours, and a series' own where the whole segment falls into one bucket; only else are
 * its columns decoded.
 *
 * Segments become runs while they are read. So those of some hours are read between two equal lists of runs (run_list.ts),
 * and of each run later those hours for which it was in the list: its bytes stay for a while when another takes its place,
 * and nothing is read twice for it.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import type { Clock } from "../../clock.ts";
import { unavailable } from "../../errors.ts";
import { DAY, HOUR, MAX_READ_TRIES, READ_GROUP_SEGMENTS } from "../../limits.ts";
import { HourRollups } from "../format/hour_rollups.ts";
import { openPointSegment } from "../format/point_segment.ts";
import type { PointRunSegment } from "../format/run_footer.ts";
import { FORMAT } from "../format/value.ts";
import type { MetricsQuery } from "../types.ts";
import type { PointRuns } from "./compaction/points.ts";
import { type ActiveDeletion, newerThan } from "./deletions.ts";
import { hoursRange } from "./keys.ts";
import type { Entry, KvClient } from "./kv.ts";
import type { PointCollector } from "./point_collector.ts";
import { openValue } from "./records.ts";
import { listRuns, readStable, type Run } from "./runs/run_list.ts";
import type { Turns } from "./turns.ts";

export interface DayReaderOptions {
  readonly kv: KvClient;
  readonly runs: PointRuns;
  readonly clock: Clock;
}

/** A run, and of which hours it is read: from `first` (inclusive) up to `end` (exclusive). */
interface RunOfHours {
  readonly run: Run;
  readonly first: number;
  readonly end: number;
}

export class DayReader {
  constructor(
    private readonly options: DayReaderOptions,
    private readonly tenant: string,
    private readonly day: number,
    private readonly all: PointCollector,
    private readonly deletions: readonly ActiveDeletion[],
    private readonly turns: Turns,
  ) {}

  /** @throws {ConnectError} UNAVAILABLE if runs that are replaced are gone each time before they are read. */
  async read(): Promise<PointCollector> {
    for (let tries = 1; tries <= MAX_READ_TRIES; tries++) {
      const found = await this.#read();
      if (found !== undefined) return found;
    }
    throw unavailable("Cannot read as what is stored is being moved: ask again");
  }

  /** Undefined if a run that was replaced is gone. */
  async #read(): Promise<PointCollector | undefined> {
    const { all, turns } = this;
    const late = all.fork();
    const runs = await this.#readSegments(late);
    const found = all.fork();
    for (const run of runs) {
      const own = await this.#readRun(run);
      if (own === undefined) return undefined;
      await found.merge(own, turns);
    }
    // Of equal times, what came later counts as later: runs were made before the segments that are left.
    await found.merge(late, turns);
    return found;
  }

  /** Adds what is in no run, and returns the runs for the rest, in the order in which they were made. */
  async #readSegments(late: PointCollector): Promise<RunOfHours[]> {
    const { options: { kv }, tenant, day, turns } = this;
    const runs = new Map<string, RunOfHours>();
    let unknown = 0;
    let first = Math.max(Math.floor(late.from / HOUR), day * DAY / HOUR);
    const last = Math.min(Math.ceil(late.to / HOUR), (day + 1) * DAY / HOUR);
    while (first < last) {
      const { list, found, end } = await readStable(
        () => listRuns(kv, "points", tenant, day, day + 1),
        async (list) => ({ list, ...await this.#readHours(first, last) }),
      );
      for (const run of list.runs) runs.set(run.id, { run, first: runs.get(run.id)?.first ?? first, end });
      unknown = Math.max(unknown, list.damaged);
      await late.merge(found, turns);
      first = end;
    }
    late.damaged += unknown;
    return [...runs.values()].sort((a, b) => a.run.id < b.run.id ? -1 : 1);
  }

  /** What is in no run of the next hours of those from `first` up to `last`; `end` is the first that is left. */
  async #readHours(first: number, last: number): Promise<{ readonly found: PointCollector; readonly end: number }> {
    const { options: { kv, clock }, all, turns } = this;
    const found = all.fork();
    let hour = NaN;
    let count = 0;
    for await (const page of kv.pages(hoursRange("points", this.tenant, first, last))) {
      for (const entry of page) {
        const own = entry.key[2] as number;
        if (own !== hour && count >= READ_GROUP_SEGMENTS) return { found, end: own };
        hour = own;
        count++;
        await turns.next();
        all.budget.takeSegment();
        const deletions = newerThan(this.deletions, entry.versionstamp!);
        this.#add(found, entry, () => openValue(FORMAT.pointSegment, clock.now(), entry.value), deletions);
      }
    }
    return { found, end: last };
  }

  /** What a run has of some hours; undefined if it is gone. What is damaged is counted. */
  async #readRun({ run, first, end }: RunOfHours): Promise<PointCollector | undefined> {
    const { kv, runs } = this.options;
    const found = this.all.fork(first * HOUR, end * HOUR);
    try {
      await this.#addRun(found, run);
    } catch (error) {
      if (!(error instanceof ConnectError && error.code === Code.DataLoss)) throw error;
      // Where its record stands, its bytes should.
      if ((await kv.get(run.entry.key)).versionstamp === null) return undefined;
      found.damaged++;
      runs.reportDamage(run, error);
    }
    return found;
  }

  async #addRun(found: PointCollector, run: Run): Promise<void> {
    const { options: { runs }, turns } = this;
    const { from, to, query, budget } = found;
    const segments = await runs.segments(run);
    const deletions = newerThan(this.deletions, run.entry.versionstamp!);
    const wanted = segments.filter((segment) =>
      segment.minTime < to && segment.maxTime >= from && mayHave(segment, query)
    );
    // Samples, or what they come to by hours: never both.
    if (deletions.length === 0 && found.takesHoursOf(this.day) && segments.some(isOfHours)) {
      const hours = await this.#readHourRollups(found.fork(), run, wanted.filter(isOfHours));
      if (hours !== undefined) return await found.merge(hours, turns);
    }
    const samples = wanted.filter((segment) => !isOfHours(segment));
    found.skipped += segments.length - samples.length;
    for await (const [, payload] of runs.open(run, samples)) {
      await turns.next();
      budget.takeSegment();
      if (payload === undefined) found.damaged++;
      else this.#add(found, run.entry, () => payload, deletions);
    }
  }

  /** What rollups of hours say; undefined if one is damaged, for the samples say the same. */
  async #readHourRollups(
    found: PointCollector,
    run: Run,
    segments: readonly PointRunSegment[],
  ): Promise<PointCollector | undefined> {
    const { options: { kv, runs }, turns } = this;
    for await (const [, payload] of runs.open(run, segments)) {
      await turns.next();
      found.budget.takeSegment();
      if (payload === undefined) return undefined;
      const isIntact = kv.decodeOrSkip(run.entry, () => {
        found.addHours(new HourRollups(payload));
        return true;
      });
      if (!isIntact) return undefined;
    }
    return found;
  }

  /** Adds what stands under a key, or in the run that it names: nothing if that is expired or damaged. */
  #add(
    found: PointCollector,
    entry: Entry,
    open: () => Uint8Array | undefined,
    deletions: readonly ActiveDeletion[],
  ): void {
    const isIntact = this.options.kv.decodeOrSkip(entry, () => {
      const payload = open();
      if (payload) found.addSegment(openPointSegment(payload), deletions);
      return true;
    });
    if (!isIntact) found.damaged++;
  }
}

function isOfHours({ samples }: PointRunSegment): boolean {
  return samples === 0;
}

/** Whether a segment of a run may have any series that is asked for: its series are sorted by metric and then source. */
function mayHave({ first, last }: PointRunSegment, { metric, source }: MetricsQuery): boolean {
  if (metric !== undefined && (metric < first.metric || metric > last.metric)) return false;
  if (source === undefined) return true;
  // Within one metric, sources are in order.
  if (first.metric === last.metric) return source >= first.source && source <= last.source;
  if (metric === first.metric) return source >= first.source;
  return metric !== last.metric || source <= last.source;
}
