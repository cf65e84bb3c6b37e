/**
 * Removes from the disk what is deleted: runs and segments that have any of it are written again without it. A deletion for
 * which nothing is left is done.
 *
 * @module
 */
import { DeletionRecordSchema } from "../../../gen/sluice/store/v1/records_pb.ts";
import { COMPACT_BYTES, COMPACT_MAX_SEGMENTS, DAY, DELETED_MS, HOUR, KV_MAX_CHECKS } from "../../../limits.ts";
import { FORMAT } from "../../format/value.ts";
import { type ActiveDeletion, isOfAllTime, loadDeletions, mayCover, newerThan, ofSeries } from "../deletions.ts";
import { deletion, type Round } from "../housekeeping/round.ts";
import { deletedKey, hoursRange, seriesPrefix } from "../keys.ts";
import { decodeSeries } from "../series_index.ts";
import type { Entry, KvClient } from "../kv.ts";
import { encodeRecord, openValue } from "../records.ts";
import { daysWith, listRuns } from "../runs/run_list.ts";
import type { Merger } from "./merger.ts";
import type { Steps } from "./steps.ts";

const HOURS_OF_DAY = DAY / HOUR;

/** Writes again what has any of what a tenant has deleted. */
export async function applyDeletions(steps: Steps, merger: Merger, tenant: string): Promise<void> {
  const { round } = steps;
  const { kv, clock } = round.options;
  const { list } = await loadDeletions(kv, merger.kind, tenant);
  const first = Math.floor(Math.min(...list.map(({ items }) => items.from)) / DAY);
  const end = Math.ceil(Math.max(...list.map(({ items }) => items.to)) / DAY);
  let isDone = true;
  for await (const day of daysWith(kv, merger.kind, tenant, first, end)) {
    const { runs, damaged } = await listRuns(kv, merger.kind, tenant, day, day + 1);
    if (damaged > 0) isDone = false;
    for (const run of runs) {
      if (!mayCover(newerThan(list, run.entry.versionstamp), run.minTime, run.maxTime)) continue;
      if (!await steps.makeRun(merger, { tenant, day, isDay: run.isDay }, [run], [])) isDone = false;
    }
    if (!await rewriteSegments(steps, merger, tenant, day, list)) isDone = false;
  }
  if (!isDone) return;
  if (merger.kind === "points") await removeSeries(round, tenant, list);
  for (const { id, entry, record } of list) {
    const value = encodeRecord(DeletionRecordSchema, FORMAT.deletion, clock.now() + DELETED_MS, {
      ...record,
      doneAt: BigInt(clock.now()),
    });
    await round.atomic([entry], [deletion(entry), { type: "set", key: deletedKey(tenant, id), value }]);
    await round.pace();
  }
}

/** Removes what is noted of series that are deleted as a whole, unless it was noted again since. */
async function removeSeries(round: Round, tenant: string, list: readonly ActiveDeletion[]): Promise<void> {
  const { kv } = round.options;
  const whole = list.filter(({ items }) => isOfAllTime(items));
  if (whole.length === 0) return;
  for await (const page of kv.pages({ prefix: seriesPrefix(tenant) }, { batch: KV_MAX_CHECKS - 1 })) {
    const gone = page.filter((entry) => {
      const series = kv.decodeOrSkip(entry, () => decodeSeries(entry.value));
      return series !== undefined && ofSeries(newerThan(whole, entry.versionstamp), series).length > 0;
    });
    if (gone.length > 0) await round.atomic(gone, gone.map(deletion));
    await round.pace();
  }
}

/**
 * Makes runs of a day's segments that have anything of what is deleted, each as soon as there is enough for it. Returns
 * whether none is left.
 */
async function rewriteSegments(
  steps: Steps,
  merger: Merger,
  tenant: string,
  day: number,
  list: readonly ActiveDeletion[],
): Promise<boolean> {
  const { round } = steps;
  const { kv } = round.options;
  let isDone = true;
  let batch: Entry[] = [];
  let bytes = 0;
  const rewrite = async () => {
    if (batch.length > 0 && !await steps.makeRun(merger, { tenant, day, isDay: false }, [], batch)) isDone = false;
    batch = [];
    bytes = 0;
  };
  for await (const page of kv.pages(hoursRange(merger.kind, tenant, day * HOURS_OF_DAY, (day + 1) * HOURS_OF_DAY))) {
    for (const entry of page) {
      // It unpacks each.
      await round.pace();
      if (!holdsAny(kv, merger, entry, newerThan(list, entry.versionstamp))) continue;
      if (!steps.canMove(merger, entry)) {
        isDone = false;
        continue;
      }
      batch.push(entry);
      bytes += entry.value.length;
      if (bytes >= COMPACT_BYTES || batch.length === COMPACT_MAX_SEGMENTS) await rewrite();
    }
  }
  await rewrite();
  return isDone;
}

/** Whether a segment has anything that one of these holds for; what is damaged is in no answer. */
function holdsAny(kv: KvClient, { format, mayHold }: Merger, entry: Entry, list: readonly ActiveDeletion[]): boolean {
  if (list.length === 0) return false;
  return kv.decodeOrSkip(entry, () => {
    const payload = openValue(format, 0, entry.value);
    return payload !== undefined && mayHold(payload, list);
  }) ?? false;
}
