/**
 * Every byte of a blob against the checksums of its blocks.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import type { Piece } from "../../gen/sluice/store/v1/records_pb.ts";
import { BLOCK_BYTES, BLOCKS_PER_VALUE } from "../../limits.ts";
import { type BlockCheck, blockCheck, blockSum } from "../kv/block_sums.ts";
import { blocksOf } from "../kv/blocks.ts";
import { blocksKey } from "../kv/keys.ts";
import type { Fault, Judged } from "./judge.ts";

/** Damaged blocks of one blob that are named; the others are counted. */
const MAX_BLOCKS_NAMED = 20;

export const lengthOf = (pieces: readonly Piece[]): bigint => pieces.reduce((sum, { length }) => sum + length, 0n);

/**
 * Reads all that these pieces hold, verifies it block by block, and hands it to `use`.
 *
 * @param tailSum Checksum of the last block of an upload, if that is not full; undefined for a file, whose last block has
 * its checksum beside the others.
 */
export async function readBlocks(
  judged: Judged,
  id: string,
  pieces: readonly Piece[],
  tailSum: number | undefined,
  use: (block: Uint8Array) => void = () => {},
): Promise<{ readonly faults: readonly Fault[]; readonly isWhole: boolean }> {
  const { options: { blobs }, counts } = judged;
  const named: number[] = [];
  let damaged = 0;
  const faults: Fault[] = [];
  let isIntact: BlockCheck = () => false;
  let index = 0;
  let isWhole = true;
  const range = { start: 0, end: Number(lengthOf(pieces)) };
  try {
    const stored = pieces.map(({ epoch, length }) => ({ epoch, length: Number(length) }));
    for await (const block of blocksOf(blobs.read(id, stored, range))) {
      const place = index % BLOCKS_PER_VALUE;
      const isTail = tailSum !== undefined && block.length < BLOCK_BYTES;
      if (place === 0 && !isTail) isIntact = await checkOf(judged, id, index / BLOCKS_PER_VALUE, faults);
      if (!(isTail ? blockSum(block) === tailSum : isIntact(block, place)) && damaged++ < MAX_BLOCKS_NAMED) {
        named.push(index);
      }
      use(block);
      counts.blocks++;
      counts.bytes += block.length;
      index++;
    }
  } catch (error) {
    if (!(error instanceof ConnectError && error.code === Code.DataLoss)) throw error;
    faults.push({ what: error.rawMessage });
    isWhole = false;
  }
  if (named.length > 0) {
    const more = damaged > named.length ? ` and ${damaged - named.length} more` : "";
    faults.push({ what: `damaged blocks (of 1 MiB, from 0): ${named.join(", ")}${more}` });
  }
  return { faults, isWhole };
}

/** The check of the n-th value of checksums; if there is none, or a damaged one, nothing passes it. */
async function checkOf({ view }: Judged, id: string, n: number, faults: Fault[]): Promise<BlockCheck> {
  const { value } = await view.get(blocksKey(id, n));
  try {
    if (value instanceof Uint8Array) return blockCheck(value);
    faults.push({ what: `its checksums blocks/${id}/${n} are missing` });
  } catch (error) {
    if (!(error instanceof ConnectError && error.code === Code.DataLoss)) throw error;
    faults.push({ what: `its checksums blocks/${id}/${n} are damaged` });
  }
  return () => false;
}
