/**
 * A quantile sketch: Masson, Rim and Lee, "DDSketch: A Fast and Fully-Mergeable Quantile Sketch with Relative-Error
 * Guarantees" (VLDB 2019).
 *
 * A positive value falls into bin i = ceil(log_g(value)), with g = (1 + e) / (1 - e) and e = SKETCH_ERROR; the bin
 * stands for 2 g^i / (g + 1), which is within e of all values in it. Negative values have such bins of their own, and
 * zero has one (with all that is nearer to it than the smallest normal double, where relative error means nothing).
 * Here bins have one key: i + OFFSET for positive, its negative for negative values, 0 for zero; so keys have the order
 * of the values.
 *
 * Of more than MAX_SKETCH_BINS bins the lowest are merged into the next. Which bins are left then, and what is in them,
 * depends only on the values and not on their order; so the merge of sketches of parts equals the sketch of the whole.
 *
 * ```
 * bins      varint
 * key       signed         of the first bin
 * for each bin: varint count; and before it for each but the first, varint key less the key before less 1
 * ```
 *
 * @module
 */
import { MAX_SKETCH_BINS, SKETCH_ERROR } from "../../limits.ts";
import { ByteReader } from "./byte_reader.ts";
import { ByteWriter } from "./byte_writer.ts";
import { DamagedError } from "./value.ts";

const GAMMA = (1 + SKETCH_ERROR) / (1 - SKETCH_ERROR);
const LOG_GAMMA = Math.log(GAMMA);
const BINS_PER_LOG = 1 / LOG_GAMMA;
/** The logarithm of a bin's value is its index times LOG_GAMMA plus this. */
const LOG_MIDDLE = Math.log(2 / (GAMMA + 1));
const MIN_VALUE = 2 ** -1022;
/** Indexes run from -(OFFSET - 1) to OFFSET - 1, so that keys of positive values are positive. */
const OFFSET = Math.ceil(1022 * Math.LN2 * BINS_PER_LOG) + 100;
const MAX_KEY = 2 * OFFSET;
/** What a sketch takes in V8, and each bin in a Map, which has room for up to twice as many. */
const EMPTY_BYTES = 350;
const BIN_BYTES = 40;

/** Counts of values by their logarithm, from which quantiles are told within a relative error of SKETCH_ERROR. */
export class Sketch {
  #bins = new Map<number, number>();
  #count = 0;

  /** How many values there are. */
  get count(): number {
    return this.#count;
  }

  /** How many bins there are at present; encoded, each takes two bytes or more. */
  get bins(): number {
    return this.#bins.size;
  }

  /** Bytes of memory that it takes, about. */
  get bytes(): number {
    return EMPTY_BYTES + this.#bins.size * BIN_BYTES;
  }

  /** @throws {RangeError} If `value` is not finite. */
  add(value: number): void {
    if (value - value !== 0) throw new RangeError(`Cannot add to a sketch: current value is ${value}`);
    this.#add(binKey(value), 1);
  }

  /** Adds all values of `other`. */
  merge(other: Sketch): void {
    for (const [key, count] of other.#bins) this.#add(key, count);
  }

  /**
   * For each of `quantiles` the value of rank floor(q * (count - 1)) in ascending order, counted from 0, within a relative
   * error of SKETCH_ERROR; NaN if there are no values. The bound does not hold for values in bins that were merged for want
   * of room.
   *
   * @param quantiles From 0 to 1, in any order.
   */
  quantiles(quantiles: readonly number[]): number[] {
    const ranks = quantiles.map((q) => Math.floor(q * (this.#count - 1)));
    const ascending = Array.from(ranks.keys()).sort((a, b) => ranks[a] - ranks[b]);
    const values = new Array<number>(ranks.length).fill(NaN);
    let below = 0, found = 0;
    for (const key of this.#sortedKeys()) {
      below += this.#bins.get(key)!;
      for (; found < ranks.length && ranks[ascending[found]] < below; found++) values[ascending[found]] = binValue(key);
      if (found === ranks.length) break;
    }
    return values;
  }

  encode(): Uint8Array<ArrayBuffer> {
    const keys = this.#sortedKeys();
    const out = new ByteWriter(16 + keys.length * 3);
    out.varint(keys.length);
    let before: number | undefined;
    for (const key of keys) {
      if (before === undefined) out.signed(key);
      else out.varint(key - before - 1);
      out.varint(this.#bins.get(key)!);
      before = key;
    }
    return out.finish();
  }

  /** @throws {DamagedError} If `bytes` is not one whole sketch. */
  static decode(bytes: Uint8Array): Sketch {
    const reader = new ByteReader(bytes);
    const sketch = new Sketch();
    const bins = reader.count(2);
    if (bins > MAX_SKETCH_BINS) throw new DamagedError(`Cannot decode a sketch of ${bins} bins`);
    let key = 0;
    for (let i = 0; i < bins; i++) {
      key = i === 0 ? reader.signed() : key + reader.varint() + 1;
      const count = reader.varint();
      if (count === 0 || Math.abs(key) > MAX_KEY) throw new DamagedError(`Cannot decode a bin: ${count} of key ${key}`);
      sketch.#bins.set(key, count);
      sketch.#count += count;
    }
    reader.end();
    return sketch;
  }

  #add(key: number, count: number): void {
    const before = this.#bins.get(key);
    this.#bins.set(key, before === undefined ? count : before + count);
    this.#count += count;
    if (before === undefined && this.#bins.size >= 2 * MAX_SKETCH_BINS) this.#collapse();
  }

  /** Merges the lowest bins. Called only at twice the number that may stay, so that it costs little for each value. */
  #collapse(): void {
    if (this.#bins.size <= MAX_SKETCH_BINS) return;
    const keys = Int32Array.from(this.#bins.keys()).sort();
    const excess = keys.length - MAX_SKETCH_BINS;
    let merged = 0;
    for (let i = 0; i <= excess; i++) {
      merged += this.#bins.get(keys[i]) ?? 0;
      this.#bins.delete(keys[i]);
    }
    this.#bins.set(keys[excess], merged);
  }

  #sortedKeys(): Int32Array {
    this.#collapse();
    return new Int32Array([...this.#bins.keys()]).sort();
  }
}

function binKey(value: number): number {
  const magnitude = value < 0 ? -value : value;
  if (magnitude < MIN_VALUE) return 0;
  const key = Math.ceil(Math.log(magnitude) * BINS_PER_LOG) + OFFSET;
  return value < 0 ? -key : key;
}

function binValue(key: number): number {
  if (key === 0) return 0;
  const index = Math.abs(key) - OFFSET;
  const value = Math.min(Math.exp(index * LOG_GAMMA + LOG_MIDDLE), Number.MAX_VALUE);
  return key < 0 ? -value : value;
}
