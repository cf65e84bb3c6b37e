/**
 * The envelope of every value in KV.
 *
 * ```
 * 0        format   u8       which kind of value this is, and which version of it
 * 1        expires  u48 BE   ms since the epoch; 0 is never
 * 7        crc      u32 BE   CRC-32 of all other bytes, in order
 * 11       payload
 * ```
 *
 * `expires` stands outside the payload so that housekeeping and every read can test it without knowing the format. The
 * checksum finds damage before a decoder sees it; decoders must be safe all the same, for bytes may be hostile.
 *
 * @module
 */
import { crc32 } from "node:zlib";

/** Stored bytes are not what they should be: cut, changed, or not ours. */
export class DamagedError extends Error {
  override readonly name = "DamagedError";
}

/**
 * The format byte of each kind of value in its current version. Kinds do not share numbers, so a value under the wrong
 * key is noticed; a new version of a kind takes the next number that is free within its ten.
 */
export const FORMAT = {
  schema: 1,
  blob: 10,
  file: 20,
  blocks: 31,
  piece: 40,
  series: 50,
  pointSegment: 60,
  logSegment: 70,
  logIndex: 80,
  logJournal: 85,
  stream: 90,
  openStream: 91,
  rejections: 92,
  streamFloor: 93,
  lease: 100,
  run: 110,
  pointRunFooter: 111,
  logRunFooter: 112,
  hourRollups: 113,
  deletion: 120,
  deletions: 121,
} as const;

const HEADER_BYTES = 11;
const CRC_OFFSET = 7;
const MAX_EXPIRES = 2 ** 48 - 1;

/**
 * Puts a payload into its envelope.
 *
 * @param format One of `FORMAT`.
 * @param expires ms since the epoch when the value stops to exist; 0 is never.
 * @throws {RangeError} If `format` is no byte or `expires` is no whole number from 0 to 2^48 - 1.
 */
export function encodeValue(format: number, expires: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  if (!Number.isInteger(format) || format < 0 || format > 255) {
    throw new RangeError(`Cannot encode a value as its format is no byte: current value is ${format}`);
  }
  if (!Number.isInteger(expires) || expires < 0 || expires > MAX_EXPIRES) {
    throw new RangeError(`Cannot encode a value as its expiry is no uint48: current value is ${expires}`);
  }
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = format;
  view.setUint16(1, Math.floor(expires / 2 ** 32));
  view.setUint32(3, expires % 2 ** 32);
  bytes.set(payload, HEADER_BYTES);
  view.setUint32(CRC_OFFSET, checksum(bytes));
  return bytes;
}

/**
 * Takes a value out of its envelope. The payload is a view of `bytes`, not a copy.
 *
 * @throws {DamagedError} If the value is too short or its checksum is wrong.
 */
export function decodeValue(bytes: Uint8Array): { format: number; expires: number; payload: Uint8Array } {
  if (bytes.length < HEADER_BYTES) {
    throw new DamagedError(`Cannot decode a value as it is shorter than its header: ${bytes.length} bytes`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  if (view.getUint32(CRC_OFFSET) !== checksum(bytes)) {
    throw new DamagedError(`Cannot decode a value of ${bytes.length} bytes as its checksum is wrong`);
  }
  return {
    format: bytes[0],
    expires: view.getUint16(1) * 2 ** 32 + view.getUint32(3),
    payload: bytes.subarray(HEADER_BYTES),
  };
}

function checksum(bytes: Uint8Array): number {
  return crc32(bytes.subarray(HEADER_BYTES), crc32(bytes.subarray(0, CRC_OFFSET)));
}
