/**
 * Segments of points and logs, the indexes of the latter, and series.
 *
 * @module
 */
import { SeriesRecordSchema } from "../../gen/sluice/store/v1/records_pb.ts";
import { DAY, HOUR } from "../../limits.ts";
import { bloomHas, fieldToken } from "../format/bloom.ts";
import { decodeLogIndex, type LogIndex } from "../format/log_index.ts";
import { decodeLogSegment } from "../format/log_reader.ts";
import { openPointSegment, type PointSegment } from "../format/point_segment.ts";
import type { Rollup } from "../format/rollup.ts";
import { makeSeries, seriesId } from "../format/series.ts";
import { forEachToken } from "../format/tokens.ts";
import { FORMAT } from "../format/value.ts";
import { segmentKey, seriesKvKey } from "../kv/keys.ts";
import { LEVELS, type StoredLog } from "../log_types.ts";
import type { Fault, Judge, Judged } from "./judge.ts";
import { parseRecord } from "./view.ts";

type SegmentKey = [kind: string, tenant: string, hour: number, id: string];

/** How many series of a segment are looked for in the index of series: the first mostly is there. */
const SERIES_LOOKED_FOR = 8;
/** A segment that expires sooner may have outlived its series: see series_index.ts. */
const SERIES_MARGIN_MS = 2 * DAY;

export const judgePoints: Judge = async function* (judged) {
  const { key, payload, counts } = judged;
  const [, tenant, hour] = key as SegmentKey;
  const segment = openPointSegment(payload);
  yield* timesIn(hour, segment.minTime, segment.maxTime);
  let min = Infinity;
  let max = -Infinity;
  for (let i = 0; i < segment.seriesCount; i++) {
    segment.series(i);
    const { timestamps, values } = segment.columns(i);
    if (!ascends(timestamps)) yield { what: `series ${i} is not in the order of time` };
    min = Math.min(min, timestamps[0] ?? Infinity);
    max = Math.max(max, timestamps.at(-1) ?? -Infinity);
    const rollup = segment.rollup(i);
    if (rollup && !agrees(rollup, timestamps, values)) {
      yield { what: `the rollup of series ${i} is not that of its samples` };
    }
  }
  counts.segments++;
  counts.samples += segment.samples;
  if (min !== segment.minTime || max !== segment.maxTime) {
    yield { what: `its header says ${segment.minTime} to ${segment.maxTime}, its samples are of ${min} to ${max}` };
  }
  if (!await isOfTenant(judged, segment)) yield { what: `none of its series is known to the tenant ${tenant}` };
};

/** Whether the tenant of the key, for which only the key speaks, has any of the segment's first series. */
async function isOfTenant({ key, expires, view, options: { clock } }: Judged, segment: PointSegment): Promise<boolean> {
  if (expires !== 0 && expires <= clock.now() + SERIES_MARGIN_MS) return true;
  for (let i = 0; i < Math.min(segment.seriesCount, SERIES_LOOKED_FOR); i++) {
    const series = seriesKvKey((key as SegmentKey)[1], seriesId(segment.series(i).key));
    if ((await view.get(series)).value !== null) return true;
  }
  return false;
}

export const judgeLogs: Judge = async function* (judged) {
  const { key, payload, view, counts } = judged;
  const [, tenant, hour, id] = key as SegmentKey;
  const entries = decodeLogSegment(payload);
  counts.segments++;
  counts.entries += entries.length;
  if (entries.length === 0) yield { what: "it has no entries" };
  const isLater = (b: StoredLog, a: StoredLog) =>
    b.timestamp > a.timestamp || (b.timestamp === a.timestamp && b.id > a.id);
  if (!entries.every((entry, i) => i === 0 || isLater(entry, entries[i - 1]))) {
    yield { what: "its entries are not in the order of time and id" };
  }
  const minTime = entries[0]?.timestamp ?? 0;
  const maxTime = entries.at(-1)?.timestamp ?? 0;
  yield* timesIn(hour, minTime, maxTime);
  const found = await view.payload(segmentKey("logindex", tenant, hour, id), FORMAT.logIndex);
  if (found.state === "missing" && isKept(judged)) yield { what: "it has no index, so no search finds it" };
  if (found.state !== "intact") return;
  let index: LogIndex;
  try {
    index = decodeLogIndex(found.value);
  } catch {
    // Reported where it stands.
    return;
  }
  for (const what of disagreements(index, entries, minTime, maxTime)) yield { what: `its index disagrees on ${what}` };
};

export const judgeLogIndex: Judge = async function* (judged) {
  const { key, payload, view } = judged;
  const [, tenant, hour, id] = key as SegmentKey;
  const index = decodeLogIndex(payload);
  yield* timesIn(hour, index.minTime, index.maxTime);
  const { value } = await view.get(segmentKey("logs", tenant, hour, id));
  if (value === null && isKept(judged)) yield { what: "its segment is missing" };
};

export const judgeSeries: Judge = async function* ({ key, payload }) {
  const id = key[2] as Uint8Array;
  const { source, metric, tags } = parseRecord(SeriesRecordSchema, payload);
  const series = makeSeries(source, metric, tags.map(({ key, value }) => [key, value] as const));
  if (series.tags.some(([name], i) => name !== tags[i].key) || series.tags.length !== tags.length) {
    yield { what: "its tags are not sorted" };
  }
  if (seriesId(series.key).toHex() !== id.toHex()) yield { what: "its key is not the id of its series" };
};

/** Past retention or expired, the parts of an hour go one after the other. */
function isKept({ key, expires, options: { clock, retention } }: Judged): boolean {
  const hour = (key as SegmentKey)[2];
  const now = clock.now();
  return (expires === 0 || expires > now) && hour >= Math.floor((now - retention) / HOUR);
}

function* timesIn(hour: number, min: number, max: number): Generator<Fault> {
  if (min < hour * HOUR || max >= (hour + 1) * HOUR) {
    yield { what: `its times from ${min} to ${max} are not of its key's hour ${hour}` };
  }
}

export function ascends(timestamps: Float64Array): boolean {
  for (let i = 1; i < timestamps.length; i++) if (timestamps[i] < timestamps[i - 1]) return false;
  return true;
}

function agrees(rollup: Rollup, timestamps: Float64Array, values: Float64Array): boolean {
  let min = Infinity;
  let max = -Infinity;
  for (const value of values) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return rollup.count === values.length && rollup.min === min && rollup.max === max &&
    rollup.last === values.at(-1) && rollup.lastTime === timestamps.at(-1);
}

/** On what an index and the entries of its segment do not agree. */
export function* disagreements(
  index: LogIndex,
  entries: readonly StoredLog[],
  minTime: number,
  maxTime: number,
): Generator<string> {
  if (index.minTime !== minTime || index.maxTime !== maxTime) yield "the range of times";
  const levels = LEVELS.map(() => 0);
  const applications = new Map<string, number>();
  const names = new Set<string>();
  let bloomLacks = 0;
  const look = (token: string) => {
    if (!bloomHas(index.bloom, token)) bloomLacks++;
  };
  for (const { level, application, message, fields } of entries) {
    levels[level]++;
    applications.set(application, (applications.get(application) ?? 0) + 1);
    forEachToken(message, look);
    for (const [name, value] of fields) {
      names.add(name);
      forEachToken(value, look);
      look(fieldToken(name, value));
    }
  }
  if (levels.some((count, level) => count !== index.levels[level])) yield "the counts by level";
  const wrong = [...index.names.applications].some(([name, count]) => applications.get(name) !== count);
  if (wrong || (index.names.applicationsComplete && index.names.applications.size !== applications.size)) {
    yield "the counts by application";
  }
  if (
    index.names.fieldNames.some((name) => !names.has(name)) ||
    (index.names.fieldNamesComplete && index.names.fieldNames.length !== names.size)
  ) yield "the names of fields";
  if (bloomLacks > 0) yield `its words: the filter lacks ${bloomLacks}`;
}
