/**
 * A segment of points: samples by series, in columns, so that one series is decoded without the others.
 *
 * ```
 * min time    signed       ms since the epoch
 * max time    varint       less min time
 * samples     varint
 * series      varint
 * dictionary               point_dictionary.ts
 * times       varint       columns of timestamps, each used by one series or more
 *   for each: varint count of timestamps, varint bytes of the column
 * for each series: varint its column of timestamps, varint bytes of its values, varint bytes of its rollup (0: none)
 * columns of timestamps, columns of values (gorilla.ts), rollups (rollup.ts), one after the other
 * ```
 *
 * The series that the metrics of a point make have equal timestamps, which are stored once. A rollup is stored where it
 * takes at most a quarter of what the values take, and it has a sketch where it still does so with it: the value is
 * read whole in any case, so a rollup saves decoding only, and a short column is decoded sooner than a rollup.
 *
 * This file writes segments; point_reader.ts reads them.
 *
 * @module
 */
import { MAX_SEGMENT_BYTES, MAX_SEGMENT_RAW_BYTES } from "../../limits.ts";
import type { Series } from "../types.ts";
import { ByteWriter } from "./byte_writer.ts";
import { writeValues } from "./gorilla.ts";
import { writeIntegers } from "./integers.ts";
import { encodeDictionary, writeDictionary } from "./point_dictionary.ts";
import { MAX_SEGMENT_SAMPLES } from "./point_reader.ts";
import { Rollup } from "./rollup.ts";
import { sortByTime } from "./time_sort.ts";

export { openPointSegment, type PointSegment } from "./point_reader.ts";

/** A rollup takes at most this part of the bytes that the values take. */
const ROLLUP_SHARE = 1 / 4;
/** A rollup takes at least so many bytes, so that there is no need to try. */
const MIN_ROLLUP_BYTES = 12;

/** Samples in order of arrival: sample `j` belongs to `series[seriesOf[j]]`. */
export interface PointColumns {
  /** Each series once; those without samples are not stored. */
  readonly series: readonly Series[];
  readonly seriesOf: ArrayLike<number>;
  /** ms since the epoch, one for each sample, in any order. */
  readonly timestamps: ArrayLike<number>;
  readonly values: ArrayLike<number>;
}

/** A segment made by `packPointSegments()`. */
export interface PackedPoints {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly minTime: number;
  readonly maxTime: number;
  readonly samples: number;
}

/**
 * Encodes samples as one segment, of whatever size; see `packPointSegments()`.
 *
 * @throws {RangeError} If there are no samples, more than a segment may unpack to, or the columns do not fit together.
 */
export function encodePointSegment(input: PointColumns): Uint8Array<ArrayBuffer> {
  const packed = encode(input);
  if (packed === undefined) throw new RangeError(`Cannot encode ${input.values.length} samples as one segment`);
  return packed.bytes;
}

/**
 * Encodes samples as as many segments as it takes for each to have at most MAX_SEGMENT_BYTES. They hold the samples in
 * order of arrival: all of one segment arrived before all of the next.
 *
 * @throws {RangeError} If the columns do not fit together, or one sample alone is too large.
 */
export function packPointSegments(input: PointColumns): PackedPoints[] {
  if (input.values.length === 0) return [];
  const packed = encode(input);
  if (packed !== undefined && packed.bytes.length <= MAX_SEGMENT_BYTES) return [packed];
  if (input.values.length === 1) throw new RangeError("Cannot pack a sample as its series does not fit a segment");
  return splitPointColumns(input).flatMap(packPointSegments);
}

/** The first and the second half of the samples in order of arrival, each with those series only that it has. */
export function splitPointColumns(input: PointColumns): [PointColumns, PointColumns] {
  const middle = input.values.length >>> 1;
  return [sliceColumns(input, 0, middle), sliceColumns(input, middle, input.values.length)];
}

/** Samples sorted by series, and by time within one: those of series `used[i]` begin at `starts[i]`. */
interface Grouped {
  readonly used: readonly number[];
  readonly starts: readonly number[];
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  readonly minTime: number;
  readonly maxTime: number;
}

/** Undefined if the segment would unpack to more than a reader accepts. */
function encode(input: PointColumns): PackedPoints | undefined {
  const samples = input.values.length;
  if (samples > MAX_SEGMENT_SAMPLES) return undefined;
  const { used, starts, timestamps, values, minTime, maxTime } = groupBySeries(input);
  const dictionary = encodeDictionary(used.map((series) => input.series[series]));
  if (dictionary.length > MAX_SEGMENT_RAW_BYTES) return undefined;

  const timeOut = new ByteWriter(64 + samples * 2);
  const valueOut = new ByteWriter(samples * 2);
  const rollupOut = new ByteWriter(64);
  const timeDirectory = new ByteWriter(64);
  const seriesDirectory = new ByteWriter(used.length * 4);
  /** Columns of timestamps so far, and the latest of each hash; a rare collision only costs a column stored twice. */
  const columns: Float64Array[] = [];
  const byHash = new Map<number, number>();
  for (let i = 0; i < used.length; i++) {
    const times = timestamps.subarray(starts[i], starts[i + 1]);
    const hash = hashColumn(times);
    let column = byHash.get(hash);
    if (column === undefined || !isEqual(columns[column], times)) {
      column = columns.push(times) - 1;
      byHash.set(hash, column);
      const start = timeOut.length;
      writeIntegers(timeOut, times);
      timeDirectory.varint(times.length);
      timeDirectory.varint(timeOut.length - start);
    }
    const valueStart = valueOut.length;
    const ownValues = values.subarray(starts[i], starts[i + 1]);
    writeValues(valueOut, ownValues);
    const rollupStart = rollupOut.length;
    writeRollup(rollupOut, times, ownValues, Math.floor((valueOut.length - valueStart) * ROLLUP_SHARE));
    seriesDirectory.varint(column);
    seriesDirectory.varint(valueOut.length - valueStart);
    seriesDirectory.varint(rollupOut.length - rollupStart);
  }

  const out = new ByteWriter(32 + dictionary.length + valueOut.length + rollupOut.length + timeOut.length);
  out.signed(minTime);
  out.varint(maxTime - minTime);
  out.varint(samples);
  out.varint(used.length);
  writeDictionary(out, dictionary);
  out.varint(columns.length);
  for (const part of [timeDirectory, seriesDirectory, timeOut, valueOut, rollupOut]) out.raw(part.view());
  return { bytes: out.finish(), minTime, maxTime, samples };
}

function groupBySeries({ series, seriesOf, timestamps, values }: PointColumns): Grouped {
  const samples = values.length;
  if (samples === 0 || seriesOf.length !== samples || timestamps.length !== samples) {
    throw new RangeError(`Cannot encode columns of ${seriesOf.length}, ${timestamps.length} and ${samples} samples`);
  }
  const places = new Int32Array(series.length);
  for (let j = 0; j < samples; j++) places[seriesOf[j]]++;
  const used: number[] = [];
  const starts: number[] = [];
  let start = 0;
  for (let i = 0; i < places.length; i++) {
    const count = places[i];
    if (count === 0) continue;
    places[i] = start;
    used.push(i);
    starts.push(start);
    start += count;
  }
  starts.push(start);
  if (start !== samples) throw new RangeError(`Cannot encode samples of a series beyond the ${series.length} given`);

  const grouped = { timestamps: new Float64Array(samples), values: new Float64Array(samples) };
  let minTime = Infinity;
  let maxTime = -Infinity;
  for (let j = 0; j < samples; j++) {
    const place = places[seriesOf[j]]++;
    const time = timestamps[j];
    if (!Number.isSafeInteger(time)) throw new RangeError(`Cannot encode a sample: current timestamp is ${time}`);
    grouped.timestamps[place] = time;
    grouped.values[place] = values[j];
    if (time < minTime) minTime = time;
    if (time > maxTime) maxTime = time;
  }
  for (let i = 0; i < used.length; i++) {
    sortByTime(
      grouped.timestamps.subarray(starts[i], starts[i + 1]),
      grouped.values.subarray(starts[i], starts[i + 1]),
    );
  }
  return { used, starts, ...grouped, minTime, maxTime };
}

/** Appends the rollup to `out`, with its sketch, without, or not at all, as it fits in `room` bytes. */
function writeRollup(out: ByteWriter, timestamps: Float64Array, values: Float64Array, room: number): void {
  if (room < MIN_ROLLUP_BYTES) return;
  const rollup = new Rollup(true);
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) return;
    rollup.add(timestamps[i], values[i]);
    if (rollup.sketch !== undefined && rollup.sketch.bins * 2 > room) rollup.sketch = undefined;
  }
  let bytes = rollup.encode();
  if (bytes.length > room) {
    rollup.sketch = undefined;
    bytes = rollup.encode();
  }
  if (bytes.length <= room) out.raw(bytes);
}

function hashColumn(column: Float64Array): number {
  let hash = column.length;
  for (let i = 0; i < column.length; i++) hash = Math.imul(hash ^ (column[i] | 0), 0x01000193);
  return hash;
}

function isEqual(a: Float64Array, b: Float64Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function sliceColumns({ series, seriesOf, timestamps, values }: PointColumns, from: number, to: number): PointColumns {
  const indexes = new Int32Array(series.length).fill(-1);
  const used: Series[] = [];
  const slice = {
    seriesOf: new Uint32Array(to - from),
    timestamps: new Float64Array(to - from),
    values: new Float64Array(to - from),
  };
  for (let j = from; j < to; j++) {
    const of = seriesOf[j];
    if (indexes[of] < 0) indexes[of] = used.push(series[of]) - 1;
    slice.seriesOf[j - from] = indexes[of];
    slice.timestamps[j - from] = timestamps[j];
    slice.values[j - from] = values[j];
  }
  return { series: used, ...slice };
}
