/**
 * Hours of points and logs that are past retention.
 *
 * @module
 */
import { HOUR } from "../../../limits.ts";
import { deletion, type Round } from "./round.ts";
import { tenantsOf } from "./walk.ts";

/** Returns how many values it removed. */
export async function removeHours(round: Round): Promise<number> {
  const { kv, clock, retention } = round.options;
  // The first hour that may hold something retained.
  const end = Math.floor((clock.now() - retention) / HOUR);
  let removed = 0;
  for (const kind of ["points", "logs", "logindex"] as const) {
    for await (const tenant of tenantsOf(kv, kind)) {
      for await (const page of kv.pages({ prefix: [kind, tenant], end: [kind, tenant, end] })) {
        // No check but the lease's: segments never change, and their keys are never used again.
        if (await round.atomic([], page.map(deletion))) removed += page.length;
        await round.pace();
      }
    }
  }
  return removed;
}
