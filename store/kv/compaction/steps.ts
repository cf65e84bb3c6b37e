/**
 * The steps of compaction: each makes a run in the place of others, and of segments, without what is deleted.
 *
 * @module
 */
import type { Mutation } from "../../types.ts";
import { decodeTime } from "ulid";
import { COMPACT_AGE_MS, COMPACT_ROUND_MS } from "../../../limits.ts";
import { loadDeletions } from "../deletions.ts";
import { deletion, type Round } from "../housekeeping/round.ts";
import type { Entry } from "../kv.ts";
import { openValue } from "../records.ts";
import type { Run } from "../runs/run_list.ts";
import { expiringClaim, type RunOrigin, RunWriter } from "../runs/run_writer.ts";
import { DamagedSource, type KnownDamage } from "./damage.ts";
import { type Merger, segmentId } from "./merger.ts";

/** There is no time for more in this round, or no room. */
export class StepsOver extends Error {
  override name = "StepsOver";
}

/** The steps of one round. */
export class Steps {
  /** Runs so far. */
  made = 0;
  readonly #began: number;

  constructor(readonly round: Round, readonly damage: KnownDamage) {
    this.#began = round.options.clock.elapsed();
  }

  /** Whether a segment is old enough to be moved, and intact: what is damaged stays where it is, for somebody to look at. */
  canMove({ format }: Merger, entry: Entry): boolean {
    const { kv, clock } = this.round.options;
    const id = segmentId(entry);
    if (decodeTime(id) + COMPACT_AGE_MS > clock.now() || this.damage.has(id)) return false;
    const isIntact = kv.decodeOrSkip(entry, () => openValue(format, 0, entry.value)) !== undefined;
    if (!isIntact) this.damage.add(id);
    return isIntact;
  }

  /**
   * Makes one run of some, and of segments that can be moved; none if all of it is deleted. Returns whether it did: not if
   * something is damaged, or a deletion was added meanwhile.
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
    const bytes = runs.reduce(
      (sum, { size }) => sum + size,
      segments.reduce((sum, { value }) => sum + value.length, 0),
    );
    // What is left of a disk is for deleting.
    if (!await space.ensure(bytes).then(() => true, () => false)) throw new StepsOver();
    const { list: deletions, check } = await loadDeletions(kv, merger.kind, origin.tenant);
    const out = await RunWriter.create(round, { ...origin, kind: merger.kind });
    try {
      const isKnownDamage = (id: string) => this.damage.has(id);
      const footer = await merger.merge(round, { runs, segments, deletions, isKnownDamage }, out);
      const mutations: Mutation[] = segments.flatMap((entry) => merger.keysOf(entry)).map((key) => deletion({ key }));
      for (const run of runs) mutations.push(deletion(run.entry), expiringClaim(round, out.origin, run));
      if (out.length > 0) {
        const isMade = await out.finish(footer, [check], mutations);
        if (isMade) this.made++;
        return isMade;
      }
      await out.abandon();
      return await round.atomic([check], mutations);
    } catch (error) {
      if (!(error instanceof DamagedSource)) throw error;
      this.damage.add(error.id);
      kv.reportDamage(["compaction", error.id], error);
      await out.abandon();
      return false;
    } finally {
      await out.seal();
    }
  }
}
