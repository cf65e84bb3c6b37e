/**
 * Checksums of the 1 MiB blocks of files, in values of BLOCKS_PER_VALUE: CRC-32, 4 bytes each, big-endian. They find
 * what a disk or a store has damaged; whoever could change bytes on purpose could change their checksums with them. The
 * whole file has its SHA-256 in its metadata. Stores of version 1 have SHA-256s here, 32 bytes each.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { decodeValue, encodeValue, FORMAT } from "../format/value.ts";
import { intact } from "./records.ts";

const SUM_BYTES = 4;
/** The format byte of values with SHA-256s. */
const SHA256_FORMAT = 30;
const SHA256_BYTES = 32;

export function blockSum(block: Uint8Array): number {
  return crc32(block);
}

/** A value with the checksums of consecutive blocks. */
export function encodeBlockSums(sums: readonly number[]): Uint8Array {
  const payload = new Uint8Array(sums.length * SUM_BYTES);
  const view = new DataView(payload.buffer);
  for (const [i, sum] of sums.entries()) view.setUint32(i * SUM_BYTES, sum);
  return encodeValue(FORMAT.blocks, 0, payload);
}

/** Whether a block is what it was when it was stored; `place` is its index among those of the value. */
export type BlockCheck = (block: Uint8Array, place: number) => boolean;

/** The check of a value, in either format; nothing passes that of a value that is missing. DATA_LOSS if it is damaged. */
export function blockCheck(value: Uint8Array | null): BlockCheck {
  if (value === null) return () => false;
  const { format, payload } = intact(() => decodeValue(value));
  if (format === FORMAT.blocks) {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    return (block, place) =>
      (place + 1) * SUM_BYTES <= payload.length && view.getUint32(place * SUM_BYTES) === blockSum(block);
  }
  if (format !== SHA256_FORMAT) return () => false;
  return (block, place) => {
    const expected = payload.subarray(place * SHA256_BYTES, (place + 1) * SHA256_BYTES);
    return createHash("sha256").update(block).digest("hex") === expected.toHex();
  };
}
