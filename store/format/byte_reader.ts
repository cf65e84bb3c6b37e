/**
 * Reads the primitive values that byte_writer.ts writes.
 *
 * @module
 */
import { DamagedError } from "./value.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Up to this length a loop over bytes beats a call of TextDecoder. */
const SHORT_STRING = 24;

/**
 * Reads what a ByteWriter wrote. Every method throws a DamagedError where the bytes end too early or hold what no
 * writer writes, and none allocates more than the bytes that are there.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes not yet read. */
  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#bytes[this.#take(1)];
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  varint(): number {
    const byte = this.u8();
    return byte < 0x80 ? byte : this.#rest(byte & 0x7f, 128);
  }

  /** So many varints, each less than `limit`, which is at most 2^31. */
  varints(count: number, limit: number): Int32Array {
    if (count > this.remaining) throw new DamagedError(`Cannot read ${count} varints of ${this.remaining} bytes`);
    const values = new Int32Array(count);
    const bytes = this.#bytes;
    for (let i = 0; i < count; i++) {
      // Most have one byte: a loop of its own, as these are most of what segments of logs are decoded for.
      const byte = bytes[this.#at];
      const value = byte < 0x80 ? (this.#at++, byte) : this.varint();
      if (value >= limit) throw new DamagedError(`Cannot use ${value} as it is not below ${limit}`);
      values[i] = value;
    }
    return values;
  }

  signed(): number {
    const first = this.u8();
    const low = (first & 0x7f) >> 1;
    const magnitude = first < 0x80 ? low : this.#rest(low, 64);
    return (first & 1) === 0 ? magnitude : -magnitude;
  }

  /**
   * A varint that says how many items follow, each of which takes at least `itemBytes` bytes.
   *
   * @throws {DamagedError} If so many cannot follow; so a caller may allocate by it.
   */
  count(itemBytes = 1): number {
    const count = this.varint();
    if (count * itemBytes > this.remaining) {
      throw new DamagedError(`Cannot read ${count} items of ${itemBytes} bytes as ${this.remaining} bytes remain`);
    }
    return count;
  }

  /** The next `length` bytes: a view, not a copy. */
  raw(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  bytes(): Uint8Array {
    return this.raw(this.varint());
  }

  string(): string {
    const bytes = this.bytes();
    return (bytes.length <= SHORT_STRING ? asciiText(bytes) : undefined) ?? decodeUtf8(bytes);
  }

  /** @throws {DamagedError} If there are bytes left: what was read is not what was written. */
  end(): void {
    if (this.remaining !== 0) throw new DamagedError(`Cannot end reading as ${this.remaining} bytes remain`);
  }

  /** The further bytes of a varint that began with `value`; `scale` is the weight of the next one. */
  #rest(value: number, scale: number): number {
    let byte: number;
    do {
      byte = this.u8();
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (value > Number.MAX_SAFE_INTEGER || scale > 2 ** 63) throw new DamagedError("Cannot read a varint above 2^53");
    } while (byte >= 0x80);
    return value;
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.length - at) {
      throw new DamagedError(`Cannot read ${count} bytes as ${this.#bytes.length - at} remain`);
    }
    this.#at = at + count;
    return at;
  }
}

/**
 * Text from UTF-8; a byte order mark is kept as a character.
 *
 * @throws {DamagedError} If the bytes are no UTF-8.
 */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new DamagedError("Cannot read a text as it is no UTF-8", { cause });
  }
}

/** Undefined if it is not all ASCII. */
function asciiText(bytes: Uint8Array): string | undefined {
  let text = "";
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] > 0x7f) return undefined;
    text += String.fromCharCode(bytes[i]);
  }
  return text;
}
