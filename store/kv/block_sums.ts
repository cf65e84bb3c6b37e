/**
 * Checksums of the 1 MiB blocks of files, in values of BLOCKS_PER_VALUE: CRC-32, 4 bytes each, big-endian. They find
 * what a disk or a store has damaged; whoever could change bytes on purpose could change their checksums with them. The
 * whole file has its SHA-256 in its metadata. Stores of version 1 have SHA-256s here, 32 bytes each.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { dataLoss } from "../../errors.ts";
import { BLOCK_BYTES, BLOCKS_PER_VALUE } from "../../limits.ts";
import { decodeValue, encodeValue, FORMAT } from "../format/value.ts";
import type { Mutation } from "../types.ts";
import { blocksKey } from "./keys.ts";
import { intact } from "./records.ts";

const SUM_BYTES = 4;
/** The format byte of values with SHA-256s. */
export const SHA256_FORMAT = 30;
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

/** The first `count` checksums of a value. DATA_LOSS if it has fewer, or is damaged. */
export function decodeBlockSums(value: Uint8Array | null, count: number): number[] {
  const decoded = value && intact(() => decodeValue(value));
  if (decoded?.format !== FORMAT.blocks || decoded.payload.length < count * SUM_BYTES) {
    throw dataLoss("Checksums of blocks are missing that were stored with their bytes");
  }
  const { payload } = decoded;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  return Array.from({ length: count }, (_, i) => view.getUint32(i * SUM_BYTES));
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

/** Where checksums of a file stand: its length, and the CRC-32 of its last block, 0 if that is full. */
export interface SumsPosition {
  readonly length: number;
  readonly tailSum: number;
}

/** The checksums of a file's blocks as the file grows, by any lengths. */
export class RunningSums {
  #length: number;
  #tailSum: number;
  /** Of full blocks, from the one of index `#first` on. */
  readonly #sums: number[];
  readonly #first: number;

  /** From a position on; `sums` are those of the full blocks that the last, partial value has. */
  constructor(from: SumsPosition = { length: 0, tailSum: 0 }, sums: readonly number[] = []) {
    this.#length = from.length;
    this.#tailSum = from.tailSum;
    this.#sums = [...sums];
    this.#first = Math.floor(from.length / BLOCK_BYTES) - sums.length;
  }

  get length(): number {
    return this.#length;
  }

  get tailSum(): number {
    return this.#tailSum;
  }

  add(data: Uint8Array): void {
    let rest = data;
    while (rest.length > 0) {
      const part = rest.subarray(0, BLOCK_BYTES - this.#length % BLOCK_BYTES);
      this.#tailSum = crc32(part, this.#tailSum);
      this.#length += part.length;
      if (this.#length % BLOCK_BYTES === 0) {
        this.#sums.push(this.#tailSum);
        this.#tailSum = 0;
      }
      rest = rest.subarray(part.length);
    }
  }

  /** Of every block from the first on, the last partial one too. */
  all(): Uint32Array {
    return Uint32Array.from(this.#length % BLOCK_BYTES === 0 ? this.#sums : [...this.#sums, this.#tailSum]);
  }

  /** Values that a commit up to `to` must write when one up to `from` was the last; with the partial block if `isLast`. */
  values(blobId: string, from: SumsPosition, to: SumsPosition, isLast: boolean): Mutation[] {
    const full = Math.floor(to.length / BLOCK_BYTES);
    const count = isLast ? Math.ceil(to.length / BLOCK_BYTES) : full;
    const written = Math.floor(from.length / BLOCK_BYTES);
    const mutations: Mutation[] = [];
    if (count === written) return mutations;
    for (let n = Math.floor(written / BLOCKS_PER_VALUE); n * BLOCKS_PER_VALUE < count; n++) {
      const [begin, end] = [n * BLOCKS_PER_VALUE, (n + 1) * BLOCKS_PER_VALUE];
      const sums = this.#sums.slice(begin - this.#first, Math.min(end, full) - this.#first);
      if (count > full && count <= end) sums.push(to.tailSum);
      mutations.push({ type: "set", key: blocksKey(blobId, n), value: encodeBlockSums(sums) });
    }
    return mutations;
  }
}
