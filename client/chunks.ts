/**
 * The chunks of a file on its way to the server.
 *
 * @module
 */
import { createRunningHash, type RunningHash, sha256Hex } from "./hash.ts";
import { returnOf } from "./producers.ts";
import { SourceFailed } from "./refused.ts";
import { inPiecesOf, type OpenSource } from "./source.ts";
import type { FieldWriter } from "./writer.ts";

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

/** A part of a file. */
export interface FilePart {
  offset: number;
  data: Uint8Array<ArrayBuffer>;
  /** Its SHA-256, unless there are to be no checksums; made beside this thread. */
  digest: Promise<string> | undefined;
  last: boolean;
}

/** How a file is cut. */
export interface CutOptions {
  name: string;
  /** Bytes of data in each chunk but the last. */
  chunkSize: number;
  /** Whether to make SHA-256s of the chunks and of the file. */
  checksum: boolean;
}

/**
 * Reads a file part by part, and again from where it is told to. What cannot be read again is kept until it is committed.
 */
export class FileCutter {
  /** Lower-case hex SHA-256 of the file; known once its last part was read, if there are checksums. */
  checksum: string | undefined;
  readonly #source: OpenSource;
  readonly #options: CutOptions;
  #hash: RunningHash | undefined;
  #hashedTo = 0;
  /** What is read of the source, and the same cut into parts. */
  #reading: AsyncIterator<Uint8Array> | undefined;
  #pieces: AsyncGenerator<Uint8Array<ArrayBuffer>> | undefined;
  /** Where the pieces go on. */
  #at = 0;
  /** A piece waits until it is known whether another follows, for the last one says that it is. */
  #held: Uint8Array<ArrayBuffer> | undefined;
  #lastRead = false;
  /** Parts that cannot be read again and are not committed; those from #again on are to be given once more. */
  #kept: FilePart[] = [];
  #again = 0;
  #closed = false;

  constructor(source: OpenSource, options: CutOptions) {
    this.#source = source;
    this.#options = options;
  }

  /**
   * The next part, undefined after the last.
   *
   * @throws {SourceFailed} if the source throws, or ends short of its size, or the cutter is closed.
   */
  async next(): Promise<FilePart | undefined> {
    if (this.#again < this.#kept.length) return this.#kept[this.#again++];
    if (this.#lastRead) return undefined;
    const part = await this.#read();
    if (!this.#source.seekable) this.#again = this.#kept.push(part);
    return part;
  }

  /** Everything before is committed. */
  commit(committed: number): void {
    const first = this.#kept.findIndex(({ offset, data }) => offset + data.length > committed);
    const dropped = first < 0 ? this.#kept.length : first;
    this.#kept.splice(0, dropped);
    this.#again = Math.max(0, this.#again - dropped);
  }

  /** Goes back to a byte that was read before: the next part begins there, or with the part that it lies in. */
  rewind(offset: number): void {
    if (!this.#source.seekable) {
      this.#again = 0;
      // All is committed, but that it was all has not been said.
      this.#lastRead &&= this.#kept.length > 0;
      return;
    }
    this.#endReading();
    this.#at = offset;
    this.#held = undefined;
    this.#lastRead = false;
  }

  /** Passes over the beginning of the file, which is committed; of it, only the hash is made. */
  async skipTo(offset: number): Promise<void> {
    if (offset === 0) return;
    const hash = await this.#running();
    this.#throwIfClosed();
    const pieces = this.#reading = this.#source.read(0);
    let rest: Uint8Array | undefined;
    while (this.#at < offset) {
      const next = await this.#nextOf(pieces);
      if (next.done) throw this.#short(this.#at);
      const part = next.value.subarray(0, offset - this.#at);
      await hash?.update(part);
      this.#at += part.length;
      rest = next.value.subarray(part.length);
    }
    this.#hashedTo = offset;
    this.#pieces = inPiecesOf(this.#options.chunkSize, pieces, rest);
  }

  /** Releases the source. What comes of it from now on is not taken, for that it has ended need not mean that it is whole. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // What can be read once only is the caller's no more, read or not.
    if (!this.#source.seekable) this.#reading ??= this.#source.read(0);
    this.#endReading();
    this.#hash?.close();
  }

  /** It is not asked by way of the pieces, which are busy for as long as the source does not answer; and not waited for. */
  #endReading(): void {
    if (this.#reading !== undefined && !this.#lastRead) returnOf(this.#reading);
    this.#reading = this.#pieces = undefined;
  }

  #throwIfClosed(): void {
    if (this.#closed) throw new SourceFailed(`Cannot read "${this.#options.name}": no more of it was wanted`);
  }

  /** The next piece as the source gives it. */
  async #nextOf(pieces: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
    try {
      return await pieces.next();
    } catch (error) {
      throw this.#failed(error);
    } finally {
      this.#throwIfClosed();
    }
  }

  async #read(): Promise<FilePart> {
    const { size } = this.#source;
    // What is read again, after the end, has been hashed.
    const hash = this.checksum === undefined ? await this.#running() : undefined;
    try {
      this.#throwIfClosed();
      this.#reading ??= this.#source.read(this.#at);
      const pieces = this.#pieces ??= inPiecesOf(this.#options.chunkSize, this.#reading);
      const data = this.#held ?? (await pieces.next()).value ?? new Uint8Array(0);
      const offset = this.#at;
      const end = offset + data.length;
      const digest = this.#options.checksum ? sha256Hex(data) : undefined;
      // The digest of the part runs beside this thread while the file's is updated on it.
      const hashed = hash?.update(data.subarray(Math.max(0, this.#hashedTo - offset)));
      this.#hashedTo = Math.max(this.#hashedTo, end);
      const next = await pieces.next();
      await hashed;
      this.#throwIfClosed();
      this.#held = next.done ? undefined : next.value;
      this.#at = end;
      if (next.done) {
        if (size !== undefined && end !== size) throw this.#short(end);
        this.#lastRead = true;
        this.checksum ??= await hash?.digest();
      }
      return { offset, data, digest, last: this.#lastRead };
    } catch (error) {
      throw error instanceof SourceFailed ? error : this.#failed(error);
    }
  }

  async #running(): Promise<RunningHash | undefined> {
    if (!this.#options.checksum) return undefined;
    this.#hash ??= await createRunningHash();
    // It may have come too late to be closed with the rest.
    if (this.#closed) this.#hash.close();
    return this.#hash;
  }

  #failed(cause: unknown): SourceFailed {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new SourceFailed(`Cannot read "${this.#options.name}": ${why}`, cause);
  }

  #short(length: number): SourceFailed {
    return new SourceFailed(
      `Cannot upload "${this.#options.name}": it has ${length} bytes instead of ${this.#source.size ?? "more"}`,
    );
  }
}
