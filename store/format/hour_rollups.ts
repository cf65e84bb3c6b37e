/**
 * What the samples of series come to, hour by hour: a part of the run of a day, beside its segments of samples. A question
 * about days or weeks reads these instead, if its buckets are made of whole hours.
 *
 * ```
 * series      varint
 * hours       varint         of all series
 * dictionary                 point_dictionary.ts
 * for each series: varint its hours
 * columns, each with one number an hour of a series; each as varint bytes, then the column:
 *   hours       integers.ts    since the epoch
 *   counts, sums, minima, maxima, last values, each as gorilla.ts has values
 *   last times  integers.ts    ms since the hour began
 * ```
 *
 * @module
 */
import { HOUR, MAX_SEGMENT_RAW_BYTES } from "../../limits.ts";
import type { Series } from "../types.ts";
import { ByteReader } from "./byte_reader.ts";
import { ByteWriter } from "./byte_writer.ts";
import { decodeValues, writeValues } from "./gorilla.ts";
import { readIntegers, writeIntegers } from "./integers.ts";
import { type Dictionary, encodeDictionary, readDictionary, writeDictionary } from "./point_dictionary.ts";
import { Rollup } from "./rollup.ts";
import { DamagedError } from "./value.ts";

/** Seven columns of doubles. */
const MAX_HOURS = MAX_SEGMENT_RAW_BYTES / 56;

/** The hours of one series, in any order. */
export interface SeriesHours {
  readonly series: Series;
  /** By the hour since the epoch. */
  readonly hours: ReadonlyMap<number, Rollup>;
}

const VALUES = ["count", "sum", "min", "max", "last"] as const;

/** Sketches are left out. */
export function encodeHourRollups(list: readonly SeriesHours[]): Uint8Array<ArrayBuffer> {
  const rollups = list.flatMap(({ hours }) => [...hours.values()]);
  const out = new ByteWriter(rollups.length * 32);
  out.varint(list.length);
  out.varint(rollups.length);
  writeDictionary(out, encodeDictionary(list.map(({ series }) => series)));
  for (const { hours } of list) out.varint(hours.size);
  const write = (column: Iterable<number>, writeColumn: (out: ByteWriter, values: Float64Array) => void) => {
    const own = new ByteWriter(rollups.length * 8);
    writeColumn(own, Float64Array.from(column));
    out.bytes(own.view());
  };
  const hours = list.flatMap(({ hours }) => [...hours.keys()]);
  write(hours, writeIntegers);
  for (const name of VALUES) write(rollups.map((rollup) => rollup[name]), writeValues);
  write(rollups.map(({ lastTime }, i) => lastTime - hours[i] * HOUR), writeIntegers);
  return out.finish();
}

/** Open rollups of hours. */
export class HourRollups {
  readonly seriesCount: number;
  readonly #dictionary: () => Dictionary;
  /** Where the hours of each series begin, and where the last ones end. */
  readonly #starts: Int32Array;
  readonly #columns: Uint8Array;
  #decoded: Readonly<Record<"hour" | (typeof VALUES)[number] | "lastTime", Float64Array>> | undefined;

  /** @throws {DamagedError} If `bytes` are none. */
  constructor(bytes: Uint8Array) {
    const reader = new ByteReader(bytes);
    this.seriesCount = reader.varint();
    const hours = reader.varint();
    if (hours > MAX_HOURS || this.seriesCount > hours) {
      throw new DamagedError(`Cannot open ${hours} hours of ${this.seriesCount} series`);
    }
    this.#dictionary = readDictionary(reader, this.seriesCount);
    const counts = reader.varints(this.seriesCount, hours + 1);
    this.#starts = new Int32Array(this.seriesCount + 1);
    for (let i = 0; i < counts.length; i++) this.#starts[i + 1] = this.#starts[i] + counts[i];
    if (this.#starts[this.seriesCount] !== hours) {
      throw new DamagedError(`Cannot find ${hours} hours in those of series`);
    }
    this.#columns = reader.raw(reader.remaining);
  }

  /** Series `i`, from 0 to `seriesCount - 1`. May throw a DamagedError. */
  series(i: number): Series {
    return this.#dictionary().series(i);
  }

  /** The hours of series `i`, each by when it begins, ms since the epoch. May throw a DamagedError. */
  *rollups(i: number): Generator<readonly [start: number, rollup: Rollup]> {
    const { hour, count, sum, min, max, last, lastTime } = this.#decoded ??= this.#decode();
    for (let at = this.#starts[i]; at < this.#starts[i + 1]; at++) {
      const start = hour[at] * HOUR;
      yield [start, Rollup.of(count[at], sum[at], min[at], max[at], last[at], start + lastTime[at])];
    }
  }

  #decode() {
    const reader = new ByteReader(this.#columns);
    const hours = this.#starts[this.seriesCount];
    const [hour, count, sum, min, max, last, lastTime] = ["hour", ...VALUES, "lastTime"].map((name) =>
      (name === "hour" || name === "lastTime" ? readIntegers : decodeValues)(reader.bytes(), hours)
    );
    reader.end();
    return { hour, count, sum, min, max, last, lastTime };
  }
}
