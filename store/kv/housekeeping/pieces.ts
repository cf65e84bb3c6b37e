/**
 * Pieces that nobody names. A claim is written before its pieces, and an epoch is raised in it before that epoch's piece;
 * so for a piece that is seen in a blob store, and a claim that is read after that:
 *
 * - no claim: the upload has ended without a file, or the file was deleted. Ids of blobs are never used again.
 * - a claim that is finished, and a file, without the piece: it is of a writer that lost. Files never change.
 * - a claim of a later epoch without the piece: its writer was fenced off before it had committed anything. Only the
 *   latest epoch adds pieces to a claim, and only its own.
 *
 * None of these ever becomes untrue again. That a piece has to be old besides protects a blob store that was given the
 * wrong KV.
 *
 * @module
 */
import { BlobRecordSchema, FileRecordSchema } from "../../../gen/sluice/store/v1/records_pb.ts";
import { HOUSEKEEPING_PAGES, KV_LIST_BATCH, KV_MAX_READS } from "../../../limits.ts";
import { FORMAT } from "../../format/value.ts";
import type { BlobStore } from "../../types.ts";
import { blobKey, blocksPrefix, fileKey } from "../keys.ts";
import type { MaybeEntry } from "../kv.ts";
import { decodeRecord } from "../records.ts";
import { deletion, type Round } from "./round.ts";

interface FoundPiece {
  readonly blobId: string;
  readonly epoch: number;
}

/** A pass over all pieces that takes as many rounds as it needs, and then begins anew. */
export class PieceSweep {
  #pass: AsyncIterator<FoundPiece & { readonly changedAt: number }> | undefined;

  constructor(private readonly blobs: BlobStore) {}

  /** Returns how many it removed. */
  async sweep(round: Round): Promise<number> {
    const { clock, uploadExpiry } = round.options;
    const pass = this.#pass ?? this.blobs.list()[Symbol.asyncIterator]();
    // After an error it begins anew.
    this.#pass = undefined;
    let removed = 0;
    let old: FoundPiece[] = [];
    for (let left = HOUSEKEEPING_PAGES * KV_LIST_BATCH; left > 0; left--) {
      const next = await pass.next();
      if (next.done) return removed + await removeGarbage(round, old);
      await round.pace();
      if (next.value.changedAt > clock.now() - uploadExpiry) continue;
      old.push(next.value);
      if (old.length < KV_MAX_READS) continue;
      removed += await removeGarbage(round, old);
      old = [];
    }
    removed += await removeGarbage(round, old);
    this.#pass = pass;
    return removed;
  }
}

/** Removes those that nobody names, of at most KV_MAX_READS; returns how many. */
async function removeGarbage(round: Round, pieces: readonly FoundPiece[]): Promise<number> {
  if (pieces.length === 0) return 0;
  const { kv, blobs } = round.options;
  const claims = await kv.getMany(pieces.map(({ blobId }) => blobKey(blobId)));
  let removed = 0;
  for (const [i, piece] of pieces.entries()) {
    if (!await isGarbage(round, piece, claims[i])) continue;
    // First, for without its pieces a blob is not found again.
    if (claims[i].value === null) await removeBlocks(round, piece.blobId);
    await blobs.remove(piece.blobId, piece.epoch);
    removed++;
    await round.pace();
  }
  return removed;
}

async function isGarbage(round: Round, { blobId, epoch }: FoundPiece, entry: MaybeEntry): Promise<boolean> {
  const { kv } = round.options;
  if (entry.value === null) return true;
  const claim = kv.decodeOrSkip(entry, () => decodeRecord(BlobRecordSchema, FORMAT.blob, 0, entry.value));
  if (!claim || claim.pieces.some((piece) => piece.epoch === epoch)) return false;
  if (!claim.finished) return epoch < claim.epoch;
  // It is the file that readers go by.
  const found = await kv.get(fileKey(claim.tenant, blobId));
  const file = kv.decodeOrSkip(found, () => decodeRecord(FileRecordSchema, FORMAT.file, 0, found.value));
  return file !== undefined && !file.pieces.some((piece) => piece.epoch === epoch);
}

/** Removes the checksums of a blob's blocks. The blob must have no claim any more. */
export async function removeBlocks(round: Round, blobId: string): Promise<void> {
  for await (const blocks of round.options.kv.pages({ prefix: blocksPrefix(blobId) })) {
    await round.atomic([], blocks.map(deletion));
  }
}
