/**
 * Hours of points and logs that are past retention, and runs of such days.
 *
 * @module
 */
import { HOUR } from "../../../limits.ts";
import { RunRecordSchema } from "../../../gen/sluice/store/v1/records_pb.ts";
import { FORMAT } from "../../format/value.ts";
import { blobKey } from "../keys.ts";
import type { Entry } from "../kv.ts";
import { decodeRecord } from "../records.ts";
import { deletion, type Round } from "./round.ts";
import { tenantsOf } from "./walk.ts";

/** Returns how many values it removed. */
export async function removeHours(round: Round): Promise<number> {
  const { kv, clock, retention } = round.options;
  // The first hour that may hold something retained.
  const end = Math.floor((clock.now() - retention) / HOUR);
  let removed = 0;
  for (const kind of ["points", "logs", "logindex"] as const) {
    for await (const tenant of tenantsOf(kv, [kind])) {
      for await (const page of kv.pages({ prefix: [kind, tenant], end: [kind, tenant, end] })) {
        // No check but the lease's: segments never change, and their keys are never used again.
        if (await round.atomic([], page.map(deletion))) removed += page.length;
        await round.pace();
      }
    }
  }
  for (const kind of ["points", "logs"] as const) {
    for await (const tenant of tenantsOf(kv, ["run", kind])) {
      for await (const page of kv.pages({ prefix: ["run", kind, tenant] })) {
        const expired = page.filter((entry) => round.isExpired(entry));
        for (const entry of expired) if (await removeRun(round, entry)) removed++;
        await round.pace();
        // In the order of days.
        if (expired.length === 0) break;
      }
    }
  }
  return removed;
}

/** Removes a run with its blob. */
async function removeRun(round: Round, entry: Entry): Promise<boolean> {
  const id = entry.key[4] as string;
  if (!await round.atomic([entry], [deletion(entry), deletion({ key: blobKey(id) })])) return false;
  const record = decodeRecord(RunRecordSchema, FORMAT.run, 0, entry.value);
  // Should this not happen any more, the sweep finds pieces that nobody claims.
  for (const { epoch } of record?.pieces ?? []) await round.options.blobs.remove(id, epoch);
  return true;
}
