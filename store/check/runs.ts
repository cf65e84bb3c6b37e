/**
 * Runs: the record, the claim of the blob, the footer, and every segment.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { BlobRecordSchema, RunRecordSchema } from "../../gen/sluice/store/v1/records_pb.ts";
import { DAY, HOUR } from "../../limits.ts";
import { decodeLogSegment } from "../format/log_reader.ts";
import { openPointSegment } from "../format/point_segment.ts";
import { comparePlaces, compareSeries } from "../format/run_footer.ts";
import { FORMAT } from "../format/value.ts";
import { HourSegments } from "../kv/compaction/hour_segments.ts";
import { compareLogs } from "../kv/compaction/log_merge.ts";
import { createLogRuns } from "../kv/compaction/logs.ts";
import { createPointRuns } from "../kv/compaction/points.ts";
import { blobKey, type RunKind } from "../kv/keys.ts";
import type { Entry } from "../kv/kv.ts";
import type { Run } from "../kv/runs/run_list.ts";
import { toPieces } from "../kv/upload_claim.ts";
import type { Series } from "../types.ts";
import type { Fault, Judge, Judged } from "./judge.ts";
import { ascends, disagreements } from "./segments.ts";
import { parseRecord } from "./view.ts";

/** What the segments of a run come to. */
interface Found {
  minTime: number;
  maxTime: number;
  items: number;
}

export const judgeRun: Judge = async function* (judged) {
  const { entry, key, payload, view, counts } = judged;
  const [, kind, tenant, day, id] = key as [string, RunKind, string, number, string];
  const record = parseRecord(RunRecordSchema, payload);
  counts.runs++;
  const claim = await view.record(BlobRecordSchema, FORMAT.blob, blobKey(id));
  if (claim.state === "missing") yield { what: "its blob has no claim" };
  if (claim.state === "intact") {
    const { finished, run } = claim.value;
    if (!finished) yield { what: "the claim of its blob is not finished" };
    if (claim.value.tenant !== tenant) yield { what: `its blob is claimed by the tenant ${claim.value.tenant}` };
    if (run?.kind !== kind || Number(run.day) !== day) yield { what: "the claim of its blob names another run" };
  }
  const pieces = toPieces(record);
  const size = pieces.reduce((sum, { length }) => sum + length, 0);
  const [minTime, maxTime, items] = [record.minTime, record.maxTime, record.items].map(Number);
  const { footer, isDay } = record;
  const run: Run = {
    id,
    day,
    pieces,
    size,
    minTime,
    maxTime,
    items,
    isDay,
    footer: Number(footer),
    entry: entry as Entry,
  };
  const found: Found = { minTime: Infinity, maxTime: -Infinity, items: 0 };
  yield* kind === "points" ? judgePoints(judged, run, found) : judgeLogs(judged, run, found);
  if (found.items !== items) yield { what: `it has ${found.items} items, and its record says ${items}` };
  if (found.minTime !== minTime || found.maxTime !== maxTime) {
    yield { what: `its record says ${minTime} to ${maxTime}, its items are of ${found.minTime} to ${found.maxTime}` };
  }
  if (minTime < day * DAY || maxTime >= (day + 1) * DAY) yield { what: `its times are not of its key's day ${day}` };
};

async function* judgePoints({ options, counts }: Judged, run: Run, found: Found): AsyncGenerator<Fault> {
  const reader = createPointRuns(options);
  let before: Series | undefined;
  /** Made again of the samples, and as they are stored. */
  const hours = new HourSegments(0);
  const made: Uint8Array[] = [];
  const stored: Uint8Array[] = [];
  let isDamaged = false;
  for await (const [own, payload] of reader.open(run, await reader.segments(run))) {
    if (payload === undefined) {
      isDamaged = true;
      yield { what: `its segment at ${own.offset} is damaged` };
      continue;
    }
    if (own.samples === 0) {
      stored.push(payload);
      continue;
    }
    const segment = openPointSegment(payload);
    const [first, last] = [segment.series(0), segment.series(segment.seriesCount - 1)];
    if (
      comparePlaces(own.first, first) !== 0 || comparePlaces(own.last, last) !== 0 ||
      own.minTime !== segment.minTime || own.maxTime !== segment.maxTime || own.samples !== segment.samples
    ) yield { what: `its footer disagrees with the segment at ${own.offset}` };
    for (let i = 0; i < segment.seriesCount; i++) {
      const series = segment.series(i);
      if (before && compareSeries(before, series) > 0) yield { what: `its series at ${own.offset} are not in order` };
      before = series;
      if (!ascends(segment.columns(i).timestamps)) {
        yield { what: `series ${i} of its segment at ${own.offset} is not in the order of time` };
      }
    }
    if (run.isDay) hours.add(segment);
    made.push(...hours.take().map(({ bytes }) => bytes));
    counts.samples += segment.samples;
    add(found, segment.minTime, segment.maxTime, segment.samples);
  }
  made.push(...hours.end().map(({ bytes }) => bytes));
  // A run may have none.
  if (
    stored.length > 0 && !isDamaged &&
    (made.length !== stored.length || made.some((bytes, i) => Buffer.compare(bytes, stored[i]) !== 0))
  ) {
    yield { what: "its rollups of hours are not those of its samples" };
  }
}

async function* judgeLogs({ options, counts }: Judged, run: Run, found: Found): AsyncGenerator<Fault> {
  const reader = createLogRuns(options);
  let hour = -Infinity;
  for await (const [own, payload] of reader.open(run, await reader.segments(run))) {
    if (payload === undefined) {
      yield { what: `its segment at ${own.offset} is damaged` };
      continue;
    }
    const entries = decodeLogSegment(payload);
    const [minTime, maxTime] = [entries[0]?.timestamp ?? 0, entries.at(-1)?.timestamp ?? 0];
    for (const what of disagreements(own.index, entries, minTime, maxTime)) {
      yield { what: `its footer disagrees with the segment at ${own.offset} on ${what}` };
    }
    if (Math.floor(minTime / HOUR) !== own.hour || Math.floor(maxTime / HOUR) !== own.hour) {
      yield { what: `the times of its segment at ${own.offset} are not of the hour ${own.hour}` };
    }
    if (own.hour < hour) yield { what: `its segment at ${own.offset} is of an earlier hour than the one before` };
    hour = own.hour;
    if (entries.some((entry, i) => i > 0 && compareLogs(entries[i - 1], entry) >= 0)) {
      yield { what: `its entries at ${own.offset} are not in order` };
    }
    counts.entries += entries.length;
    add(found, minTime, maxTime, entries.length);
  }
}

function add(found: Found, minTime: number, maxTime: number, items: number): void {
  found.minTime = Math.min(found.minTime, minTime);
  found.maxTime = Math.max(found.maxTime, maxTime);
  found.items += items;
}
