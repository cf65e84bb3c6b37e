/**
 * Where the bytes of an upload go. What is stored already is compared, and not stored again; what is new goes to the
 * file's writer, which takes the upload's stream only then.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { aborted, alreadyExists, failedPrecondition, invalidArgument, outOfRange, unavailable } from "../errors.ts";
import { SNIFF_BYTES } from "../limits.ts";
import type { Stream, StreamFile } from "../store/stream_types.ts";
import type { ByteRange, FileInfo, FileStore, FileWriter } from "../store/types.ts";
import { contentFault } from "./file_content.ts";

export interface FileSinkOptions {
  readonly files: FileStore;
  readonly tenant: string;
  /** The stream that the upload comes by, if it does. */
  readonly stream?: Stream;
  /** Aborts when the call has ended. */
  readonly signal: AbortSignal;
}

/** What is known of the file. */
export interface FileDescription {
  readonly name: string;
  readonly contentType: string;
  /** 0 if unknown. */
  readonly totalSize: number;
}

export class FileSink {
  #writer: FileWriter | undefined;
  #opening: Promise<FileWriter> | undefined;
  /** The call has ended; what of it is still under way must not write any more. */
  #isClosed = false;
  /** The beginning of a new file until there is enough of it to look at; then undefined. */
  #head: Uint8Array[] | undefined;
  #overlap: Overlap | undefined;
  /** Chunks of this call that brought anything new. */
  #chunkCount = 0;
  #size: number;

  constructor(private readonly o: FileSinkOptions) {
    this.#size = o.stream?.info.committed ?? 0;
    if (this.#size === 0 && !this.isFinished) this.#head = [];
  }

  /** Bytes of the file so far: what was there before the call, and what it has brought. */
  get size(): number {
    return this.#size;
  }

  /** Chunks that these bytes came in. */
  get chunkCount(): number {
    return (this.#writer?.chunkCount ?? this.#known?.chunkCount ?? 0) + this.#chunkCount;
  }

  get isFinished(): boolean {
    return this.o.stream?.info.state === "finished";
  }

  /** Throws unless the call may begin with a chunk from `offset` up to `end`. Changes nothing. */
  assertMayBegin(offset: number, end: number): void {
    const { stream } = this.o;
    const size = this.#size;
    if (this.isFinished && end > size) {
      throw failedPrecondition(`Cannot go on at byte ${offset}: the file is finished and has ${size} bytes`);
    }
    if (offset <= size) return;
    if (stream?.isNew) {
      throw failedPrecondition(
        `Cannot go on at byte ${offset}: the stream ${
          JSON.stringify(stream.info.id)
        } is not known, or its record has expired`,
      );
    }
    throw outOfRange("offset", `must be at most ${size}, which is what is committed: current value is ${offset}`);
  }

  /** A chunk's data, which begins at `offset` of the file: at its end so far, or before. */
  async take(offset: number, data: Uint8Array, file: FileDescription): Promise<void> {
    let known = await this.#skip(offset, data);
    if (known === data.length && known > 0) return;
    if (!this.#head && data.length > 0) {
      // To take the stream may show that an older call has committed more meanwhile.
      await this.#open(file);
      known += await this.#skip(offset + known, data.subarray(known));
      if (known === data.length) return;
    }
    this.#chunkCount++;
    const rest = data.subarray(known);
    this.#size += rest.length;
    if (rest.length > 0) await this.#append(rest, file);
  }

  /** Says how many bytes the file will have, if that was not known. */
  setTotalSize(totalSize: number): void {
    this.#writer?.setTotalSize(totalSize);
  }

  /** Makes the file visible; of one that is, returns what is known. */
  async finish(file: FileDescription, sha256: string | undefined): Promise<FileInfo> {
    await this.#overlap?.end();
    if (this.isFinished && this.#known) return replayed(this.#known, this.#size, sha256);
    await this.#passHead(file);
    const writer = await this.#open(file);
    return await writer.finish({ ...file, chunkCount: this.chunkCount, sha256 });
  }

  /** Makes what has come durable, for another call to go on. */
  async suspend(file: FileDescription): Promise<void> {
    if (this.#head?.length) await this.#passHead(file);
    this.#isClosed = true;
    await this.#overlap?.end();
    await this.#writer?.suspend();
  }

  /** The call has failed: what is on its way to the store becomes durable on a stream, and else is removed. */
  async breakOff(): Promise<void> {
    this.#isClosed = true;
    this.#overlap?.end().catch(() => {});
    const end = (writer: FileWriter) => this.o.stream ? writer.suspend() : writer.abort();
    if (this.#writer) await end(this.#writer);
    // Nobody is to wait for a store that does not answer, but what it opens after all is closed.
    else this.#opening?.then(end).catch(() => {});
  }

  /** What the stream's record says of the file. */
  get #known(): StreamFile | undefined {
    return this.o.stream?.info.file;
  }

  async #append(data: Uint8Array, file: FileDescription): Promise<void> {
    if (!this.#head) {
      await (await this.#open(file)).append(data);
      return;
    }
    this.#head.push(data);
    const length = this.#head.reduce((sum, part) => sum + part.length, 0);
    if (length >= SNIFF_BYTES) await this.#passHead(file);
  }

  /** Looks at the beginning of the file and hands it on. */
  async #passHead(file: FileDescription): Promise<void> {
    const parts = this.#head;
    if (!parts) return;
    this.#head = undefined;
    const head = Uint8Array.from(parts.flatMap((part) => [...part.subarray(0, SNIFF_BYTES)]).slice(0, SNIFF_BYTES));
    const fault = contentFault(file.name, head);
    if (fault !== undefined) throw invalidArgument("data", fault);
    const writer = await this.#open(file);
    if (writer.committed > 0) throw aborted("Another call has begun the upload meanwhile");
    for (const part of parts) await writer.append(part);
  }

  async #open(file: FileDescription): Promise<FileWriter> {
    if (this.#isClosed) throw unavailable("Cannot write to the upload: its call has ended");
    if (this.#writer) return this.#writer;
    const { files, tenant, stream } = this.o;
    this.#opening ??= files.writer(tenant, stream && { stream, file });
    const writer = await this.#opening;
    this.#writer = writer;
    this.#size = Math.max(this.#size, writer.committed);
    return writer;
  }

  /** How many bytes at the beginning of `data` are stored already. ALREADY_EXISTS if what is stored there is other. */
  async #skip(offset: number, data: Uint8Array): Promise<number> {
    const length = Math.min(this.#size - offset, data.length);
    if (length === 0) return 0;
    const { files, tenant, stream, signal } = this.o;
    if (!stream || !this.#known) throw new Error("only a stream has bytes from before");
    if (!this.#overlap?.isAt(offset)) {
      await this.#overlap?.end();
      const range = { start: offset, end: this.#size };
      this.#overlap = new Overlap(files.readUpload(tenant, this.#known.fileId, range, signal), range);
    }
    // A finished file may have been deleted since.
    if (await this.#overlap.isSame(data.subarray(0, length), this.isFinished)) {
      stream.addDuplicates(length);
      return length;
    }
    throw alreadyExists(
      `The stream ${JSON.stringify(stream.info.id)} has other bytes from ${offset} on: its id was used again`,
    );
  }
}

/** Compares stored bytes with those that come again, from a place on. */
class Overlap {
  readonly #stored: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);
  #at: number;
  #isGone = false;

  constructor(stored: AsyncIterable<Uint8Array>, private readonly range: ByteRange) {
    this.#stored = stored[Symbol.asyncIterator]();
    this.#at = range.start;
  }

  /** Whether it can go on from there. */
  isAt(offset: number): boolean {
    return offset === this.#at && offset < this.range.end;
  }

  /** Whether the next stored bytes are `data`; true if nothing is stored any more and that may be. */
  async isSame(data: Uint8Array, mayBeGone: boolean): Promise<boolean> {
    this.#at += data.length;
    for (let rest = data; rest.length > 0;) {
      if (this.#rest.length === 0 && !this.#isGone) await this.#read(mayBeGone);
      if (this.#isGone) return true;
      const length = Math.min(rest.length, this.#rest.length);
      for (let i = 0; i < length; i++) if (rest[i] !== this.#rest[i]) return false;
      rest = rest.subarray(length);
      this.#rest = this.#rest.subarray(length);
    }
    if (this.#at === this.range.end) await this.end();
    return true;
  }

  async end(): Promise<void> {
    await this.#stored.return?.();
  }

  async #read(mayBeGone: boolean): Promise<void> {
    try {
      const { done, value } = await this.#stored.next();
      if (done) throw new Error("fewer bytes are stored than were committed");
      this.#rest = value;
    } catch (error) {
      if (!(error instanceof ConnectError && error.code === Code.NotFound)) throw error;
      if (!mayBeGone) {
        throw failedPrecondition("Cannot go on with the upload: it stood still for too long and was removed");
      }
      this.#isGone = true;
    }
  }
}

/** The receipt of a file that was finished before. */
function replayed(file: StreamFile, size: number, sha256: string | undefined): FileInfo {
  const { fileId: id, name, contentType, chunkCount, createdAt } = file;
  if (sha256 !== undefined && sha256 !== file.sha256) {
    throw alreadyExists(`The file was stored with the SHA-256 ${file.sha256}, and file_checksum says ${sha256}`);
  }
  return { id, name, size, sha256: file.sha256, contentType, chunkCount, createdAt };
}
