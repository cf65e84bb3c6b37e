import { ConnectionError, ErrorCode } from "../errors.ts";

/** The largest number that HPACK needs here; a longer encoding is refused as RFC 7541 section 5.1 asks. */
const MAX_INTEGER = 0x7fffffff;

/** Reads the numbers and octets of a header block, and fails on a block that ends too early. */
export class BlockCursor {
  constructor(readonly buffer: Uint8Array, public at: number, readonly end: number) {}

  byte(): number {
    if (this.at >= this.end) throw compressionError("the header block is cut short");
    return this.buffer[this.at++];
  }

  /** RFC 7541 section 5.1: an integer whose first bits are the low `prefixBits` of `first`. */
  integer(first: number, prefixBits: number): number {
    const limit = (1 << prefixBits) - 1;
    let value = first & limit;
    if (value < limit) return value;
    for (let shift = 0; shift <= 28; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (value > MAX_INTEGER) break;
      if ((byte & 0x80) === 0) return value;
    }
    throw compressionError("an integer is too large");
  }
}

/** Writes an integer (RFC 7541 section 5.1) with `pattern` above its prefix, and returns the offset behind it. */
export function writeInteger(
  buffer: Uint8Array,
  at: number,
  pattern: number,
  prefixBits: number,
  value: number,
): number {
  const limit = (1 << prefixBits) - 1;
  if (value < limit) {
    buffer[at] = pattern | value;
    return at + 1;
  }
  buffer[at++] = pattern | limit;
  let rest = value - limit;
  while (rest >= 0x80) {
    buffer[at++] = rest & 0x7f | 0x80;
    rest = Math.floor(rest / 128);
  }
  buffer[at++] = rest;
  return at;
}

/** The most bytes `writeInteger` writes for a number of up to 32 bits. */
export const MAX_INTEGER_BYTES = 6;

/** RFC 9113 section 4.3: a decoding error ends the connection, for the tables no longer agree. */
export function compressionError(what: string): ConnectionError {
  return new ConnectionError(ErrorCode.COMPRESSION_ERROR, `Cannot decode a header block: ${what}`);
}
