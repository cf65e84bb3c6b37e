/**
 * A rollup: what is known of many samples of a series without having them.
 *
 * ```
 * flags     u8             bit 0: sum, min, max and last are integers; bit 1: a sketch follows
 * count     varint
 * last time signed
 * sum, min, max, last      each signed if integers, else f64
 * sketch                   the rest, if there is one
 * ```
 *
 * @module
 */
import { ByteReader } from "./byte_reader.ts";
import { ByteWriter } from "./byte_writer.ts";
import { Sketch } from "./sketch.ts";
import { DamagedError } from "./value.ts";

const INTEGERS = 1;
const SKETCHED = 2;

/** Count, sum, minimum, maximum and last value of samples; and a quantile sketch, if asked for. */
export class Rollup {
  count = 0;
  sum = 0;
  min = Infinity;
  max = -Infinity;
  /** The value with the greatest timestamp; of several, the one that was added last. NaN without values. */
  last = NaN;
  /** The timestamp of `last`, ms since the epoch. */
  lastTime = 0;
  sketch: Sketch | undefined;

  /** @param withSketch Whether to keep what quantiles need. */
  constructor(withSketch = false) {
    this.sketch = withSketch ? new Sketch() : undefined;
  }

  /** One of which all is known. */
  static of(count: number, sum: number, min: number, max: number, last: number, lastTime: number): Rollup {
    const rollup = new Rollup();
    rollup.count = count;
    rollup.sum = sum;
    rollup.min = min;
    rollup.max = max;
    rollup.last = last;
    rollup.lastTime = lastTime;
    return rollup;
  }

  /** Bytes of memory that what quantiles need takes, about. */
  get bytes(): number {
    return this.sketch?.bytes ?? 0;
  }

  /** Adds a sample; `timestamp` in ms since the epoch. */
  add(timestamp: number, value: number): void {
    if (this.count === 0 || timestamp >= this.lastTime) {
      this.last = value;
      this.lastTime = timestamp;
    }
    this.count++;
    this.sum += value;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
    this.sketch?.add(value);
  }

  /** Adds all samples of `other`, as if after those here. Without a sketch in both there is none afterwards. */
  merge(other: Rollup): void {
    if (other.sketch === undefined) this.sketch = undefined;
    else this.sketch?.merge(other.sketch);
    if (other.count === 0) return;
    if (this.count === 0 || other.lastTime >= this.lastTime) {
      this.last = other.last;
      this.lastTime = other.lastTime;
    }
    this.count += other.count;
    this.sum += other.sum;
    this.min = Math.min(this.min, other.min);
    this.max = Math.max(this.max, other.max);
  }

  /**
   * For each of `quantiles` the value of rank floor(q * (count - 1)) in ascending order, counted from 0: the lowest and the
   * highest exactly, others as Sketch tells them. NaN without values or sketch.
   *
   * @param quantiles From 0 to 1, in any order.
   */
  quantiles(quantiles: readonly number[]): number[] {
    const { sketch, min, max, count } = this;
    if (sketch === undefined || count === 0) return quantiles.map(() => NaN);
    return sketch.quantiles(quantiles).map((value, i) => {
      const rank = Math.floor(quantiles[i] * (count - 1));
      if (rank === 0) return min;
      return rank === count - 1 ? max : Math.min(Math.max(value, min), max);
    });
  }

  encode(): Uint8Array<ArrayBuffer> {
    const out = new ByteWriter(64);
    const numbers = [this.sum, this.min, this.max, this.last];
    const integers = numbers.every((value) => Number.isSafeInteger(value) && !Object.is(value, -0));
    out.u8((integers ? INTEGERS : 0) | (this.sketch === undefined ? 0 : SKETCHED));
    out.varint(this.count);
    out.signed(this.lastTime);
    for (const value of numbers) {
      if (integers) out.signed(value);
      else out.f64(value);
    }
    if (this.sketch !== undefined) out.raw(this.sketch.encode());
    return out.finish();
  }

  /** @throws {DamagedError} If `bytes` is not one whole rollup. */
  static decode(bytes: Uint8Array): Rollup {
    const reader = new ByteReader(bytes);
    const rollup = new Rollup();
    const flags = reader.u8();
    if (flags > (INTEGERS | SKETCHED)) throw new DamagedError(`Cannot decode a rollup: current flags are ${flags}`);
    const number = () => (flags & INTEGERS) === 0 ? reader.f64() : reader.signed();
    rollup.count = reader.varint();
    rollup.lastTime = reader.signed();
    rollup.sum = number();
    rollup.min = number();
    rollup.max = number();
    rollup.last = number();
    if ((flags & SKETCHED) !== 0) rollup.sketch = Sketch.decode(reader.raw(reader.remaining));
    reader.end();
    if (rollup.sketch !== undefined && rollup.sketch.count !== rollup.count) {
      throw new DamagedError(`Cannot decode a rollup of ${rollup.count} with a sketch of ${rollup.sketch.count}`);
    }
    return rollup;
  }
}
