/**
 * Keys of Deno KV in their order: as byte strings (one code unit a byte) that sort like them and are as long as what KV
 * counts for them. The encoding is FoundationDB's tuple layer as denokv uses it
 * (https://github.com/denoland/denokv/blob/main/proto/codec.rs).
 *
 * @module
 */

const BYTES = 0x01, STRING = 0x02, INTEGER_ZERO = 0x14, DOUBLE = 0x21, FALSE = 0x26, TRUE = 0x27;

const encoder = new TextEncoder();

export function encodeKey(key: Deno.KvKey): string {
  let encoded = "";
  for (const part of key) encoded += encodePart(part);
  return encoded;
}

/** Where the keys that begin with `prefix`, and are longer, begin and end. */
export function prefixRange(prefix: Deno.KvKey): [start: string, end: string] {
  const encoded = encodeKey(prefix);
  return [encoded + "\x00", encoded + "\xff"];
}

function encodePart(part: Deno.KvKeyPart): string {
  if (part instanceof Uint8Array) return tagged(BYTES, escaped(part)) + "\0";
  switch (typeof part) {
    case "string":
      return tagged(STRING, escaped(encoder.encode(part))) + "\0";
    case "bigint":
      return encodeBigint(part);
    case "number":
      return tagged(DOUBLE, encodeDouble(part));
    case "boolean":
      return tagged(part ? TRUE : FALSE, "");
    default:
      throw new TypeError(`expected a part of a key, got ${String(part)}`);
  }
}

const tagged = (tag: number, rest: string) => String.fromCharCode(tag) + rest;

function escaped(bytes: Uint8Array): string {
  return text(bytes).replaceAll("\0", "\0\xff");
}

function text(bytes: Uint8Array): string {
  let result = "";
  for (const byte of bytes) result += String.fromCharCode(byte);
  return result;
}

/** Big-endian; a positive number gets its sign bit, of a negative one all bits change. */
function encodeDouble(value: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  view.setBigUint64(0, bits >> 63n ? ~bits : bits | (1n << 63n));
  return text(new Uint8Array(view.buffer));
}

/** The tag tells sign and length; beyond 8 bytes the length follows. Of a negative number all bits change. */
function encodeBigint(value: bigint): string {
  if (value === 0n) return tagged(INTEGER_ZERO, "");
  const digits = (value < 0n ? -value : value).toString(16);
  const bytes = Uint8Array.fromHex(digits.length % 2 ? "0" + digits : digits);
  const body = value < 0n ? bytes.map((byte) => ~byte) : bytes;
  const sign = value < 0n ? -1 : 1;
  if (bytes.length <= 8) return tagged(INTEGER_ZERO + sign * bytes.length, text(body));
  return tagged(INTEGER_ZERO + sign * 9, String.fromCharCode(value < 0n ? ~bytes.length & 0xff : bytes.length)) +
    text(body);
}
