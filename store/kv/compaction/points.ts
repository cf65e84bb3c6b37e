/**
 * Runs of points: segments sorted by series.
 *
 * @module
 */
import { openPointSegment } from "../../format/point_segment.ts";
import { decodePointFooter, encodePointFooter, type PointRunSegment } from "../../format/run_footer.ts";
import { FORMAT } from "../../format/value.ts";
import { type ActiveDeletion, mayCover, newerThan, ofSeries } from "../deletions.ts";
import { openValue } from "../records.ts";
import type { Run } from "../runs/run_list.ts";
import { RunReader, type RunReaderOptions } from "../runs/run_reader.ts";
import type { Merger } from "./mod.ts";
import { mergeSeries, packSeries, samplesOf, SeriesTable } from "./point_merge.ts";
import { DamagedRun, damageEndsIt } from "./damage.ts";

export type PointRuns = RunReader<PointRunSegment>;

export const createPointRuns = (options: RunReaderOptions): PointRuns =>
  new RunReader(options, "points", decodePointFooter);

export function createPointMerger(reader: PointRuns): Merger {
  return {
    kind: "points",
    format: FORMAT.pointSegment,
    mayHold(payload, deletions) {
      const segment = openPointSegment(payload);
      if (!mayCover(deletions, segment.minTime, segment.maxTime)) return false;
      for (let i = 0; i < segment.seriesCount; i++) if (ofSeries(deletions, segment.series(i)).length > 0) return true;
      return false;
    },
    keysOf: ({ key }) => [key],
    merge: (round, runs, segments, deletions, out) =>
      damageEndsIt(round.options.kv, async () => {
        const table = new SeriesTable();
        for (const entry of segments) {
          const payload = openValue(FORMAT.pointSegment, 0, entry.value);
          if (payload !== undefined) table.add(openPointSegment(payload), newerThan(deletions, entry.versionstamp));
          await round.pace();
        }
        // Of equal times, what came later counts as later: runs were made before the segments that are left.
        const sources = [...runs.map((run) => samplesOfRun(reader, run, deletions)), [table.sorted()].values()];
        const placed: PointRunSegment[] = [];
        let offset = 0;
        for await (const { bytes, minTime, maxTime, samples, first, last } of packSeries(mergeSeries(sources))) {
          const length = await out.append(bytes, { minTime, maxTime, items: samples });
          placed.push({ offset, length, minTime, maxTime, samples, first, last });
          offset += length;
        }
        return encodePointFooter(placed);
      }),
  };
}

async function* samplesOfRun(reader: PointRuns, run: Run, deletions: readonly ActiveDeletion[]) {
  const own = newerThan(deletions, run.entry.versionstamp);
  for await (const [, payload] of reader.open(run, await reader.segments(run))) {
    if (payload === undefined) throw new DamagedRun(run.id);
    yield [...samplesOf(openPointSegment(payload), own)];
  }
}
