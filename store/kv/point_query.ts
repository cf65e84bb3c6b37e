/**
 * QueryMetrics over segments and runs, day by day: skips what is of other times or series, takes the rollups of hours that a
 * run has where buckets are made of whole hours, and a series' own where the whole segment falls into one bucket; only
 * else are its columns decoded. A damaged segment gives nothing at all, and
 * the answer says how many there were.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import type { Clock } from "../../clock.ts";
import { DAY, HOUR } from "../../limits.ts";
import { HourRollups } from "../format/hour_rollups.ts";
import { openPointSegment } from "../format/point_segment.ts";
import type { PointRunSegment } from "../format/run_footer.ts";
import { FORMAT } from "../format/value.ts";
import type { MetricsParts, MetricsQuery } from "../types.ts";
import type { PointRuns } from "./compaction/points.ts";
import { type ActiveDeletion, loadDeletions, newerThan } from "./deletions.ts";
import { hoursRange } from "./keys.ts";
import type { Entry, KvClient } from "./kv.ts";
import { PointCollector } from "./point_collector.ts";
import { ReadBudget, type ReadLimits } from "./read_budget.ts";
import { openValue } from "./records.ts";
import { daysWith, listRuns, readStable, type Run, type RunList } from "./runs/run_list.ts";
import { Turns } from "./turns.ts";

export interface PointQueryOptions extends ReadLimits {
  readonly kv: KvClient;
  readonly runs: PointRuns;
  readonly clock: Clock;
  readonly retention: number;
}

/** @param most Buckets of one part of the answer. */
export async function queryPoints(
  options: PointQueryOptions,
  tenant: string,
  query: MetricsQuery,
  most: number,
  signal: AbortSignal,
): Promise<MetricsParts> {
  const { kv, clock, retention } = options;
  const turns = new Turns(clock, signal);
  // A segment outlives its oldest point by up to an hour, so the range says what is past retention.
  const from = Math.max(query.from, clock.now() - retention);
  const { to } = query;
  const all = new PointCollector(query, from, to, new ReadBudget(options));
  if (from < to) {
    const { list: deletions } = await loadDeletions(kv, "points", tenant);
    for await (const day of daysWith(kv, "points", tenant, Math.floor(from / DAY), Math.ceil(to / DAY))) {
      const list = () => listRuns(kv, "points", tenant, day, day + 1);
      const ofDay = await readStable(list, (runs, isCertain) => {
        return new DayReader(options, tenant, day, all, deletions, turns).read(runs, isCertain);
      });
      await all.merge(ofDay, turns);
    }
  }
  const { opened, skipped, damaged } = all;
  return { from, opened, skipped, damaged, parts: all.parts(most, turns) };
}

class DayReader {
  readonly #found: PointCollector;

  constructor(
    private readonly options: PointQueryOptions,
    private readonly tenant: string,
    private readonly day: number,
    private readonly all: PointCollector,
    private readonly deletions: readonly ActiveDeletion[],
    private readonly turns: Turns,
  ) {
    this.#found = all.fork();
  }

  async read({ runs, damaged }: RunList, isCertain: boolean): Promise<PointCollector> {
    this.#found.damaged += damaged;
    for (const run of runs) {
      try {
        await this.#addRun(run);
      } catch (error) {
        if (!isCertain || !(error instanceof ConnectError && error.code === Code.DataLoss)) throw error;
        this.#found.damaged++;
        this.options.runs.reportDamage(run, error);
      }
    }
    await this.#addSegments();
    return this.#found;
  }

  async #addRun(run: Run): Promise<void> {
    const { options: { runs }, turns } = this;
    const { from, to, query } = this.all;
    const segments = await runs.segments(run);
    const deletions = newerThan(this.deletions, run.entry.versionstamp!);
    const wanted = segments.filter((segment) =>
      segment.minTime < to && segment.maxTime >= from && mayHave(segment, query)
    );
    // Samples, or what they come to by hours: never both.
    if (deletions.length === 0 && this.all.takesHoursOf(this.day) && segments.some(isOfHours)) {
      const hours = await this.#hoursOf(run, wanted.filter(isOfHours));
      if (hours !== undefined) return await this.#found.merge(hours, turns);
    }
    const samples = wanted.filter((segment) => !isOfHours(segment));
    this.#found.skipped += segments.length - samples.length;
    for await (const [, payload] of runs.open(run, samples)) {
      await turns.next();
      this.all.budget.takeSegment();
      if (payload === undefined) this.#found.damaged++;
      else this.#addSegment(run.entry, () => payload, deletions);
    }
  }

  /** What rollups of hours say; undefined if one is damaged, for the samples say the same. */
  async #hoursOf(run: Run, segments: readonly PointRunSegment[]): Promise<PointCollector | undefined> {
    const { options: { kv, runs }, turns } = this;
    const found = this.all.fork();
    for await (const [, payload] of runs.open(run, segments)) {
      await turns.next();
      this.all.budget.takeSegment();
      if (payload === undefined) return undefined;
      const isIntact = kv.decodeOrSkip(run.entry, () => {
        found.addHours(new HourRollups(payload));
        return true;
      });
      if (!isIntact) return undefined;
    }
    return found;
  }

  /** What is in no run yet. */
  async #addSegments(): Promise<void> {
    const { options: { kv, clock }, tenant, day, turns } = this;
    const { from, to } = this.all;
    const first = Math.max(Math.floor(from / HOUR), day * DAY / HOUR);
    const end = Math.min(Math.ceil(to / HOUR), (day + 1) * DAY / HOUR);
    for await (const page of kv.pages(hoursRange("points", tenant, first, end))) {
      for (const entry of page) {
        await turns.next();
        this.all.budget.takeSegment();
        const deletions = newerThan(this.deletions, entry.versionstamp!);
        this.#addSegment(entry, () => openValue(FORMAT.pointSegment, clock.now(), entry.value), deletions);
      }
    }
  }

  /** Adds what stands under a key, or in the run that it names: nothing if that is expired or damaged. */
  #addSegment(entry: Entry, open: () => Uint8Array | undefined, deletions: readonly ActiveDeletion[]): void {
    const isIntact = this.options.kv.decodeOrSkip(entry, () => {
      const payload = open();
      if (payload) this.#found.addSegment(openPointSegment(payload), deletions);
      return true;
    });
    if (!isIntact) this.#found.damaged++;
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
