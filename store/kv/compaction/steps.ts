/**
 * The steps of compaction: each makes a run in the place of others, and of segments, without what is deleted.
 *
 * @module
 */
import type { Mutation } from "../../types.ts";
import { COMPACT_ROUND_MS } from "../../../limits.ts";
import { loadDeletions } from "../deletions.ts";
import { deletion, type Round } from "../housekeeping/round.ts";
import type { Entry } from "../kv.ts";
import { openValue } from "../records.ts";
import type { Run } from "../runs/run_list.ts";
import { expiringClaim, type RunOrigin, RunWriter } from "../runs/run_writer.ts";
import type { Merger } from "./mod.ts";

/** There is no time for more in this round, or no room. */
export class StepsOver extends Error {
  override name = "StepsOver";
}

/** The steps of one round. */
export class Steps {
  /** Runs so far. */
  made = 0;
  readonly #began: number;

  constructor(readonly round: Round) {
    this.#began = round.options.clock.elapsed();
  }

  /**
   * Makes one run of some, and of segments; none if all of it is deleted. Returns whether it did: not if a run is damaged, or
   * a deletion was added meanwhile.
   */
  async makeRun(
    merger: Merger,
    origin: Omit<RunOrigin, "kind">,
    runs: readonly Run[],
    segments: readonly Entry[],
  ): Promise<boolean> {
    const { round } = this;
    const { kv, clock, space } = round.options;
    if (clock.elapsed() - this.#began > COMPACT_ROUND_MS) throw new StepsOver();
    // What is damaged stays where it is, for somebody to look at.
    const intact = segments.filter((entry) => kv.decodeOrSkip(entry, () => openValue(merger.format, 0, entry.value)));
    if (runs.length === 0 && intact.length === 0) return false;
    const bytes = runs.reduce((sum, { size }) => sum + size, intact.reduce((sum, { value }) => sum + value.length, 0));
    // What is left of a disk is for deleting.
    if (!await space.ensure(bytes).then(() => true, () => false)) throw new StepsOver();
    const { list, check } = await loadDeletions(kv, merger.kind, origin.tenant);
    const out = await RunWriter.create(round, { ...origin, kind: merger.kind });
    try {
      const footer = await merger.merge(round, runs, intact, list, out);
      if (footer === undefined) {
        await out.abandon();
        return false;
      }
      const mutations: Mutation[] = intact.flatMap((entry) => merger.keysOf(entry)).map((key) => deletion({ key }));
      for (const run of runs) mutations.push(deletion(run.entry), expiringClaim(round, out.origin, run));
      if (out.length > 0) {
        const isMade = await out.finish(footer, [check], mutations);
        if (isMade) this.made++;
        return isMade;
      }
      await out.abandon();
      return await round.atomic([check], mutations);
    } finally {
      await out.seal();
    }
  }
}
