/**
 * Where a range of a blob lies in its pieces.
 *
 * @module
 */
import type { ConnectError } from "@connectrpc/connect";
import { dataLoss } from "../../errors.ts";
import type { ByteRange, Piece } from "../types.ts";

/** A range of one piece, in the piece's own offsets. */
export interface PiecePart extends ByteRange {
  readonly epoch: number;
}

/** The parts of `pieces`, in order, that make up `range` of the blob. */
export function pieceParts(pieces: readonly Piece[], range: ByteRange): PiecePart[] {
  const parts: PiecePart[] = [];
  let at = 0;
  for (const { epoch, length } of pieces) {
    const start = Math.max(range.start - at, 0);
    const end = Math.min(range.end - at, length);
    if (start < end) parts.push({ epoch, start, end });
    at += length;
  }
  return parts;
}

/** DATA_LOSS: a piece holds fewer bytes than were committed. */
export function missingBytes(blobId: string, epoch: number): ConnectError {
  return dataLoss(`Committed bytes of blob ${blobId} are missing in its piece ${epoch}`);
}
