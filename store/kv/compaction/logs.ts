/**
 * Runs of logs: segments of one hour each. In a run of a whole day they have the order of applications within parts of
 * RUN_PART_ENTRIES, in others that of time: of those many are merged at once, and of each one segment is in memory then.
 *
 * @module
 */
import { decodeLogIndex } from "../../format/log_index.ts";
import { decodeLogSegment } from "../../format/log_reader.ts";
import type { LogRow } from "../../format/log_row.ts";
import {
  decodeLogFooter,
  encodeLogFooter,
  type LogRunSegment,
  type PackedLogSegment,
} from "../../format/run_footer.ts";
import { FORMAT } from "../../format/value.ts";
import type { StoredLog } from "../../log_types.ts";
import { type ActiveDeletion, coversLog, newerThan } from "../deletions.ts";
import { segmentKey } from "../keys.ts";
import { openValue } from "../records.ts";
import type { Run } from "../runs/run_list.ts";
import { RunReader, type RunReaderOptions } from "../runs/run_reader.ts";
import { DamagedRun, damageEndsIt } from "./damage.ts";
import { compareLogs, mergeLogs, packEntries } from "./log_merge.ts";
import type { Merger } from "./mod.ts";

export type LogRuns = RunReader<LogRunSegment>;

export const createLogRuns = (options: RunReaderOptions): LogRuns =>
  new RunReader(options, "logs", decodeLogFooter, () => FORMAT.logSegment);

export function createLogMerger(reader: LogRuns): Merger {
  return {
    kind: "logs",
    format: FORMAT.logSegment,
    keysOf({ key }) {
      const [, tenant, hour, id] = key as [string, string, number, string];
      return [key, segmentKey("logindex", tenant, hour, id)];
    },
    mayHold: (payload, deletions) => decodeLogSegment(payload).some((entry) => coversLog(deletions, entry)),
    merge: (round, runs, segments, deletions, out) =>
      damageEndsIt(round.options.kv, async () => {
        const loose: StoredLog[] = [];
        for (const entry of segments) {
          const payload = openValue(FORMAT.logSegment, 0, entry.value);
          const own = newerThan(deletions, entry.versionstamp);
          for (const log of payload === undefined ? [] : decodeLogSegment(payload)) {
            if (!coversLog(own, log)) loose.push(log);
          }
          await round.pace();
        }
        loose.sort(compareLogs);
        const sources = [
          ...runs.map((run) => ({ from: run.minTime, lists: entriesOfRun(reader, run, deletions) })),
          { from: loose[0]?.timestamp ?? 0, lists: [loose].values() },
        ];
        const placed: PackedLogSegment[] = [];
        let offset = 0;
        for await (const packed of packEntries(mergeLogs(sources), round.options.newId(), out.origin.isDay)) {
          const { segment, index, minTime, maxTime, count, hour } = packed;
          const length = await out.append(FORMAT.logSegment, segment, { minTime, maxTime, items: count });
          placed.push({ offset, length, hour, index, bloomBytes: decodeLogIndex(index).bloom.length });
          offset += length;
        }
        return encodeLogFooter(placed);
      }),
  };
}

/** In the order of time: segments that overlap, which are those of a part, are read together. */
async function* entriesOfRun(reader: LogRuns, run: Run, deletions: readonly ActiveDeletion[]) {
  const own = newerThan(deletions, run.entry.versionstamp);
  let part: LogRow[] = [];
  let end = -Infinity;
  const inOrder = () => {
    const entries = part.sort(compareLogs);
    part = [];
    return own.length === 0 ? entries : entries.filter((entry) => !coversLog(own, entry));
  };
  for await (const [{ index }, payload] of reader.open(run, await reader.segments(run))) {
    if (payload === undefined) throw new DamagedRun(run.id);
    if (index.minTime >= end) yield inOrder();
    for (const entry of decodeLogSegment(payload)) part.push(entry);
    end = Math.max(end, index.maxTime);
  }
  yield inOrder();
}
