/**
 * Records of streams that have expired. A stream whose record is gone must not begin anew, whatever a clock says then, so
 * the same atomic operation raises the tenant's floor to the time at which it began.
 *
 * @module
 */
import { KV_MAX_CHECKS } from "../../../limits.ts";
import type { StreamKind } from "../../stream_types.ts";
import type { Mutation } from "../../types.ts";
import { openStreamKey, rejectionsKey, streamCountKey, streamFloorKey } from "../keys.ts";
import type { Entry } from "../kv.ts";
import { encodeFloor, readFloor, streamBeganAt } from "../stream_floor.ts";
import { deletion, type Round } from "./round.ts";
import type { Walk } from "./walk.ts";

/** Records that one atomic operation removes: two checks are the lease's and the floor's. */
const RECORDS_TOGETHER = KV_MAX_CHECKS - 2;

interface ExpiredRecord {
  readonly entry: Entry;
  readonly tenant: string;
  readonly beganAt: number;
}

/** Returns how many it removed. */
export async function removeStreams(round: Round, records: Walk): Promise<number> {
  let removed = 0;
  for await (const page of records.pages()) {
    const expired = page.flatMap((entry) => expiredRecord(round, entry) ?? []);
    for (const [tenant, ofTenant] of Map.groupBy(expired, (record) => record.tenant)) {
      for (let i = 0; i < ofTenant.length; i += RECORDS_TOGETHER) {
        removed += await removeRecords(round, tenant, ofTenant.slice(i, i + RECORDS_TOGETHER));
        await round.pace();
      }
    }
    await round.pace();
  }
  return removed;
}

function expiredRecord(round: Round, entry: Entry): ExpiredRecord | undefined {
  if (!round.isExpired(entry)) return undefined;
  const [, tenant, , id] = entry.key as [string, string, StreamKind, string];
  return round.options.kv.decodeOrSkip(entry, () => ({ entry, tenant, beganAt: streamBeganAt(id) }));
}

async function removeRecords(round: Round, tenant: string, records: readonly ExpiredRecord[]): Promise<number> {
  const { kv } = round.options;
  const entry = await kv.get(streamFloorKey(tenant));
  const floor = kv.decodeOrSkip(entry, () => readFloor(entry));
  // A damaged floor cannot be raised, and without that no record may go.
  if (floor === undefined) return 0;
  const needed = Math.max(...records.map(({ beganAt }) => beganAt));
  const mutations: Mutation[] = [
    // A sum wraps round: this takes away.
    { type: "sum", key: streamCountKey(tenant), value: 2n ** 64n - BigInt(records.length) },
  ];
  if (needed > floor) mutations.push({ type: "set", key: entry.key, value: encodeFloor(needed) });
  for (const { entry } of records) {
    const [, , kind, id] = entry.key as [string, string, StreamKind, string];
    const keys = [entry.key, rejectionsKey(tenant, kind, id), openStreamKey(tenant, kind, id)];
    mutations.push(...keys.map((key) => deletion({ key })));
  }
  // A call that goes on with one of them just now has moved its record, and all of these wait for another round.
  const isDone = await round.atomic([entry, ...records.map(({ entry }) => entry)], mutations);
  return isDone ? records.length : 0;
}
