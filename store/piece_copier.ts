/**
 * Copies pieces out of a blob store into the layout of the file store.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import type { Piece } from "../gen/sluice/store/v1/records_pb.ts";
import { pieceFolder, piecePath } from "./blob/file.ts";
import type { BlobStore } from "./types.ts";

export class PieceCopier {
  /** How many pieces were begun, and bytes copied. */
  pieces = 0;
  bytes = 0;
  /** At most 1,024: two characters of 32. */
  readonly #folders = new Set<string>();

  constructor(private readonly source: BlobStore, private readonly directory: string) {}

  /** Copies what the copy lacks of these pieces and makes it durable; returns false where bytes are missing. */
  async tryCopy(blobId: string, pieces: readonly Piece[]): Promise<boolean> {
    let isWhole = true;
    for (const { epoch, length } of pieces) {
      try {
        await this.#copy(blobId, epoch, Number(length));
      } catch (error) {
        if (!(error instanceof ConnectError && error.code === Code.DataLoss)) throw error;
        isWhole = false;
      }
    }
    return isWhole;
  }

  /** Makes the names of what was copied durable; the directory itself is left to the caller. */
  async syncDirectories(): Promise<void> {
    for (const folder of this.#folders) await syncDirectory(folder);
  }

  async #copy(blobId: string, epoch: number, length: number): Promise<void> {
    if (length === 0) return;
    const folder = pieceFolder(this.directory, blobId);
    if (!this.#folders.has(folder)) {
      await Deno.mkdir(folder, { recursive: true });
      this.#folders.add(folder);
    }
    using file = await Deno.open(piecePath(this.directory, blobId, epoch), { append: true, create: true });
    const copied = (await file.stat()).size;
    if (copied === 0) this.pieces++;
    if (copied >= length) return;
    for await (const bytes of this.source.read(blobId, [{ epoch, length }], { start: copied, end: length })) {
      for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await file.write(rest));
      this.bytes += bytes.length;
    }
    await file.syncData();
  }
}

/** fsync of a directory: the names in it survive a crash. */
export async function syncDirectory(path: string): Promise<void> {
  using directory = await Deno.open(path);
  await directory.sync();
}
