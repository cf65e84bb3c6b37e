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
import { missingBytes, pieceParts } from "./parts.ts";

const PIECE_NAME = /^([0-9A-Z]{26})\.(\d+)$/;

export function createFileBlobStore(directory: string): BlobStore {
  const folder = (blobId: string) => `${directory}/${blobId.slice(-2)}`;
  const path = (blobId: string, epoch: number) => `${folder(blobId)}/${blobId}.${epoch}`;

  return {
    create(blobId, epoch) {
      return failing("create a piece", async () => {
        await Deno.mkdir(folder(blobId), { recursive: true });
        let file: Deno.FsFile;
        try {
          file = await Deno.open(path(blobId, epoch), { write: true, createNew: true });
        } catch (error) {
          if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
          throw new ConnectError(`piece ${blobId}.${epoch} exists`, Code.AlreadyExists);
        }
        try {
          await syncDirectory(folder(blobId));
          await syncDirectory(directory);
        } catch (error) {
          file.close();
          throw error;
        }
        return pieceWriter(file);
      });
    },

    async *read(blobId: string, pieces: readonly Piece[], range: ByteRange) {
      for (const part of pieceParts(pieces, range)) {
        let file: Deno.FsFile;
        try {
          file = await Deno.open(path(blobId, part.epoch));
        } catch (error) {
          if (error instanceof Deno.errors.NotFound) throw missingBytes(blobId, part.epoch);
          throw unavailable("Cannot open a piece", error);
        }
        try {
          await failing("read a piece", () => file.seek(part.start, Deno.SeekMode.Start));
          let left = part.end - part.start;
          while (left > 0) {
            const buffer = new Uint8Array(Math.min(left, BLOCK_BYTES));
            const n = await failing("read a piece", () => file.read(buffer));
            if (n === null) throw missingBytes(blobId, part.epoch);
            left -= n;
            yield buffer.subarray(0, n);
          }
        } finally {
          file.close();
        }
      }
    },

    async *list() {
      for await (const entry of entries(directory)) {
        if (!entry.isDirectory) continue;
        for await (const { name } of entries(`${directory}/${entry.name}`)) {
          const match = PIECE_NAME.exec(name);
          if (!match) continue;
          const [, blobId, epoch] = match;
          const stat = await Deno.stat(path(blobId, Number(epoch))).catch(notThere);
          if (stat) yield { blobId, epoch: Number(epoch), changedAt: stat.mtime?.getTime() ?? 0 };
        }
      }
    },

    async remove(blobId, epoch) {
      await failing("remove a piece", () => Deno.remove(path(blobId, epoch)).catch(notThere));
    },
  };
}

function pieceWriter(file: Deno.FsFile): PieceWriter {
  let length = 0;
  return {
    room: Infinity,
    async append(data) {
      await failing("write a piece", async () => {
        let rest = data;
        while (rest.length > 0) rest = rest.subarray(await file.write(rest));
      });
      length += data.length;
    },
    async sync() {
      const synced = length;
      await failing("sync a piece", () => file.syncData());
      return { length: synced, mutations: [] };
    },
    seal() {
      file.close();
      return Promise.resolve();
    },
  };
}

async function syncDirectory(path: string): Promise<void> {
  using directory = await Deno.open(path);
  await directory.sync();
}

async function* entries(path: string): AsyncGenerator<Deno.DirEntry> {
  try {
    yield* Deno.readDir(path);
  } catch (error) {
    notThere(error);
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
