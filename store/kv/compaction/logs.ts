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
import { DamagedError, FORMAT } from "../../format/value.ts";
import type { StoredLog } from "../../log_types.ts";
import { coversLog, newerThan } from "../deletions.ts";
import type { Round } from "../housekeeping/round.ts";
import { segmentKey } from "../keys.ts";
import { openValue } from "../records.ts";
import type { Run } from "../runs/run_list.ts";
import { RunReader, type RunReaderOptions } from "../runs/run_reader.ts";
import { sourceError } from "./damage.ts";
import { compareLogs, mergeLogs, packEntries } from "./log_merge.ts";
import { type Merger, type MergeSources, segmentId } from "./merger.ts";

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
    async merge(round, sources, out) {
      const { runs, segments, deletions } = sources;
      const loose: StoredLog[] = [];
      for (const entry of segments) {
        const own = newerThan(deletions, entry.versionstamp);
        try {
          const payload = openValue(FORMAT.logSegment, 0, entry.value);
          for (const log of payload === undefined ? [] : decodeLogSegment(payload)) {
            if (!coversLog(own, log)) loose.push(log);
          }
        } catch (error) {
          throw sourceError(segmentId(entry), error);
        }
        await round.pace();
      }
      loose.sort(compareLogs);
      const lists = [
        ...runs.map((run) => ({ from: run.minTime, lists: entriesOfRun(round, reader, run, sources) })),
        { from: loose[0]?.timestamp ?? 0, lists: [loose].values() },
      ];
      const placed: PackedLogSegment[] = [];
      let offset = 0;
      for await (const packed of packEntries(mergeLogs(lists), round.options.newId(), out.origin.isDay)) {
        const { segment, index, minTime, maxTime, count, hour } = packed;
        const length = await out.append(FORMAT.logSegment, segment, { minTime, maxTime, items: count });
        placed.push({ offset, length, hour, index, bloomBytes: decodeLogIndex(index).bloom.length });
        offset += length;
      }
      return encodeLogFooter(placed);
    },
  };
}

/** In the order of time: segments that overlap, which are those of a part, are read together. */
async function* entriesOfRun(round: Round, reader: LogRuns, run: Run, { deletions, isKnownDamage }: MergeSources) {
  const own = newerThan(deletions, run.entry.versionstamp);
  let part: LogRow[] = [];
  let end = -Infinity;
  const inOrder = () => {
    const entries = part.sort(compareLogs);
    part = [];
    return own.length === 0 ? entries : entries.filter((entry) => !coversLog(own, entry));
  };
  try {
    for await (const [{ index, offset }, payload] of reader.open(run, await reader.segments(run))) {
      if (payload === undefined) {
        if (isKnownDamage(run.id)) continue;
        throw new DamagedError(`Cannot read the segment at ${offset}`);
      }
      if (index.minTime >= end) yield inOrder();
      for (const entry of decodeLogSegment(payload)) part.push(entry);
      end = Math.max(end, index.maxTime);
      await round.pace();
    }
  } catch (error) {
    throw sourceError(run.id, error);
  }
  yield inOrder();
}
