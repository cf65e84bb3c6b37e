/**
 * The chunks of a file on its way to the server.
 *
 * @module
 */
import { createRunningHash, sha256Hex } from "./hash.ts";
import { inPiecesOf, type OpenSource } from "./source.ts";
import type { FieldWriter } from "./writer.ts";

/** What goes with the chunks of a file. */
export interface ChunkOptions {
  name: string;
  contentType: string;
  /** Bytes of data in each chunk but the last. */
  chunkSize: number;
  /** Whether to send SHA-256s of the chunks and of the file. */
  checksum: boolean;
}

/** The fields of a FileChunk message; what is empty, 0 or false is not sent. */
export interface OutgoingChunk {
  fileName: string;
  contentType: string;
  data: Uint8Array<ArrayBuffer>;
  offset: number;
  /** 0 if it is not known. */
  totalSize: number;
  isLastChunk: boolean;
  checksum: string;
  fileChecksum: string;
}

/** Writes a chunk, whose data must not change any more. */
export function writeChunk(writer: FieldWriter, chunk: OutgoingChunk): void {
  const { fileName, contentType, data, offset, totalSize, isLastChunk, checksum, fileChecksum } = chunk;
  if (fileName !== "") writer.string(0x0a, fileName);
  if (data.length > 0) writer.data(0x12, data);
  if (offset !== 0) writer.int64(0x18, offset);
  if (totalSize !== 0) writer.int64(0x20, totalSize);
  if (isLastChunk) writer.bool(0x28, isLastChunk);
  if (checksum !== "") writer.string(0x32, checksum);
  if (fileChecksum !== "") writer.string(0x52, fileChecksum);
  if (contentType !== "") writer.string(0x5a, contentType);
}

/** A chunk's data, and its SHA-256 unless there are to be no checksums. */
interface HashedData {
  data: Uint8Array<ArrayBuffer>;
  digest: Promise<string> | undefined;
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
  async *chunks(): AsyncGenerator<OutgoingChunk> {
    const { size, pieces } = this.#source;
    const hash = this.#options.checksum ? await createRunningHash() : undefined;
    let held: HashedData | undefined;
    for await (const data of inPiecesOf(this.#options.chunkSize, pieces)) {
      const next = { data, digest: hash && sha256Hex(data) };
      // The digest of the chunk runs beside this thread while the file's is updated on it, and the chunk before is sent.
      hash?.update(data);
      if (held !== undefined) yield await this.#chunk(held, false);
      held = next;
    }
    held ??= { data: new Uint8Array(0), digest: hash && sha256Hex(new Uint8Array(0)) };
    if (size !== undefined && this.sent + held.data.length !== size) {
      throw new Error(
        `Cannot upload "${this.#options.name}": it has ${this.sent + held.data.length} bytes instead of ${size}`,
      );
    }
    this.checksum = hash?.digest();
    yield await this.#chunk(held, true);
  }

  async #chunk({ data, digest }: HashedData, isLastChunk: boolean): Promise<OutgoingChunk> {
    const { name, contentType } = this.#options;
    const first = this.sent === 0;
    const chunk = {
      fileName: first ? name : "",
      contentType: first ? contentType : "",
      data,
      offset: this.sent,
      totalSize: this.#source.size ?? 0,
      isLastChunk,
      checksum: await digest ?? "",
      fileChecksum: this.checksum ?? "",
    };
    this.sent += data.length;
    return chunk;
  }
}
