/**
 * Damage on the way of a merge.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { DamagedError } from "../../format/value.ts";
import type { KvClient } from "../kv.ts";

/** A segment of a run is damaged; it was reported when it was read. */
export class DamagedRun extends DamagedError {
  constructor(id: string) {
    super(`Cannot merge the run ${id} as a segment of it is damaged`);
  }
}

/** The result of a merge; undefined if something is damaged: what is damaged stays where it is, for somebody to look at. */
export async function damageEndsIt<T>(kv: KvClient, merge: () => Promise<T>): Promise<T | undefined> {
  try {
    return await merge();
  } catch (error) {
    const damaged = error instanceof DamagedError || (error instanceof ConnectError && error.code === Code.DataLoss);
    if (!damaged) throw error;
    kv.reportDamage(["compaction"], error);
    return undefined;
  }
}
