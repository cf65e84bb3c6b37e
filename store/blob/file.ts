/**
 * Blobs in a directory: one file a piece, `DIR/<last two characters of the blob's id>/<blob id>.<epoch>`. (The last two
 * of a ULID are random, so the directories fill evenly.) `sync` is fdatasync; the directory is fsynced after a piece was
 * created, or a power cut could forget the file whose bytes it kept.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { unavailable } from "../../errors.ts";
import { BLOCK_BYTES } from "../../limits.ts";
import type { BlobStore, ByteRange, Piece, PieceWriter } from "../types.ts";
import { type Disk, type DiskEntry, type DiskFile, systemDisk } from "./disk.ts";
import { missingBytes, pieceParts } from "./parts.ts";

const PIECE_NAME = /^([0-9A-Z]{26})\.(\d+)$/;

/** The folder of a blob's pieces. */
export const pieceFolder = (directory: string, blobId: string): string => `${directory}/${blobId.slice(-2)}`;

export const piecePath = (directory: string, blobId: string, epoch: number): string =>
  `${pieceFolder(directory, blobId)}/${blobId}.${epoch}`;

/** A store in `directory`, which exists. What the disk refuses is UNAVAILABLE. */
export function createFileBlobStore(directory: string, disk: Disk = systemDisk): BlobStore {
  const folder = (blobId: string) => pieceFolder(directory, blobId);
  const path = (blobId: string, epoch: number) => piecePath(directory, blobId, epoch);
  /** Folders whose own names have been synced: each was made by us, or by somebody who may not have come to that. */
  const synced = new Set<string>();

  async function syncFolder(path: string): Promise<void> {
    await disk.syncDirectory(path);
    if (synced.has(path)) return;
    await disk.syncDirectory(directory);
    synced.add(path);
  }

  return {
    create(blobId, epoch) {
      return failing("create a piece", async () => {
        await disk.makeDirectory(folder(blobId));
        let file: DiskFile;
        try {
          file = await disk.createNew(path(blobId, epoch));
        } catch (error) {
          if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
          throw new ConnectError(`piece ${blobId}.${epoch} exists`, Code.AlreadyExists);
        }
        try {
          await syncFolder(folder(blobId));
        } catch (error) {
          file.close();
          throw error;
        }
        return pieceWriter(file);
      });
    },

    async *read(blobId: string, pieces: readonly Piece[], range: ByteRange) {
      for (const part of pieceParts(pieces, range)) {
        let file: DiskFile;
        try {
          file = await disk.open(path(blobId, part.epoch));
        } catch (error) {
          if (error instanceof Deno.errors.NotFound) throw missingBytes(blobId, part.epoch);
          throw unavailable("Cannot open a piece", error);
        }
        try {
          for (let at = part.start; at < part.end;) {
            const buffer = new Uint8Array(Math.min(part.end - at, BLOCK_BYTES));
            const n = await failing("read a piece", () => file.readAt(buffer, at));
            if (n === 0) throw missingBytes(blobId, part.epoch);
            at += n;
            yield buffer.subarray(0, n);
          }
        } finally {
          file.close();
        }
      }
    },

    async *list() {
      for await (const { name: folderName, isDirectory } of entries(disk, directory)) {
        if (!isDirectory) continue;
        for await (const { name } of entries(disk, `${directory}/${folderName}`)) {
          const match = PIECE_NAME.exec(name);
          if (!match) continue;
          const [, blobId, epoch] = match;
          const changedAt = await disk.changedAt(path(blobId, Number(epoch))).catch(notThere);
          if (changedAt !== undefined) yield { blobId, epoch: Number(epoch), changedAt };
        }
      }
    },

    async remove(blobId, epoch) {
      await failing("remove a piece", () => disk.remove(path(blobId, epoch)).catch(notThere));
    },
  };
}

/**
 * Once the disk has refused anything, the piece takes no more. A write that failed may have left some of its bytes, behind
 * which the next ones must not stand; and after a sync that failed, Linux takes the pages for clean, so that the next sync
 * succeeds although the bytes are lost.
 */
function pieceWriter(file: DiskFile): PieceWriter {
  let length = 0;
  let failure: { readonly error: unknown } | undefined;

  async function attempt(what: string, fn: () => Promise<void>): Promise<void> {
    if (failure) throw failure.error;
    try {
      await failing(what, fn);
    } catch (error) {
      failure = { error };
      throw error;
    }
  }

  return {
    room: Infinity,
    async append(data) {
      await attempt("write a piece", () => file.write(data));
      length += data.length;
    },
    async sync() {
      const synced = length;
      await attempt("sync a piece", () => file.syncData());
      return { length: synced, mutations: [] };
    },
    seal() {
      file.close();
      return Promise.resolve();
    },
  };
}

async function* entries(disk: Disk, path: string): AsyncGenerator<DiskEntry> {
  try {
    yield* disk.list(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw unavailable("Cannot list the pieces: the disk failed", error);
  }
}

function notThere(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

/** What the disk refuses is UNAVAILABLE: it may be full, or gone, and come back. */
async function failing<T>(what: string, fn: () => Promise<T>): Promise<T> {
  try {
    return await fn();
  } catch (error) {
    if (error instanceof ConnectError) throw error;
    throw unavailable(`Cannot ${what}: the disk failed`, error);
  }
}
