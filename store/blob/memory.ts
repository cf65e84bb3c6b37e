/**
 * Blobs in memory: for tests, and for measuring everything but the disk.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import type { Clock } from "../../clock.ts";
import type { BlobStore, ByteRange, Piece, PieceWriter } from "../types.ts";
import { missingBytes, pieceParts } from "./parts.ts";

interface MemoryPiece {
  chunks: Uint8Array[];
  length: number;
  changedAt: number;
}

export function createMemoryBlobStore(clock: Clock): BlobStore {
  const blobs = new Map<string, Map<number, MemoryPiece>>();

  return {
    // deno-lint-ignore require-await -- the interface is for stores that wait
    async create(blobId, epoch): Promise<PieceWriter> {
      let pieces = blobs.get(blobId);
      if (!pieces) blobs.set(blobId, pieces = new Map());
      if (pieces.has(epoch)) throw new ConnectError(`piece ${blobId}.${epoch} exists`, Code.AlreadyExists);
      const piece: MemoryPiece = { chunks: [], length: 0, changedAt: clock.now() };
      pieces.set(epoch, piece);
      return {
        room: Infinity,
        append(data) {
          piece.chunks.push(data.slice());
          piece.length += data.length;
          piece.changedAt = clock.now();
          return Promise.resolve();
        },
        sync: () => Promise.resolve({ length: piece.length, mutations: [] }),
        seal: () => Promise.resolve(),
      };
    },

    async *read(blobId: string, pieces: readonly Piece[], range: ByteRange) {
      for (const part of pieceParts(pieces, range)) {
        const piece = blobs.get(blobId)?.get(part.epoch);
        if (!piece || piece.length < part.end) throw missingBytes(blobId, part.epoch);
        let at = 0;
        for (const chunk of piece.chunks) {
          const from = Math.max(part.start - at, 0);
          const to = Math.min(part.end - at, chunk.length);
          if (from < to) yield chunk.subarray(from, to);
          at += chunk.length;
        }
      }
    },

    async *list() {
      for (const [blobId, pieces] of blobs) {
        for (const [epoch, { changedAt }] of pieces) yield { blobId, epoch, changedAt };
      }
    },

    remove(blobId, epoch) {
      const pieces = blobs.get(blobId);
      pieces?.delete(epoch);
      if (pieces?.size === 0) blobs.delete(blobId);
      return Promise.resolve();
    },
  };
}
