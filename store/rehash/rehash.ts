/**
 * The SHA-256 of a file whose running hash is not in memory, because its upload began on another process or too long ago.
 * What is stored of it is read again, behind the writer, which goes on meanwhile.
 *
 * @module
 */
import type { Piece } from "../types.ts";

/** Of the bytes of a blob. */
export interface BlobDigest {
  readonly sha256: Uint8Array;
  /** CRC-32 of each block of BLOCK_BYTES; the last may be short. */
  readonly sums: Uint32Array;
}

/** Follows one blob. */
export interface RehashJob {
  /** The blob consists of these pieces by now, all of which is durable and can be read. */
  follow(pieces: readonly Piece[]): void;
  /**
   * Resolves when all of the pieces last followed has been read. More may be followed afterwards. DATA_LOSS if bytes are
   * missing, UNAVAILABLE if they cannot be read now.
   */
  digest(): Promise<BlobDigest>;
  /** Nobody wants to know any more. */
  cancel(): void;
}

export interface Rehash {
  start(blobId: string): RehashJob;
  /** Ends all jobs. */
  close(): void;
}
