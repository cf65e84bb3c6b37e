/**
 * Writes the fields of protobuf messages into a buffer, one after the other, as protobuf-es would encode them: no
 * message object, no buffer for each message. See https://protobuf.dev/programming-guides/encoding/.
 *
 * @module
 */

/** Up to so many characters, a loop in JavaScript is faster than a call of TextEncoder. */
const LOOP_CHARS = 40;

/** Bytes of the longest varint of 32 bits, and the byte of the tag before it. */
const LENGTH_BYTES = 6;

/** Bytes around key and value of a short map entry: its tag and length, the key's, and the value's. */
const ENTRY_BYTES = 6;

/** Bytes of a new buffer: {@linkcode BATCH_BYTES} of envelope.ts, and room for the message that crosses the line. */
const BUFFER_BYTES = 68 * 1024;

const TWO_TO_32 = 2 ** 32;
const TWO_TO_63 = 2 ** 63;
const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;

const encoder = new TextEncoder();

/**
 * Fields of one message after the other, in a buffer that grows. A tag is the number of the field times 8 plus its wire
 * type, and below 128. A field is written whatever its value: leaving out the default is up to the caller.
 */
export class FieldWriter {
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** What lies before it is nobody's concern any more, and is dropped when the buffer grows. */
  start = 0;
  /** Where the next byte goes. */
  at = 0;
  #view = new DataView(this.bytes.buffer);

  /** Makes room for so many bytes; what was written from `start` on may then lie elsewhere. */
  reserve(bytes: number): void {
    if (this.at + bytes <= this.bytes.length) return;
    const kept = this.bytes.subarray(this.start, this.at);
    const needed = kept.length + bytes;
    // Twice as much as there is, so that a message of many fields is not copied for each.
    this.bytes = new Uint8Array(needed <= BUFFER_BYTES ? BUFFER_BYTES : Math.max(needed, 2 * kept.length));
    this.bytes.set(kept);
    this.#view = new DataView(this.bytes.buffer);
    this.at = kept.length;
    this.start = 0;
  }

  /** A string; a lone surrogate becomes U+FFFD. */
  string(tag: number, value: string): void {
    const length = value.length;
    if (length > LOOP_CHARS) return this.#longString(tag, value);
    this.reserve(2 + LOOP_CHARS);
    const bytes = this.bytes;
    let at = this.at;
    bytes[at++] = tag;
    bytes[at++] = length;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) return this.#longString(tag, value);
      bytes[at++] = code;
    }
    this.at = at;
  }

  /** Bytes, which must not change any more: they need not be copied. */
  data(tag: number, value: Uint8Array<ArrayBuffer>): void {
    this.dataHead(tag, value.length);
    this.reserve(value.length);
    this.bytes.set(value, this.at);
    this.at += value.length;
  }

  /** What goes before bytes. */
  protected dataHead(tag: number, length: number): void {
    this.reserve(LENGTH_BYTES);
    this.#tagAndLength(tag, length);
  }

  bool(tag: number, value: boolean): void {
    this.reserve(2);
    this.bytes[this.at++] = tag;
    this.bytes[this.at++] = value ? 1 : 0;
  }

  /**
   * An int64. A number must be whole.
   *
   * @throws {RangeError} if it does not fit.
   */
  int64(tag: number, value: bigint | number): void {
    if (!(typeof value === "number" ? value >= -TWO_TO_63 && value < TWO_TO_63 : fitsInt64(value))) {
      throw new RangeError(`must fit in 64 bits, not ${value}`);
    }
    this.reserve(11);
    this.bytes[this.at++] = tag;
    if (typeof value === "number") {
      // Both are exact: a division by a power of two, and what it leaves.
      const high = Math.floor(value / TWO_TO_32);
      this.#varint64(value - high * TWO_TO_32, high);
    } else {
      this.#varint64(Number(BigInt.asUintN(32, value)), Number(value >> 32n));
    }
  }

  /** An entry of a map<string, double>. @throws {TypeError} if the value is no number. */
  doubleEntry(tag: number, key: string, value: number): void {
    // null, "" and [] would be 0.
    if (typeof value !== "number") throw notA("number", key, value);
    const length = key.length;
    if (length > LOOP_CHARS) return this.#longDoubleEntry(tag, key, value);
    this.reserve(ENTRY_BYTES + LOOP_CHARS + 8);
    const bytes = this.bytes;
    let at = this.at;
    bytes[at++] = tag;
    bytes[at++] = length + 11;
    bytes[at++] = 0x0a;
    bytes[at++] = length;
    for (let i = 0; i < length; i++) {
      const code = key.charCodeAt(i);
      if (code > 0x7f) return this.#longDoubleEntry(tag, key, value);
      bytes[at++] = code;
    }
    bytes[at++] = 0x11;
    this.#view.setFloat64(at, value, true);
    this.at = at + 8;
  }

  /** An entry of a map<string, string>. @throws {TypeError} if the value is no string. */
  stringEntry(tag: number, key: string, value: string): void {
    if (typeof value !== "string") throw notA("string", key, value);
    const keyLength = key.length;
    const valueLength = value.length;
    if (keyLength > LOOP_CHARS || valueLength > LOOP_CHARS) return this.#longStringEntry(tag, key, value);
    this.reserve(ENTRY_BYTES + 2 * LOOP_CHARS);
    const bytes = this.bytes;
    let at = this.at;
    bytes[at++] = tag;
    bytes[at++] = keyLength + valueLength + 4;
    bytes[at++] = 0x0a;
    bytes[at++] = keyLength;
    for (let i = 0; i < keyLength; i++) {
      const code = key.charCodeAt(i);
      if (code > 0x7f) return this.#longStringEntry(tag, key, value);
      bytes[at++] = code;
    }
    bytes[at++] = 0x12;
    bytes[at++] = valueLength;
    for (let i = 0; i < valueLength; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) return this.#longStringEntry(tag, key, value);
      bytes[at++] = code;
    }
    this.at = at;
  }

  #longDoubleEntry(tag: number, key: string, value: number): void {
    const keyBytes = utf8Length(key);
    this.reserve(2 * LENGTH_BYTES + keyBytes + 9);
    this.#tagAndLength(tag, fieldLength(keyBytes) + 9);
    this.#text(0x0a, key, keyBytes);
    this.bytes[this.at++] = 0x11;
    this.#view.setFloat64(this.at, value, true);
    this.at += 8;
  }

  #longStringEntry(tag: number, key: string, value: string): void {
    const keyBytes = utf8Length(key);
    const valueBytes = utf8Length(value);
    this.reserve(3 * LENGTH_BYTES + keyBytes + valueBytes);
    this.#tagAndLength(tag, fieldLength(keyBytes) + fieldLength(valueBytes));
    this.#text(0x0a, key, keyBytes);
    this.#text(0x12, value, valueBytes);
  }

  #longString(tag: number, value: string): void {
    const length = utf8Length(value);
    this.reserve(LENGTH_BYTES + length);
    this.#text(tag, value, length);
  }

  /** A string of which it is known how many bytes it has; there is room for it. */
  #text(tag: number, value: string, length: number): void {
    this.#tagAndLength(tag, length);
    encoder.encodeInto(value, this.bytes.subarray(this.at, this.at + length));
    this.at += length;
  }

  #tagAndLength(tag: number, length: number): void {
    this.bytes[this.at++] = tag;
    this.#varint32(length);
  }

  #varint32(value: number): void {
    const bytes = this.bytes;
    let at = this.at;
    while (value > 0x7f) {
      bytes[at++] = value | 0x80;
      value >>>= 7;
    }
    bytes[at++] = value;
    this.at = at;
  }

  /** The low 32 bits without a sign, the high ones with it. */
  #varint64(low: number, high: number): void {
    const bytes = this.bytes;
    let at = this.at;
    while (high !== 0 || low > 0x7f) {
      bytes[at++] = low | 0x80;
      low = (low >>> 7 | high << 25) >>> 0;
      high >>>= 7;
    }
    bytes[at++] = low;
    this.at = at;
  }
}

/** A value whose type is not what the caller was told. */
function notA(type: string, key: string, value: unknown): TypeError {
  const is = typeof value === "object" ? JSON.stringify(value) : String(value);
  return new TypeError(`${JSON.stringify(key)} must be a ${type}, not ${is} (${typeof value})`);
}

function fitsInt64(value: bigint): boolean {
  return value >= MIN_INT64 && value <= MAX_INT64;
}

/** Bytes of a string or of bytes as a field. */
function fieldLength(length: number): number {
  let total = length + 2;
  for (let rest = length >>> 7; rest > 0; rest >>>= 7) total++;
  return total;
}

/** Bytes of the text in UTF-8, as TextEncoder writes it. */
function utf8Length(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code <= 0x7f) continue;
    length += code <= 0x7ff ? 1 : 2;
    // Four bytes for two characters, where they are a pair.
    if (code >= 0xd800 && code <= 0xdbff && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) i++;
  }
  return length;
}
