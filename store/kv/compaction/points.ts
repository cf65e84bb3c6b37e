/**
 * Runs of points: segments sorted by series. In a run of a whole day there are rollups of hours between them, where they are
 * few beside the samples.
 *
 * @module
 */
import { RUN_HOUR_SAMPLES } from "../../../limits.ts";
import { openPointSegment } from "../../format/point_segment.ts";
import {
  decodePointFooter,
  encodePointFooter,
  type PointRunSegment,
  type RunSegment,
} from "../../format/run_footer.ts";
import { mayCover, newerThan, ofSeries } from "../deletions.ts";
import type { Round } from "../housekeeping/round.ts";
import { openValue } from "../records.ts";
import type { Run } from "../runs/run_list.ts";
import { RunReader, type RunReaderOptions } from "../runs/run_reader.ts";
import { HourSegments } from "./hour_segments.ts";
import { DamagedError, FORMAT } from "../../format/value.ts";
import { sourceError } from "./damage.ts";
import { type Merger, type MergeSources, segmentId } from "./merger.ts";
import { mergeSeries, packSeries, samplesOf, SeriesTable } from "./point_merge.ts";

interface Packed {
  readonly bytes: Uint8Array;
}

export type PointRuns = RunReader<PointRunSegment>;

export const createPointRuns = (options: RunReaderOptions): PointRuns =>
  new RunReader(
    options,
    "points",
    decodePointFooter,
    ({ samples }) => samples === 0 ? FORMAT.hourRollups : FORMAT.pointSegment,
  );

/** The segments of a run that have samples. */
export async function sampleSegments(reader: PointRuns, run: Run): Promise<PointRunSegment[]> {
  return (await reader.segments(run)).filter(({ samples }) => samples > 0);
}

/** @param hourSamples Samples an hour of a series, on average, from which on the run of a day has rollups of hours. */
export function createPointMerger(reader: PointRuns, hourSamples = RUN_HOUR_SAMPLES): Merger {
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
    async merge(round, sources, out) {
      const { runs, segments, deletions } = sources;
      const table = new SeriesTable();
      for (const entry of segments) {
        try {
          const payload = openValue(FORMAT.pointSegment, 0, entry.value);
          if (payload !== undefined) table.add(openPointSegment(payload), newerThan(deletions, entry.versionstamp));
        } catch (error) {
          throw sourceError(segmentId(entry), error);
        }
        await round.pace();
      }
      // Of equal times, what came later counts as later: runs were made before the segments that are left.
      const lists = [...runs.map((run) => samplesOfRun(round, reader, run, sources)), [table.sorted()].values()];
      const placed: PointRunSegment[] = [];
      const append = async (
        format: number,
        { bytes, ...place }: Omit<PointRunSegment, keyof RunSegment> & Packed,
      ) => {
        const length = await out.append(format, bytes, { ...place, items: place.samples });
        placed.push({ offset: out.length - length, length, ...place });
      };
      const hours = new HourSegments(hourSamples);
      for await (const { segment, ...packed } of packSeries(mergeSeries(lists))) {
        await append(FORMAT.pointSegment, packed);
        if (!out.origin.isDay) continue;
        hours.add(segment);
        for (const own of hours.take()) await append(FORMAT.hourRollups, own);
      }
      for (const own of hours.end()) await append(FORMAT.hourRollups, own);
      return encodePointFooter(placed);
    },
  };
}

async function* samplesOfRun(
  round: Round,
  reader: PointRuns,
  run: Run,
  { deletions, isKnownDamage }: MergeSources,
) {
  const own = newerThan(deletions, run.entry.versionstamp);
  try {
    for await (const [{ offset }, payload] of reader.open(run, await sampleSegments(reader, run))) {
      if (payload !== undefined) yield [...samplesOf(openPointSegment(payload), own)];
      else if (!isKnownDamage(run.id)) throw new DamagedError(`Cannot read the segment at ${offset}`);
      await round.pace();
    }
  } catch (error) {
    throw sourceError(run.id, error);
  }
}
