/**
 * The blocks of a file, each of which has a checksum.
 *
 * @module
 */
import { BLOCK_BYTES } from "../../limits.ts";

/** Cuts and joins what a blob store yields into blocks; the last may be short. */
export async function* blocksOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let block = new Uint8Array(BLOCK_BYTES);
  let filled = 0;
  for await (const part of source) {
    let rest = part;
    while (rest.length > 0) {
      const taken = rest.subarray(0, BLOCK_BYTES - filled);
      block.set(taken, filled);
      filled += taken.length;
      rest = rest.subarray(taken.length);
      if (filled === BLOCK_BYTES) {
        yield block;
        block = new Uint8Array(BLOCK_BYTES);
        filled = 0;
      }
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}
