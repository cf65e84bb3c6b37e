/**
 * Reads bytes of blobs, each block verified before any byte of it is given out.
 *
 * @module
 */
import { dataLoss } from "../../errors.ts";
import { BLOCK_BYTES, BLOCKS_PER_VALUE } from "../../limits.ts";
import type { BlobStore, ByteRange, Piece } from "../types.ts";
import { type BlockCheck, blockCheck, blockSum } from "./block_sums.ts";
import { blocksOf } from "./blocks.ts";
import { blocksKey } from "./keys.ts";
import type { KvClient } from "./kv.ts";

/** What is stored of a file. */
export interface StoredBytes {
  readonly id: string;
  readonly size: number;
  readonly pieces: readonly Piece[];
  /** CRC-32 of the last block, if that is partial and its checksum stands with no others: of an unfinished file. */
  readonly tailSum?: number;
}

/** DATA_LOSS at a block that is damaged. */
export async function* readVerified(
  { kv, blobs }: { readonly kv: KvClient; readonly blobs: BlobStore },
  { id, size, pieces, tailSum }: StoredBytes,
  range: ByteRange,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  // Whole blocks, for only those can be verified.
  const start = Math.floor(range.start / BLOCK_BYTES) * BLOCK_BYTES;
  const end = Math.min(Math.ceil(range.end / BLOCK_BYTES) * BLOCK_BYTES, size);
  let at = start;
  let isIntact: BlockCheck | undefined;
  for await (const block of blocksOf(blobs.read(id, pieces, { start, end }))) {
    signal.throwIfAborted();
    const index = at / BLOCK_BYTES;
    const place = index % BLOCKS_PER_VALUE;
    const isTail = tailSum !== undefined && block.length < BLOCK_BYTES;
    if (!isTail && (!isIntact || place === 0)) {
      const entry = await kv.get(blocksKey(id, Math.floor(index / BLOCKS_PER_VALUE)));
      isIntact = blockCheck(entry.value);
    }
    if (isTail ? blockSum(block) !== tailSum : !isIntact?.(block, place)) {
      throw dataLoss(`Block ${index} of file ${id} is damaged: its checksum is not the one it was stored with`);
    }
    yield block.subarray(Math.max(range.start - at, 0), Math.min(range.end - at, block.length));
    at += block.length;
  }
}
