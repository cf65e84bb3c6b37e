/**
 * Points: what calls write is grouped, packed into one segment for each tenant and hour, and committed together with the
 * index entries of new series.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Clock } from "../../clock.ts";
import { GROUP_BYTES, GROUP_HOURS, GROUP_NEW_SERIES, HOUR } from "../../limits.ts";
import { packPointSegments } from "../format/point_segment.ts";
import { SeriesList } from "../format/series.ts";
import { encodeValue, FORMAT } from "../format/value.ts";
import type { FreeSpace } from "../free_space.ts";
import type { Stream } from "../stream_types.ts";
import type { Mutation, PointBatch, PointStore, PointWriter, Series } from "../types.ts";
import { BatchParts } from "./batch_parts.ts";
import type { Committer } from "./committer.ts";
import { commitGroup, type Packed } from "./group_commit.ts";
import { type Contribution, Grouping, Pending } from "./grouping.ts";
import { segmentKey } from "./keys.ts";
import type { KvClient } from "./kv.ts";
import type { PointRuns } from "./compaction/points.ts";
import { queryPoints } from "./point_query.ts";
import type { ReadLimits } from "./read_budget.ts";
import { SeriesIndex } from "./series_index.ts";
import { StreamHandle } from "./stream_handle.ts";

/** Bytes of a timestamp and a value, and of what their columns may add, before packing. */
const SAMPLE_BYTES = 18;
/** A series stands in the dictionary of a segment and, when it is new, in an entry of the index. */
const SERIES_COPIES = 2;

export interface PointStoreOptions extends ReadLimits {
  readonly kv: KvClient;
  readonly committer: Committer;
  readonly space: FreeSpace;
  readonly clock: Clock;
  /** A ULID of this moment. */
  newId(): string;
  /** How long points are kept, ms. */
  readonly retention: number;
  /** Series that a tenant may have. */
  readonly maxSeries: number;
  readonly runs: PointRuns;
}

/** The points from `first` up to `end` of a batch. */
interface PointRun extends Contribution {
  readonly tenant: string;
  readonly batch: PointBatch;
  readonly first: number;
  readonly end: number;
}

export function createPointStore(options: PointStoreOptions): PointStore {
  const index = new SeriesIndex(options);
  const grouping = new Grouping<PointRun>({
    clock: options.clock,
    commit: (group, turn) =>
      commitGroup(options.committer, group, turn, (members) => packPoints(options, index, members)),
  });
  return {
    writer: (tenant, stream) => createPointWriter(options, index, grouping, tenant, stream),
    async query(tenant, query, signal) {
      const { parts, ...read } = await queryPoints(options, tenant, query, Infinity, signal);
      return { ...read, series: (await Array.fromAsync(parts)).flat() };
    },
    queryParts: (tenant, query, most, signal) => queryPoints(options, tenant, query, most, signal),
    series: (tenant, filter, limit, after, signal) => index.list(tenant, filter, limit, after, signal),
  };
}

function createPointWriter(
  options: PointStoreOptions,
  index: SeriesIndex,
  grouping: Grouping<PointRun>,
  tenant: string,
  stream: Stream | undefined,
): PointWriter {
  const pending = new Pending();
  const handle = stream && StreamHandle.of(stream);
  return {
    refused: (series) => index.refused(tenant, series),
    async write(batch, place) {
      pending.check();
      await options.space.ensure();
      const stateOf = await index.states(tenant);
      const isNew = (series: Series) => stateOf(series) === "new";
      const parts = handle && place ? new BatchParts(handle, place, batch.ends.length) : undefined;
      for (const run of cutRuns(batch, isNew)) {
        const part = parts?.until(run.end, run.bytes);
        grouping.add({ ...run, tenant, batch, part, settle: pending.begin() });
      }
      if (parts?.isLeft) {
        const nothing = { first: 0, end: 0, items: 1, bytes: 0, newSeries: 0, hours: 0 };
        grouping.add({ ...nothing, tenant, batch, part: parts.until(0, 0), settle: pending.begin() });
      }
      await grouping.room();
      pending.check();
    },
    flush() {
      grouping.urge();
      return pending.settled();
    },
  };
}

/** Cuts a batch so that each run fits one commit: by bytes, new series and hours, whichever comes first. */
function* cutRuns(batch: PointBatch, isNew: (series: Series) => boolean) {
  const { series, timestamps, ends, seriesOf } = batch;
  const fresh = series.map(isNew);
  const size = series.map((s) => Buffer.byteLength(s.key) * SERIES_COPIES);
  const whole = wholeRun(batch, fresh, size);
  if (whole) {
    yield whole;
    return;
  }
  /** The run and hour for which a series was last counted: each hour's segment has a dictionary of its own. */
  const countedIn = new Int32Array(series.length).fill(-1);
  const countedFor = new Float64Array(series.length);
  const hoursSeen = new Set<number>();
  let run = 0, first = 0, bytes = 0, newSeries = 0;

  for (let i = 0; i < ends.length; i++) {
    const from = i === 0 ? 0 : ends[i - 1];
    const hour = Math.floor(timestamps[i] / HOUR);
    const measure = () => {
      let b = (ends[i] - from) * SAMPLE_BYTES, n = 0;
      for (let j = from; j < ends[i]; j++) {
        const s = seriesOf[j];
        if (countedIn[s] === run && countedFor[s] === hour) continue;
        b += size[s];
        if (fresh[s]) n++;
      }
      return { b, n };
    };
    let point = measure();
    const full = bytes + point.b > GROUP_BYTES || newSeries + point.n > GROUP_NEW_SERIES ||
      (hoursSeen.size === GROUP_HOURS && !hoursSeen.has(hour));
    if (full && i > first) {
      yield { first, end: i, items: i - first, bytes, newSeries, hours: hoursSeen.size };
      run++;
      first = i;
      bytes = newSeries = 0;
      hoursSeen.clear();
      point = measure();
    }
    for (let j = from; j < ends[i]; j++) {
      countedIn[seriesOf[j]] = run;
      countedFor[seriesOf[j]] = hour;
    }
    bytes += point.b;
    newSeries += point.n;
    hoursSeen.add(hour);
  }
  if (ends.length > first) {
    yield { first, end: ends.length, items: ends.length - first, bytes, newSeries, hours: hoursSeen.size };
  }
}

/** The run that takes all of a batch, if that is all of one hour and far from every limit, as most are. */
function wholeRun({ timestamps, ends, values }: PointBatch, fresh: readonly boolean[], size: readonly number[]) {
  const end = ends.length;
  const bytes = values.length * SAMPLE_BYTES + size.reduce((sum, s) => sum + s, 0);
  const newSeries = fresh.reduce((sum, isNew) => sum + Number(isNew), 0);
  if (end === 0 || bytes > GROUP_BYTES || newSeries > GROUP_NEW_SERIES) return undefined;
  const begin = Math.floor(timestamps[0] / HOUR) * HOUR;
  for (let i = 1; i < end; i++) if (!(timestamps[i] >= begin && timestamps[i] < begin + HOUR)) return undefined;
  return { first: 0, end, items: end, bytes, newSeries, hours: 1 };
}

/** Samples of one tenant and hour, collected from all runs of a group. */
class HourColumns extends SeriesList {
  readonly seriesOf: Int32Array;
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  /** How many samples there are so far. */
  length = 0;

  /** @param samples How many there will be. */
  constructor(samples: number) {
    super();
    this.seriesOf = new Int32Array(samples);
    this.timestamps = new Float64Array(samples);
    this.values = new Float64Array(samples);
  }
}

async function packPoints(
  options: PointStoreOptions,
  index: SeriesIndex,
  group: readonly PointRun[],
): Promise<Packed> {
  await options.space.ensure(group.reduce((sum, { bytes }) => sum + bytes, 0));
  const mutations: Mutation[] = [];
  const registered: (() => void)[] = [];
  for (const [tenant, hours] of collect(group)) {
    const stateOf = await index.states(tenant);
    const written = new Map<string, Series>();
    const due = new Map<string, Series>();
    for (const [hour, columns] of hours) {
      for (const s of columns.series) {
        const state = stateOf(s);
        if (state !== "fresh") (state === "new" ? written : due).set(s.key, s);
      }
      for (const { bytes } of packPointSegments(columns)) {
        const expires = (hour + 1) * HOUR + options.retention;
        mutations.push({
          type: "set",
          key: segmentKey("points", tenant, hour, options.newId()),
          value: encodeValue(FORMAT.pointSegment, expires, bytes),
        });
      }
    }
    // Series that came together are due together, perhaps more than a commit takes: the others have time until later ones.
    for (const [key, series] of due) if (written.size < GROUP_NEW_SERIES) written.set(key, series);
    const registration = await index.register(tenant, written.values());
    mutations.push(...registration.mutations);
    registered.push(registration.committed);
  }
  return { mutations, committed: () => registered.forEach((committed) => committed()) };
}

/** The samples of a group by tenant and hour. */
function collect(group: readonly PointRun[]): Map<string, Map<number, HourColumns>> {
  const tenants = new Map<string, Map<number, HourColumns>>();
  for (const [tenant, sizes] of countSamples(group)) {
    tenants.set(tenant, new Map(Array.from(sizes, ([hour, samples]) => [hour, new HourColumns(samples)])));
  }
  for (const { tenant, batch, first, end } of group) {
    const hours = tenants.get(tenant);
    const { series, timestamps, ends, seriesOf, values } = batch;
    // Points come mostly in order: the columns and places of the hour before serve again.
    let hour = NaN;
    let columns: HourColumns | undefined;
    const places = new Int32Array(series.length);
    for (let i = first, j = first === 0 ? 0 : ends[first - 1]; i < end; i++) {
      const timestamp = timestamps[i];
      const h = Math.floor(timestamp / HOUR);
      if (h !== hour) {
        hour = h;
        columns = hours?.get(h);
        places.fill(-1);
      }
      if (!columns) throw new Error(`the hour ${h} was not counted`);
      for (; j < ends[i]; j++) {
        const s = seriesOf[j];
        if (places[s] === -1) places[s] = columns.place(series[s]);
        const at = columns.length++;
        columns.seriesOf[at] = places[s];
        columns.timestamps[at] = timestamp;
        columns.values[at] = values[j];
      }
    }
  }
  return tenants;
}

/** How many samples a group has of each tenant and hour. */
function countSamples(group: readonly PointRun[]): Map<string, Map<number, number>> {
  const tenants = new Map<string, Map<number, number>>();
  for (const { tenant, batch: { timestamps, ends }, first, end } of group) {
    let hours = tenants.get(tenant);
    if (!hours) tenants.set(tenant, hours = new Map());
    for (let i = first, from = first === 0 ? 0 : ends[first - 1]; i < end;) {
      const hour = Math.floor(timestamps[i] / HOUR);
      while (i < end && Math.floor(timestamps[i] / HOUR) === hour) i++;
      hours.set(hour, (hours.get(hour) ?? 0) + ends[i - 1] - from);
      from = ends[i - 1];
    }
  }
  return tenants;
}
