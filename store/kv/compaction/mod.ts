/**
 * Compaction: of many small segments few large ones are made, in blobs (runs), so that a question opens few and old items
 * cost little.
 *
 * ```
 *   segments of an hour, in KV   -- COMPACT_SEGMENTS, or COMPACT_BYTES, of them, or the hour is over -->  a run
 *   COMPACT_MAX_RUNS small runs of a day that is not over                              -->  a larger run
 *   the day is over, and some hours have passed: its runs, and segments that are left  -->  one run of the day, or a few
 * ```
 *
 * A run takes the place of what it was made of in one atomic operation, which checks the lease. Whoever dies before leaves
 * a blob that nobody names, which the sweep removes; what is done once is not there to be done again. In steps of 20 ms,
 * as all housekeeping.
 *
 * @module
 */
import type { Clock } from "../../../clock.ts";
import { COMPACT_AGE_MS, COMPACT_BYTES, COMPACT_MAX_SEGMENTS, COMPACT_SEGMENTS, DAY, HOUR } from "../../../limits.ts";
import type { Round } from "../housekeeping/round.ts";
import { tenantsOf } from "../housekeeping/walk.ts";
import { hoursRange, type RunKind } from "../keys.ts";
import type { Entry } from "../kv.ts";
import { daysWith, listRuns } from "../runs/run_list.ts";
import { applyDeletions } from "./deletions.ts";
import { chooseOfDay, chooseSmall } from "./choice.ts";
import { KnownDamage } from "./damage.ts";
import type { Merger } from "./merger.ts";
import { Steps, StepsOver } from "./steps.ts";

export interface CompactionOptions {
  readonly clock: Clock;
  readonly mergers: readonly Merger[];
  /** How long after its end a day is made one run, ms. */
  readonly coldAfter: number;
  /** Segments of an hour that is over, or of a day, from which on they become a run. */
  readonly compactFrom: number;
}

const HOURS_OF_DAY = DAY / HOUR;

export class Compaction {
  readonly #damage: KnownDamage;

  constructor(private readonly options: CompactionOptions) {
    this.#damage = new KnownDamage(options.clock);
  }

  /** Does what there is to do, for a minute or so: the next round goes on. Returns how many runs were made. */
  async round(round: Round): Promise<number> {
    const steps = new Steps(round, this.#damage);
    try {
      for (const merger of this.options.mergers) await this.#compact(steps, merger);
    } catch (error) {
      if (!(error instanceof StepsOver)) throw error;
    }
    return steps.made;
  }

  async #compact(steps: Steps, merger: Merger): Promise<void> {
    const { round } = steps;
    for await (const tenant of tenantsOf(round.options.kv, ["deletion", merger.kind])) {
      await applyDeletions(steps, merger, tenant);
    }
    for await (const tenant of tenantsOf(round.options.kv, [merger.kind])) {
      await this.#compactHours(steps, merger, tenant);
    }
    for (const tenant of await tenantsWithAny(round, merger.kind)) await this.#compactDays(steps, merger, tenant);
  }

  /** Makes runs of an hour's segments, where there are enough. */
  async #compactHours(steps: Steps, merger: Merger, tenant: string): Promise<void> {
    const { round } = steps;
    const { kv, clock } = round.options;
    const isOver = (hour: number) => (hour + 1) * HOUR + COMPACT_AGE_MS <= clock.now();
    let hour = NaN;
    let taken: Entry[] = [];
    let bytes = 0;
    const compact = async (isFull = false) => {
      const entries = taken;
      taken = [];
      bytes = 0;
      if (!isFull && entries.length < (isOver(hour) ? this.options.compactFrom : COMPACT_SEGMENTS)) return;
      await steps.makeRun(merger, { tenant, day: Math.floor(hour / HOURS_OF_DAY), isDay: false }, [], entries);
    };
    for await (const page of kv.pages(hoursRange(merger.kind, tenant, 0, Infinity))) {
      for (const entry of page) {
        const own = entry.key[2] as number;
        if (own !== hour) await compact();
        hour = own;
        if (!steps.canMove(merger, entry)) continue;
        taken.push(entry);
        bytes += entry.value.length;
        const isFull = bytes >= COMPACT_BYTES && taken.length >= this.options.compactFrom ||
          taken.length === COMPACT_MAX_SEGMENTS;
        if (isFull) await compact(isFull);
      }
      await round.pace();
    }
    await compact();
  }

  /** Merges the runs of each day, as far as that is worthwhile: one step of each day, so that all have their turn. */
  async #compactDays(steps: Steps, merger: Merger, tenant: string): Promise<void> {
    const { kv, clock } = steps.round.options;
    const end = Math.floor((clock.now() - this.options.coldAfter) / DAY);
    for await (const day of daysWith(kv, merger.kind, tenant, 0, Infinity)) {
      const { runs } = await listRuns(kv, merger.kind, tenant, day, day + 1);
      const intact = runs.filter(({ id }) => !this.#damage.has(id));
      const segments = day < end ? await this.#segmentsOf(steps, merger, tenant, day) : [];
      const bytes = segments.reduce((sum, { value }) => sum + value.length, 0);
      const loose = { bytes, isEnough: segments.length >= this.options.compactFrom };
      const choice = day < end ? chooseOfDay(intact, loose) : chooseSmall(intact);
      if (choice !== undefined) {
        await steps.makeRun(merger, { tenant, day, isDay: choice.isDay }, choice.runs, segments);
      }
    }
  }

  /** What is left of a day's segments, as much as is taken at once. */
  async #segmentsOf(steps: Steps, merger: Merger, tenant: string, day: number): Promise<Entry[]> {
    const { round } = steps;
    const { kv } = round.options;
    const taken: Entry[] = [];
    let bytes = 0;
    for await (const page of kv.pages(hoursRange(merger.kind, tenant, day * HOURS_OF_DAY, (day + 1) * HOURS_OF_DAY))) {
      for (const entry of page) {
        if (!steps.canMove(merger, entry)) continue;
        bytes += entry.value.length;
        if (bytes > COMPACT_BYTES || taken.length === COMPACT_MAX_SEGMENTS / 2) return taken;
        taken.push(entry);
      }
      await round.pace();
    }
    return taken;
  }
}

/** Tenants that have segments of a kind, or runs. */
async function tenantsWithAny({ options: { kv } }: Round, kind: RunKind): Promise<Set<string>> {
  const tenants = new Set<string>();
  for (const prefix of [[kind], ["run", kind]]) for await (const tenant of tenantsOf(kv, prefix)) tenants.add(tenant);
  return tenants;
}
