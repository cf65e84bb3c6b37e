/**
 * Bit streams: the highest bit of a byte comes first; the last byte is filled up with zeros.
 *
 * Bits gather in a 32-bit word, so that writing or reading a value touches memory once in 32 bits.
 *
 * @module
 */
import type { ByteWriter } from "./byte_writer.ts";
import { DamagedError } from "./value.ts";

/** Appends bits to a ByteWriter. Nothing else may write to it until `finish()`. */
export class BitWriter {
  readonly #out: ByteWriter;
  #word = 0;
  /** Bits of the word that are not yet taken, 1 to 32. */
  #free = 32;

  constructor(out: ByteWriter) {
    this.#out = out;
  }

  /** The lowest `bits` (1 to 32) of `value`, the rest of which must be zero. */
  write(value: number, bits: number): void {
    const free = this.#free;
    if (bits < free) {
      this.#word |= value << (free - bits);
      this.#free = free - bits;
      return;
    }
    const over = bits - free;
    this.#out.u32((this.#word | (value >>> over)) >>> 0);
    this.#free = 32 - over;
    this.#word = over === 0 ? 0 : value << (32 - over);
  }

  /** Writes the last bytes. */
  finish(): void {
    for (let used = 32 - this.#free; used > 0; used -= 8) {
      this.#out.u8(this.#word >>> 24);
      this.#word <<= 8;
    }
    this.#word = 0;
    this.#free = 32;
  }
}

/** Reads what a BitWriter wrote. Only `end()` knows whether the stream was as long as what was read from it. */
export class BitReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #word = 0;
  /** Bits of the word that are not yet read, 0 to 32. */
  #left = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /**
   * The next `bits` (1 to 32), as a number from 0 to 2^32 - 1.
   *
   * @throws {DamagedError} If the stream ended before the word they are in.
   */
  read(bits: number): number {
    const left = this.#left;
    if (bits <= left) {
      this.#left = left - bits;
      return (this.#word << (32 - left)) >>> (32 - bits);
    }
    const need = bits - left;
    const high = left === 0 || need === 32 ? 0 : ((this.#word << (32 - left)) >>> (32 - left)) << need;
    this.#word = this.#next();
    this.#left = 32 - need;
    return (high | (this.#word >>> (32 - need))) >>> 0;
  }

  /** @throws {DamagedError} If more was read than there is, or whole bytes remain. */
  end(): void {
    const spare = (this.#bytes.length - this.#at) * 8 + this.#left;
    if (spare < 0 || spare >= 8) throw new DamagedError(`Cannot end a bit stream: ${spare} bits remain`);
  }

  /** The next word. Beyond the end it is filled up with zeros, which `end()` finds out. */
  #next(): number {
    const bytes = this.#bytes;
    const at = this.#at;
    if (at >= bytes.length) throw new DamagedError(`Cannot read bits beyond ${bytes.length} bytes`);
    this.#at = at + 4;
    return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
  }
}
