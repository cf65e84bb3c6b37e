/**
 * Series that no retained point belongs to.
 *
 * @module
 */
import { KV_MAX_CHECKS } from "../../../limits.ts";
import { seriesPrefix } from "../keys.ts";
import { deletion, type Round } from "./round.ts";
import { tenantsOf } from "./walk.ts";

/** Returns how many it removed. */
export async function removeSeries(round: Round): Promise<number> {
  const { kv } = round.options;
  let removed = 0;
  for await (const tenant of tenantsOf(kv, ["series"])) {
    // One check is the lease's.
    for await (const page of kv.pages({ prefix: seriesPrefix(tenant) }, { batch: KV_MAX_CHECKS - 1 })) {
      const expired = page.filter((entry) => round.isExpired(entry));
      // Checked, for a series that came back meanwhile has been written again.
      if (expired.length > 0 && await round.atomic(expired, expired.map(deletion))) removed += expired.length;
      await round.pace();
    }
  }
  return removed;
}
