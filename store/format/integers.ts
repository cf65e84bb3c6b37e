/**
 * A column of integers as differences in a bit stream: the timestamp compression of Pelkonen et al., "Gorilla: A Fast,
 * Scalable, In-Memory Time Series Database" (VLDB 2015, section 4.1.1), with its bucket widths fitted to each column.
 *
 * ```
 * (nothing)                if the column is empty
 * first     signed         the first value; that is all of a column of one
 * head      u8             bit 0: order of the differences less one; bit 1: all residuals are 0, nothing follows base
 * base      signed
 * widths    3 x 5 bits     a, b and c, each less one
 * residuals, one for each further value:
 *   0                      0
 *   10    a bits           zigzag
 *   110   b bits           zigzag
 *   1110  c bits           zigzag
 *   1111  64 bits          the value itself (two's complement), where a residual would not fit 32 bits
 * ```
 *
 * A residual is a difference less `base` (order 1), or less the difference before, the first of which is `base` (order
 * 2, the paper's). Order 1 with the mean difference suits jitter and counters better than order 2, which adds up the
 * noise of two differences; order 1 with 0 suits what seldom changes. The encoder counts the bits of each and takes the
 * shortest, with those widths that suit it. The paper's fixed widths are made for seconds; ours see milliseconds and
 * counters.
 *
 * @module
 */
import { BitReader, BitWriter } from "./bits.ts";
import { ByteReader } from "./byte_reader.ts";
import type { ByteWriter } from "./byte_writer.ts";
import { DamagedError } from "./value.ts";

/** Stands for the length of a residual that does not fit 32 bits. */
const ESCAPE = 33;
const LENGTHS = ESCAPE + 1;
const WIDTHS_BITS = 15;

/** How to encode a column, and the bits that its residuals take. `c` is 0 if all residuals are 0. */
interface Plan {
  order: number;
  base: number;
  a: number;
  b: number;
  c: number;
  bits: number;
}

/** Counts of residuals by length in bits, for each way to take differences. Kept, as columns may be many and short. */
const unbased = new Uint32Array(LENGTHS);
const based = new Uint32Array(LENGTHS);
const second = new Uint32Array(LENGTHS);

/** Appends the column to `out`. All values must be safe integers. */
export function writeIntegers(out: ByteWriter, values: Float64Array): void {
  const count = values.length;
  if (count === 0) return;
  out.signed(values[0]);
  if (count === 1) return;
  const plan = makePlan(values);
  out.u8((plan.order - 1) | (plan.c === 0 ? 2 : 0));
  out.signed(plan.base);
  if (plan.c !== 0) writeResiduals(out, values, plan);
}

/**
 * The `count` values of a column.
 *
 * @throws {DamagedError} If `bytes` is not such a column. A few bytes may well stand for very many values, so the
 * caller must have bounded `count`.
 */
export function readIntegers(bytes: Uint8Array, count: number): Float64Array<ArrayBuffer> {
  const reader = new ByteReader(bytes);
  const values = new Float64Array(count);
  if (count > 0) values[0] = reader.signed();
  if (count > 1) {
    const head = reader.u8();
    if (head > 3) throw new DamagedError(`Cannot decode integers: current head is ${head}`);
    const base = reader.signed();
    // Without residuals the differences all equal the base, whatever the order.
    if ((head & 2) !== 0) { for (let i = 1; i < count; i++) values[i] = values[i - 1] + base; }
    else readResiduals(reader.raw(reader.remaining), values, base, (head & 1) + 1);
  }
  reader.end();
  return values;
}

function writeResiduals(out: ByteWriter, values: Float64Array, { order, base, a, b, c }: Plan): void {
  const bits = new BitWriter(out);
  bits.write(((a - 1) << 10) | ((b - 1) << 5) | (c - 1), WIDTHS_BITS);
  let before = values[0];
  let expected = base;
  for (let i = 1; i < values.length; i++) {
    const value = values[i];
    const difference = value - before;
    const residual = difference - expected;
    const length = bitLength(residual, difference);
    if (length === 0) {
      bits.write(0, 1);
    } else if (length <= a) {
      bits.write(0b10, 2);
      bits.write(zigzag(residual), a);
    } else if (length <= b) {
      bits.write(0b110, 3);
      bits.write(zigzag(residual), b);
    } else if (length <= c) {
      bits.write(0b1110, 4);
      bits.write(zigzag(residual), c);
    } else {
      bits.write(0b1111, 4);
      bits.write(Math.floor(value / 2 ** 32) | 0, 32);
      bits.write(value | 0, 32);
    }
    before = value;
    if (order === 2) expected = difference;
  }
  bits.finish();
}

function readResiduals(bytes: Uint8Array, values: Float64Array, base: number, order: number): void {
  const bits = new BitReader(bytes);
  const widths = [0, bits.read(5) + 1, bits.read(5) + 1, bits.read(5) + 1];
  let before = values[0];
  let expected = base;
  for (let i = 1; i < values.length; i++) {
    let prefix = 0;
    while (prefix < 4 && bits.read(1) === 1) prefix++;
    let value: number;
    if (prefix === 4) {
      value = (bits.read(32) | 0) * 2 ** 32;
      value += bits.read(32);
    } else {
      value = before + (expected + (prefix === 0 ? 0 : unzigzag(bits.read(widths[prefix]))));
    }
    values[i] = value;
    if (order === 2) expected = value - before;
    before = value;
  }
  bits.end();
}

/** Counts the residuals' lengths for the three ways to take differences and returns the one that takes fewest bits. */
function makePlan(values: Float64Array): Plan {
  const count = values.length;
  const mean = Math.round((values[count - 1] - values[0]) / (count - 1));
  const base = Number.isSafeInteger(mean) ? mean : 0;
  const first = Number.isSafeInteger(values[1] - values[0]) ? values[1] - values[0] : 0;
  unbased.fill(0);
  based.fill(0);
  second.fill(0);
  let before = values[0];
  let expected = first;
  for (let i = 1; i < count; i++) {
    const value = values[i];
    const difference = value - before;
    unbased[bitLength(difference, difference)]++;
    based[bitLength(difference - base, difference)]++;
    second[bitLength(difference - expected, difference)]++;
    before = value;
    expected = difference;
  }
  const plans = [planWidths(1, 0, unbased), planWidths(1, base, based), planWidths(2, first, second)];
  return plans.reduce((best, plan) => plan.bits < best.bits ? plan : best);
}

/** The widths that suit residuals of these lengths best: each is one of the lengths, for more would be waste. */
function planWidths(order: number, base: number, counts: Uint32Array): Plan {
  const lengths: number[] = [];
  let total = 0;
  for (let length = 1; length < ESCAPE; length++) {
    if (counts[length] === 0) continue;
    lengths.push(length);
    total += counts[length];
  }
  const escapes = counts[ESCAPE];
  if (total === 0 && escapes === 0) return { order, base, a: 0, b: 0, c: 0, bits: 0 };
  const fixed = WIDTHS_BITS + counts[0] + escapes * (4 + 64);
  if (total === 0) return { order, base, a: 1, b: 1, c: 1, bits: fixed };

  const c = lengths[lengths.length - 1];
  let [bestA, bestB, bestBits] = [c, c, Infinity];
  for (let i = 0, inA = 0; i < lengths.length; i++) {
    const a = lengths[i];
    inA += counts[a];
    for (let j = i, inB = 0; j < lengths.length; j++) {
      const b = lengths[j];
      if (j > i) inB += counts[b];
      const bits = inA * (2 + a) + inB * (3 + b) + (total - inA - inB) * (4 + c);
      if (bits < bestBits) [bestA, bestB, bestBits] = [a, b, bits];
    }
  }
  return { order, base, a: bestA, b: bestB, c, bits: fixed + bestBits };
}

/** Bits of a residual in zigzag; 0 of 0, ESCAPE if it does not fit or the difference it comes from is not exact. */
function bitLength(residual: number, difference: number): number {
  const integer = residual | 0;
  if (integer !== residual || difference > Number.MAX_SAFE_INTEGER || difference < -Number.MAX_SAFE_INTEGER) {
    return ESCAPE;
  }
  return 32 - Math.clz32(zigzag(integer));
}

function zigzag(value: number): number {
  return (value << 1) ^ (value >> 31);
}

function unzigzag(value: number): number {
  return (value >>> 1) ^ -(value & 1);
}
