/**
 * Reads the segments that point_segment.ts writes; the layout is described there. Each part is decoded only when it is
 * asked for: the header tells whether a segment can matter, the dictionary which series it has, the directory where
 * they are.
 *
 * @module
 */
import { MAX_SEGMENT_RAW_BYTES } from "../../limits.ts";
import type { Series } from "../types.ts";
import { ByteReader } from "./byte_reader.ts";
import { decodeTimestamps, decodeValues } from "./gorilla.ts";
import { readDictionary } from "./point_dictionary.ts";
import { Rollup } from "./rollup.ts";
import { DamagedError } from "./value.ts";

/** Samples of a segment: unpacked, each is two doubles. A column of a few bytes could claim any number. */
export const MAX_SEGMENT_SAMPLES = MAX_SEGMENT_RAW_BYTES / 16;

/** An open segment. Parts are decoded late, so each method may throw a DamagedError. */
export interface PointSegment {
  /** ms since the epoch, of the earliest and of the latest sample. */
  readonly minTime: number;
  readonly maxTime: number;
  readonly samples: number;
  readonly seriesCount: number;
  /** Series `i`, from 0 to `seriesCount - 1`. */
  series(i: number): Series;
  /** What the samples of series `i` come to, where that is stored; with or without a sketch. */
  rollup(i: number): Rollup | undefined;
  /** The samples of series `i` by time; of equal times, in order of arrival. Not to be changed: series share times. */
  columns(i: number): { readonly timestamps: Float64Array; readonly values: Float64Array };
}

/**
 * Opens a segment. Only its header is read.
 *
 * @throws {DamagedError} If the header is not that of a segment.
 */
export function openPointSegment(bytes: Uint8Array): PointSegment {
  const reader = new ByteReader(bytes);
  const minTime = reader.signed();
  const maxTime = minTime + reader.varint();
  const samples = reader.varint();
  const seriesCount = reader.varint();
  const dictionary = readDictionary(reader, seriesCount);
  const body = reader.raw(reader.remaining);
  if (samples > MAX_SEGMENT_SAMPLES || seriesCount > samples || seriesCount === 0) {
    throw new DamagedError(`Cannot open a segment of ${samples} samples in ${seriesCount} series`);
  }

  let directory: Directory | undefined;
  const openDirectory = () => new Directory(body, seriesCount, samples);
  const check = (i: number) => {
    if (!(i >= 0 && i < seriesCount)) throw new RangeError(`Cannot read a series as there are ${seriesCount}: ${i}`);
  };
  return {
    minTime,
    maxTime,
    samples,
    seriesCount,
    series(i) {
      check(i);
      return dictionary().series(i);
    },
    rollup(i) {
      check(i);
      directory ??= openDirectory();
      return directory.rollup(i);
    },
    columns(i) {
      check(i);
      directory ??= openDirectory();
      return directory.columns(i);
    },
  };
}

/** Finds the columns and rollups in what follows the dictionary. */
class Directory {
  readonly #bytes: Uint8Array;
  /** Timestamps in each of the columns of timestamps; those that are decoded. */
  readonly #counts: Float64Array;
  readonly #times: (Float64Array | undefined)[];
  /** For each series its column of timestamps. */
  readonly #timeOf: Uint32Array;
  /** Where the parts start, and at the end of each list where its last part ends. */
  readonly #timeStarts: Float64Array;
  readonly #valueStarts: Float64Array;
  readonly #rollupStarts: Float64Array;

  constructor(bytes: Uint8Array, series: number, samples: number) {
    const reader = new ByteReader(bytes);
    const columns = reader.count(2);
    const counts = new Float64Array(columns);
    const timeStarts = new Float64Array(columns + 1);
    for (let i = 0; i < columns; i++) {
      counts[i] = reader.varint();
      timeStarts[i + 1] = timeStarts[i] + reader.varint();
    }
    if (series * 3 > reader.remaining) throw new DamagedError(`Cannot read a directory of ${series} series`);
    const timeOf = new Uint32Array(series);
    const valueStarts = new Float64Array(series + 1);
    const rollupStarts = new Float64Array(series + 1);
    let found = 0;
    for (let i = 0; i < series; i++) {
      const column = reader.varint();
      if (column >= columns) throw new DamagedError(`Cannot use column ${column} of ${columns} columns of timestamps`);
      found += counts[column];
      timeOf[i] = column;
      valueStarts[i + 1] = valueStarts[i] + reader.varint();
      rollupStarts[i + 1] = rollupStarts[i] + reader.varint();
    }
    if (found !== samples) throw new DamagedError(`Cannot find ${samples} samples: series have ${found}`);
    // Lengths add up in doubles: what damage makes of them is far from any that is right, so the sum finds it.
    if (timeStarts[columns] + valueStarts[series] + rollupStarts[series] !== reader.remaining) {
      throw new DamagedError(`Cannot find the columns in ${reader.remaining} bytes`);
    }
    this.#bytes = reader.raw(reader.remaining);
    this.#counts = counts;
    this.#times = new Array(columns);
    this.#timeOf = timeOf;
    this.#timeStarts = timeStarts;
    this.#valueStarts = valueStarts.map((start) => start + timeStarts[columns]);
    this.#rollupStarts = rollupStarts.map((start) => start + this.#valueStarts[series]);
  }

  columns(i: number): { timestamps: Float64Array; values: Float64Array } {
    const time = this.#timeOf[i];
    const timestamps = this.#times[time] ??= decodeTimestamps(this.#part(this.#timeStarts, time), this.#counts[time]);
    return { timestamps, values: decodeValues(this.#part(this.#valueStarts, i), timestamps.length) };
  }

  rollup(i: number): Rollup | undefined {
    const bytes = this.#part(this.#rollupStarts, i);
    return bytes.length === 0 ? undefined : Rollup.decode(bytes);
  }

  #part(starts: Float64Array, i: number): Uint8Array {
    return this.#bytes.subarray(starts[i], starts[i + 1]);
  }
}
