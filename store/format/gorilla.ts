/**
 * Columns of timestamps and of values, after Pelkonen et al., "Gorilla: A Fast, Scalable, In-Memory Time Series
 * Database" (VLDB 2015, section 4.1).
 *
 * A column of timestamps is a column of integers (integers.ts: delta of delta). A column of values begins with its
 * mode:
 *
 * ```
 * 0          8 bytes a value (little-endian), where XOR would take more
 * 1          XOR: 64 bits of the first value, then for each further one its XOR with the one before:
 *              0                                            no difference
 *              10  <the bits within the window>             the difference lies within the last window
 *              11  <leading: 6> <length - 1: 6> <the bits>  a new window of so many leading zeros and so many bits
 * 2 + d      integers: each value times 10^d, as integers.ts has them; d from 0 to 9
 * ```
 *
 * What we do other than the paper: counters and most gauges are integers, or decimals of a few digits, whose doubles
 * have ragged mantissas; as integers they take less (a percentage with one digit 1.6 bytes for 6.7, a slow counter 0.5
 * for 1.3), and the encoder proves for every value that dividing gives it back. Leading zeros have 6 bits, not 5. A
 * window that fits is left for a narrower one when that pays for itself at once. All doubles come back bit for bit, but
 * that a NaN may lose its payload where the caller's array lost it before.
 *
 * Bits of doubles are taken through a Uint32Array, low word first, as on every machine that Deno runs on.
 *
 * @module
 */
import { BitReader, BitWriter } from "./bits.ts";
import { ByteWriter } from "./byte_writer.ts";
import { readIntegers, writeIntegers } from "./integers.ts";
import { DamagedError } from "./value.ts";

const MODE_RAW = 0;
const MODE_XOR = 1;
const MODE_DECIMAL = 2;
const MAX_DIGITS = 9;
const POWERS = Array.from({ length: MAX_DIGITS + 1 }, (_, digits) => 10 ** digits);
/** A new window costs 12 bits more than the old one; one more to come back is not counted. */
const NEW_WINDOW_BITS = 12;

/** A column of timestamps, or any safe integers, in any order. */
export function encodeTimestamps(timestamps: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter(64);
  writeIntegers(out, toFloat64(timestamps));
  return out.finish();
}

/**
 * The `count` timestamps of a column. A column of a few bytes may have any number of them, so the caller bounds
 * `count`.
 *
 * @throws {DamagedError} If `bytes` is not a column of `count` timestamps.
 */
export function decodeTimestamps(bytes: Uint8Array, count: number): Float64Array<ArrayBuffer> {
  return readIntegers(bytes, count);
}

/** A column of values: any doubles. */
export function encodeValues(values: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter(64);
  writeValues(out, toFloat64(values));
  return out.finish();
}

/** Appends a column of values to `out`; nothing if it is empty. */
export function writeValues(out: ByteWriter, values: Float64Array): void {
  if (values.length === 0) return;
  if (writeDecimals(out, values)) return;
  const start = out.length;
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
  out.u8(MODE_XOR);
  writeXor(out, words);
  if (out.length - start <= 1 + values.byteLength) return;
  out.truncate(start);
  out.u8(MODE_RAW);
  out.raw(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

/**
 * The `count` values of a column. As with timestamps, the caller bounds `count`.
 *
 * @throws {DamagedError} If `bytes` is not a column of `count` values.
 */
export function decodeValues(bytes: Uint8Array, count: number): Float64Array<ArrayBuffer> {
  const mode = bytes[0];
  const body = bytes.subarray(1);
  if (count === 0 && bytes.length === 0) return new Float64Array(0);
  if (count === 0 || mode === undefined || mode > MODE_DECIMAL + MAX_DIGITS) {
    throw new DamagedError(`Cannot decode ${count} values from ${bytes.length} bytes: current mode is ${mode}`);
  }
  if (mode === MODE_RAW) return readRaw(body, count);
  if (mode === MODE_XOR) return readXor(body, count);
  const values = readIntegers(body, count);
  const power = POWERS[mode - MODE_DECIMAL];
  if (power !== 1) { for (let i = 0; i < count; i++) values[i] /= power; }
  return values;
}

/** Writes the values as scaled integers and returns true, if that keeps each; else leaves no trace. */
function writeDecimals(out: ByteWriter, values: Float64Array): boolean {
  const digits = decimalDigits(values);
  if (digits < 0) return false;
  out.u8(MODE_DECIMAL + digits);
  if (digits === 0) {
    writeIntegers(out, values);
    return true;
  }
  const power = POWERS[digits];
  const scaled = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) scaled[i] = Math.round(values[i] * power);
  writeIntegers(out, scaled);
  return true;
}

/** How many decimal digits all values get by with; -1 if they do not, or one is -0, NaN or infinite. */
function decimalDigits(values: Float64Array): number {
  let digits = 0;
  let checked = 0;
  // When a value needs more digits, the ones before it are checked again with as many.
  for (let i = 0; checked < values.length; i = i + 1 === values.length ? 0 : i + 1) {
    if (isDecimal(values[i], POWERS[digits])) {
      checked++;
    } else {
      if (++digits > MAX_DIGITS) return -1;
      checked = 0;
      i--;
    }
  }
  return digits;
}

function isDecimal(value: number, power: number): boolean {
  const scaled = Math.round(value * power);
  return scaled / power === value && scaled <= Number.MAX_SAFE_INTEGER && scaled >= -Number.MAX_SAFE_INTEGER &&
    (value !== 0 || 1 / value > 0);
}

function writeXor(out: ByteWriter, words: Uint32Array): void {
  const bits = new BitWriter(out);
  let beforeLow = words[0];
  let beforeHigh = words[1];
  bits.write(beforeHigh, 32);
  bits.write(beforeLow, 32);
  let leading = 0;
  let trailing = 0;
  let length = 0;
  for (let i = 2; i < words.length; i += 2) {
    const low = words[i] ^ beforeLow;
    const high = words[i + 1] ^ beforeHigh;
    beforeLow = words[i];
    beforeHigh = words[i + 1];
    if ((low | high) === 0) {
      bits.write(0, 1);
      continue;
    }
    const zerosBefore = high !== 0 ? Math.clz32(high) : 32 + Math.clz32(low);
    const zerosAfter = low !== 0 ? trailingZeros(low) : 32 + trailingZeros(high);
    const needed = 64 - zerosBefore - zerosAfter;
    const fits = length > 0 && zerosBefore >= leading && zerosAfter >= trailing;
    if (fits && length - needed <= NEW_WINDOW_BITS) {
      bits.write(0b10, 2);
    } else {
      leading = zerosBefore;
      trailing = zerosAfter;
      length = needed;
      bits.write((0b11 << 12) | (leading << 6) | (length - 1), 14);
    }
    writeWindow(bits, high, low, trailing, length);
  }
  bits.finish();
}

/** Writes the `length` bits of a 64-bit word that stand before its `trailing` last ones. */
function writeWindow(bits: BitWriter, high: number, low: number, trailing: number, length: number): void {
  if (trailing >= 32) {
    bits.write(high >>> (trailing - 32), length);
    return;
  }
  const shifted = trailing === 0 ? low : (low >>> trailing) | (high << (32 - trailing));
  if (length > 32) {
    bits.write(high >>> trailing, length - 32);
    bits.write(shifted, 32);
  } else {
    bits.write(shifted, length);
  }
}

function readXor(bytes: Uint8Array, count: number): Float64Array<ArrayBuffer> {
  // Each value takes a bit at least, so a claim of more is known before anything is allocated by it.
  if (count > bytes.length * 8) throw new DamagedError(`Cannot decode ${count} values from ${bytes.length} bytes`);
  const bits = new BitReader(bytes);
  const values = new Float64Array(count);
  const words = new Uint32Array(values.buffer);
  let high = bits.read(32);
  let low = bits.read(32);
  let trailing = 0;
  let length = 0;
  words[0] = low;
  words[1] = high;
  for (let i = 2; i < words.length; i += 2) {
    if (bits.read(1) === 1) {
      if (bits.read(1) === 1) {
        const window = bits.read(12);
        length = (window & 63) + 1;
        trailing = 64 - (window >>> 6) - length;
      }
      if (length === 0 || trailing < 0) throw new DamagedError("Cannot decode a value as it has no window");
      if (trailing >= 32) {
        high ^= bits.read(length) << (trailing - 32);
      } else {
        const upper = length > 32 ? bits.read(length - 32) : 0;
        const lower = bits.read(Math.min(length, 32));
        low ^= lower << trailing;
        high ^= trailing === 0 ? upper : (upper << trailing) | (lower >>> (32 - trailing));
      }
    }
    words[i] = low;
    words[i + 1] = high;
  }
  bits.end();
  return values;
}

function readRaw(bytes: Uint8Array, count: number): Float64Array<ArrayBuffer> {
  if (bytes.length !== count * 8) throw new DamagedError(`Cannot decode ${count} values from ${bytes.length} bytes`);
  const values = new Float64Array(count);
  new Uint8Array(values.buffer).set(bytes);
  return values;
}

function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word);
}

function toFloat64(values: ArrayLike<number>): Float64Array {
  return values instanceof Float64Array ? values : Float64Array.from(values);
}
