/**
 * Writes the primitive values that the formats are made of; byte_reader.ts reads them.
 *
 * ```
 * u8, u32   u32 is big-endian
 * f64       IEEE 754 double, little-endian
 * varint    LEB128: seven bits a byte, the lowest first; 0 to 2^53 - 1
 * signed    like varint, but the first byte holds the sign (bit 0, 1 is negative) and six bits: -(2^53 - 1) to 2^53 - 1
 * bytes     varint length, then so many bytes
 * string    as bytes, in UTF-8
 * ```
 *
 * The signed form is zigzag without its doubling, which would leave the integers that a double holds exactly.
 *
 * @module
 */
const encoder = new TextEncoder();

/** Up to this length a loop over char codes beats a call of TextEncoder. */
const SHORT_STRING = 24;

/** A buffer that grows with what is written to it. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView<ArrayBuffer>;
  #length = 0;

  /** @param capacity Bytes to begin with. */
  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value);
    this.#length += 4;
  }

  f64(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  /** @throws {RangeError} If `value` is no whole number from 0 to 2^53 - 1. */
  varint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`Cannot write a varint: current value is ${value}`);
    }
    this.#reserve(8);
    this.#varint(value);
  }

  /** Each of `values`, of which none is negative, as a varint. */
  varints(values: Int32Array): void {
    this.#reserve(values.length * 5);
    for (const value of values) {
      if (value < 0x80) this.#bytes[this.#length++] = value;
      else this.#varint(value);
    }
  }

  /** @throws {RangeError} If `value` is no whole number between -(2^53) and 2^53. */
  signed(value: number): void {
    if (!Number.isSafeInteger(value)) throw new RangeError(`Cannot write a signed varint: current value is ${value}`);
    this.#reserve(9);
    const magnitude = Math.abs(value);
    const first = (magnitude % 64) * 2 + (value < 0 ? 1 : 0);
    const rest = Math.floor(magnitude / 64);
    this.#bytes[this.#length++] = rest === 0 ? first : first | 0x80;
    if (rest !== 0) this.#varint(rest);
  }

  /** Bytes as they are, without their length. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  bytes(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.raw(bytes);
  }

  /** A lone surrogate becomes U+FFFD, as in every encoder of UTF-8. */
  string(text: string): void {
    if (text.length <= SHORT_STRING && this.#shortAscii(text)) return;
    // The text may take three bytes a char code. Its length stands before it, so leave room for as long a length as
    // that might need and close the gap if it was too much.
    const most = text.length * 3;
    const room = varintLength(most);
    this.#reserve(room + most);
    const start = this.#length + room;
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(start, start + most));
    const gap = room - varintLength(written);
    if (gap > 0) this.#bytes.copyWithin(start - gap, start, start + written);
    this.#varint(written);
    this.#length += written;
  }

  /** A text in UTF-8 without its length: for the last thing in a buffer, or one whose length is known otherwise. */
  text(text: string): void {
    // Mostly a byte for each char code is enough, and room for three would be much memory for a long text.
    for (let at = 0, perUnit = 1; at < text.length; perUnit = 3) {
      this.#reserve((text.length - at) * perUnit);
      const { read, written } = encoder.encodeInto(
        at === 0 ? text : text.slice(at),
        this.#bytes.subarray(this.#length),
      );
      at += read;
      this.#length += written;
    }
  }

  /** Forgets what was written beyond the first `length` bytes. */
  truncate(length: number): void {
    if (length < this.#length) this.#length = length;
  }

  /** What was written, without a copy: valid until the next write. */
  view(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** A copy of what was written, of just its size. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }

  /** Writes `text` and returns true if it is ASCII; else leaves no trace. */
  #shortAscii(text: string): boolean {
    this.#reserve(SHORT_STRING + 1);
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = text.length;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return false;
      bytes[at++] = code;
    }
    this.#length = at;
    return true;
  }

  #varint(value: number): void {
    const bytes = this.#bytes;
    let at = this.#length;
    while (value > 0x7fffffff) {
      bytes[at++] = (value % 128) | 0x80;
      value = Math.floor(value / 128);
    }
    while (value > 0x7f) {
      bytes[at++] = (value & 0x7f) | 0x80;
      value >>>= 7;
    }
    bytes[at++] = value;
    this.#length = at;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** Bytes that `value` takes as a varint. */
export function varintLength(value: number): number {
  let length = 1;
  for (; value > 127; value = Math.floor(value / 128)) length++;
  return length;
}
