/**
 * What compaction knows of a kind of items.
 *
 * @module
 */
import type { ActiveDeletion } from "../deletions.ts";
import type { Round } from "../housekeeping/round.ts";
import type { RunKind } from "../keys.ts";
import type { Entry } from "../kv.ts";
import type { Run } from "../runs/run_list.ts";
import type { RunWriter } from "../runs/run_writer.ts";

/** What is merged to one run. */
export interface MergeSources {
  readonly runs: readonly Run[];
  /** Whose values are intact. */
  readonly segments: readonly Entry[];
  readonly deletions: readonly ActiveDeletion[];
  /** Whether segments of a run that are damaged are left out; else the first one ends the merge. */
  isKnownDamage(id: string): boolean;
}

/** How the items of a kind are merged. */
export interface Merger {
  readonly kind: RunKind;
  /** Of a segment's value. */
  readonly format: number;
  /**
   * Writes all that the sources hold, and returns the footer. Nothing is written to `out` if there is nothing.
   *
   * @throws {DamagedSource} If one of them is damaged: then all stays as it is.
   */
  merge(round: Round, sources: MergeSources, out: RunWriter): Promise<Uint8Array>;
  /** Whether a deletion of these holds for anything in a segment. */
  mayHold(payload: Uint8Array, deletions: readonly ActiveDeletion[]): boolean;
  /** The keys of a segment that go with it. */
  keysOf(segment: Entry): readonly Deno.KvKey[];
}

export function segmentId({ key }: Entry): string {
  return key[3] as string;
}
