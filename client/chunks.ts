/**
 * The chunks of a file on its way to the server.
 *
 * @module
 */
import { type FileChunk, FileChunkSchema } from "../gen/sluice/v1/file_upload_pb.ts";
import { create } from "./deps.ts";
import { createRunningHash, type RunningHash, sha256Hex } from "./hash.ts";
import { inPiecesOf, type OpenSource } from "./source.ts";

/** What goes with the chunks of a file. */
export interface ChunkOptions {
  name: string;
  contentType: string;
  /** Bytes of data in each chunk but the last. */
  chunkSize: number;
  /** Whether to send SHA-256s of the chunks and of the file. */
  checksum: boolean;
}

/** A file as messages: it tells how far it is, and what the whole file hashes to. */
export class ChunkedFile {
  /** Bytes in the chunks that have been taken so far. */
  sent = 0;
  /** Lower-case hex SHA-256 of the file; known once its last chunk was taken, if there are checksums. */
  checksum: string | undefined;
  readonly #source: OpenSource;
  readonly #options: ChunkOptions;

  constructor(source: OpenSource, options: ChunkOptions) {
    this.#source = source;
    this.#options = options;
  }

  /**
   * The chunks in order. A chunk waits until it is known whether another follows, for the last one says that it is.
   *
   * @throws {Error} if the source ends short of its size.
   */
  async *chunks(): AsyncGenerator<FileChunk> {
    const { size, pieces } = this.#source;
    const hash = this.#options.checksum ? await createRunningHash() : undefined;
    let held: Uint8Array | undefined;
    for await (const data of inPiecesOf(this.#options.chunkSize, pieces)) {
      if (held !== undefined) yield await this.#chunk(held, false, hash);
      held = data;
    }
    const last = held ?? new Uint8Array(0);
    if (size !== undefined && this.sent + last.length !== size) {
      throw new Error(
        `Cannot upload "${this.#options.name}": it has ${this.sent + last.length} bytes instead of ${size}`,
      );
    }
    yield await this.#chunk(last, true, hash);
  }

  async #chunk(data: Uint8Array, isLastChunk: boolean, hash: RunningHash | undefined): Promise<FileChunk> {
    const { name, contentType } = this.#options;
    const first = this.sent === 0;
    // The digest of the chunk runs beside this thread while the file's is updated on it.
    const digest = hash && sha256Hex(data);
    hash?.update(data);
    if (isLastChunk) this.checksum = hash?.digest();
    const chunk = create(FileChunkSchema, {
      fileName: first ? name : "",
      contentType: first ? contentType : "",
      data,
      offset: BigInt(this.sent),
      totalSize: BigInt(this.#source.size ?? 0),
      isLastChunk,
      checksum: await digest,
      fileChecksum: this.checksum,
    });
    this.sent += data.length;
    return chunk;
  }
}
