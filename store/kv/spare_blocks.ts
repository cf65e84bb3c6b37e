/**
 * Buffers of blocks.
 *
 * @module
 */
import { BLOCK_BYTES, MAX_SPARE_BLOCKS } from "../../limits.ts";

/**
 * Blocks that writers are done with, for those that come: a large file comes by many calls, and so many new buffers as
 * those would make wait long for the garbage collector.
 */
export class SpareBlocks {
  readonly #blocks: Uint8Array<ArrayBuffer>[] = [];

  take(): Uint8Array<ArrayBuffer> | undefined {
    return this.#blocks.pop();
  }

  /** Nobody else may have the buffer any more. */
  give(buffer: Uint8Array<ArrayBuffer>): void {
    if (buffer.length === BLOCK_BYTES && this.#blocks.length < MAX_SPARE_BLOCKS) this.#blocks.push(buffer);
  }
}
