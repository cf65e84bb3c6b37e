/**
 * The state of one upload between its chunks: checks each chunk against those before it, and feeds the file's writer.
 *
 * ```
 * begin -- first chunk --> receiving -- is_last_chunk, or total_size reached --> ended -- finish() --> stored
 * ```
 *
 * @module
 */
import type { DecodedChunk } from "../decode/chunks.ts";
import type { ConnectError } from "@connectrpc/connect";
import { alreadyExists, dataLoss, failedPrecondition, invalidArgument, outOfRange, overLimit } from "../errors.ts";
import { MAX_CONTENT_TYPE_BYTES } from "../limits.ts";
import type { FileInfo } from "../store/types.ts";
import { checkFileName, contentTypeOf } from "./file_name.ts";
import { type FileDescription, FileSink, type FileSinkOptions } from "./file_sink.ts";
import { fitsUtf8, quoted } from "./text.ts";

const SHA256_HEX = /^[0-9a-f]{64}$/;
const MEDIA_TYPE =
  /^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+(\s*;\s*[a-z0-9!#$&^_.+-]+=("[^"\\]*"|[a-z0-9!#$&^_.+-]+))*$/i;

export interface FileIntakeOptions extends FileSinkOptions {
  readonly maxFileBytes: number;
  readonly allowedExtensions: readonly string[];
}

export class FileIntake {
  readonly #sink: FileSink;
  #file: FileDescription | undefined;
  /** Where the next chunk begins; undefined before the first one. */
  #position: number | undefined;
  #lastSeen = false;
  #fileChecksum: string | undefined;

  constructor(private readonly o: FileIntakeOptions) {
    this.#sink = new FileSink(o);
    const known = o.stream?.info.file;
    if (known) this.#file = { name: known.name, contentType: known.contentType, totalSize: known.totalSize };
  }

  /** Takes a run of chunks, whose checksums are verified side by side. Throws at the first that is wrong. */
  async take(chunks: readonly DecodedChunk[]): Promise<void> {
    for (const chunk of chunks) this.#check(chunk);
    await Promise.all(chunks.map(verifyChecksum));
    const file = this.#file;
    if (!file) return;
    for (const { offset, data } of chunks) await this.#sink.take(Number(offset), data, file);
  }

  /**
   * Ends the call: with the file, if it is complete. Else, on a stream, what has come is durable, and undefined is returned;
   * without one, it is DATA_LOSS. A file that announced nothing may be empty, if the end that came is certain to be the
   * caller's own.
   */
  async finish(endIsCertain = true): Promise<FileInfo | undefined> {
    const file = this.#file;
    const { stream } = this.o;
    if (!file) throw invalidArgument("file_name", "must not be empty: the stream has no chunk");
    const size = this.#sink.size;
    if (file.totalSize > 0) this.#assertEnd(file.totalSize);
    // An older call may have stored more meanwhile.
    if (this.#lastSeen) this.#assertEnds(this.#position ?? size);
    if (!this.#isComplete(file, size)) {
      if (stream) {
        await this.#sink.suspend(file);
        return undefined;
      }
      if (size > 0 || !endIsCertain) {
        throw dataLoss(
          file.totalSize > 0
            ? `The stream ended after ${size} of ${file.totalSize} bytes`
            : `The stream ended after ${size} bytes without is_last_chunk or total_size`,
        );
      }
    }
    if (file.totalSize > 0 && size !== file.totalSize) {
      throw dataLoss(`Cannot accept the file: it has ${size} bytes, and total_size says ${file.totalSize}`);
    }
    this.#assertEnd(size);
    return await this.#sink.finish(file, this.#fileChecksum);
  }

  /** The call has failed: what it has brought becomes durable, if another may go on; else nothing of it stays. */
  breakOff(): Promise<void> {
    return this.#sink.breakOff();
  }

  #isComplete({ totalSize }: FileDescription, size: number): boolean {
    if (this.#sink.isFinished || this.#lastSeen) return true;
    return size === (totalSize > 0 ? totalSize : this.o.stream?.info.end);
  }

  #check(chunk: DecodedChunk): void {
    const { offset, data, checksum, fileChecksum } = chunk;
    if (offset < 0n) throw invalidArgument("offset", `must not be negative: current value is ${offset}`);
    const end = Number(offset) + data.length;
    if (this.#position === undefined) {
      if (this.o.stream) this.#sink.assertMayBegin(Number(offset), end);
      else if (offset !== 0n) throw this.#gap(0, offset);
    } else if (offset !== BigInt(this.#position)) {
      throw this.#gap(this.#position, offset);
    }
    const before = this.#file;
    const file = before ? this.#continue(before, chunk) : this.#begin(chunk);
    if (checksum !== "" && !SHA256_HEX.test(checksum)) {
      throw invalidArgument("checksum", "must be a SHA-256 in lower-case hex");
    }
    if (fileChecksum !== "") {
      if (!SHA256_HEX.test(fileChecksum)) {
        throw invalidArgument("file_checksum", "must be a SHA-256 in lower-case hex");
      }
      if (this.#fileChecksum !== undefined && this.#fileChecksum !== fileChecksum) {
        throw invalidArgument("file_checksum", "must not change within a stream");
      }
      this.#fileChecksum = fileChecksum;
    }
    this.#assertFits(file, end, chunk.isLastChunk);
    this.#position = end;
    this.#file = file;
    if (before && file.totalSize !== before.totalSize) this.#sink.setTotalSize(file.totalSize);
    if (chunk.isLastChunk) this.#lastSeen = true;
  }

  #gap(position: number, offset: bigint): ConnectError {
    return outOfRange("offset", `must be ${position}, where the last chunk ended: current value is ${offset}`);
  }

  #assertFits(file: FileDescription, end: number, isLast: boolean): void {
    const { maxFileBytes, stream } = this.o;
    if (this.#sink.isFinished && end > this.#sink.size) {
      throw failedPrecondition(`Cannot go on with the file: it is finished and has ${this.#sink.size} bytes`);
    }
    if (end > maxFileBytes) {
      throw overLimit(`Cannot accept the file: it has more than the ${maxFileBytes} bytes that a file may have`);
    }
    if (file.totalSize > 0 && end > file.totalSize) {
      throw dataLoss(`Cannot accept the file: it has ${end} bytes or more, and total_size says ${file.totalSize}`);
    }
    this.#assertEnd(file.totalSize || Math.max(end, stream?.info.end ?? 0));
    if (isLast) this.#assertEnds(end);
  }

  /** What sluice-end says is the file's size. */
  #assertEnd(size: number): void {
    const end = this.o.stream?.info.end;
    if (end === undefined || end === size) return;
    throw invalidArgument(
      "sluice-end",
      `must be the size of the file, which is ${size} or more: current value is ${end}`,
    );
  }

  /** The file cannot end before what is stored of it. */
  #assertEnds(end: number): void {
    if (end >= this.#sink.size) return;
    throw invalidArgument("is_last_chunk", `must not end the file at ${end} bytes: it has ${this.#sink.size}`);
  }

  #begin(chunk: DecodedChunk): FileDescription {
    const { fileName: name, contentType, totalSize } = chunk;
    const fault = checkFileName(name, this.o.allowedExtensions);
    if (fault) throw fault;
    if (contentType !== "" && (!fitsUtf8(contentType, MAX_CONTENT_TYPE_BYTES) || !MEDIA_TYPE.test(contentType))) {
      throw invalidArgument("content_type", "must be a media type, such as text/csv");
    }
    return { name, contentType: contentType || contentTypeOf(name), totalSize: this.#totalSize(totalSize) };
  }

  #continue(file: FileDescription, chunk: DecodedChunk): FileDescription {
    const isFirst = this.#position === undefined;
    if (!isFirst && (this.#lastSeen || (file.totalSize > 0 && this.#position === file.totalSize))) {
      // A total_size that is reached ends the file; the chunk that says so too may come as one of its own.
      const saysSo = !this.#lastSeen && chunk.isLastChunk && chunk.data.length === 0;
      if (!saysSo) throw invalidArgument("is_last_chunk", "a chunk came after the file's last one");
    }
    if (chunk.fileName !== "" && chunk.fileName !== file.name) {
      throw this.#changed(chunk, "file_name", quoted(file.name), quoted(chunk.fileName));
    }
    if (isFirst && chunk.contentType !== "" && chunk.contentType !== file.contentType) {
      throw this.#changed(chunk, "content_type", quoted(file.contentType), quoted(chunk.contentType));
    }
    if (chunk.totalSize === 0n || chunk.totalSize === BigInt(file.totalSize)) return file;
    // Not knowing the size at first and knowing it later is no change.
    if (file.totalSize !== 0) throw this.#changed(chunk, "total_size", `${file.totalSize}`, `${chunk.totalSize}`);
    return { ...file, totalSize: this.#totalSize(chunk.totalSize) };
  }

  /** What an upload began with is another than what a later chunk says; one that begins anew has an id that is used twice. */
  #changed({ offset }: DecodedChunk, field: string, before: string, now: string): ConnectError {
    if (this.#position === undefined && offset === 0n) {
      return alreadyExists(`The stream began with the ${field} ${before} and not ${now}: its id was used again`);
    }
    return invalidArgument(field, `must not change within a stream: it was ${before} and is ${now}`);
  }

  #totalSize(totalSize: bigint): number {
    const { maxFileBytes } = this.o;
    if (totalSize < 0n) throw invalidArgument("total_size", `must not be negative: current value is ${totalSize}`);
    if (totalSize > BigInt(maxFileBytes)) {
      throw overLimit(`Cannot accept the file: total_size is ${totalSize}, and a file may have ${maxFileBytes} bytes`);
    }
    if (this.#position === undefined && totalSize > 0n && Number(totalSize) < this.#sink.size) {
      throw invalidArgument(
        "total_size",
        `must be at least the ${this.#sink.size} bytes of the file so far: it is ${totalSize}`,
      );
    }
    return Number(totalSize);
  }
}

async function verifyChecksum(chunk: DecodedChunk): Promise<void> {
  if (chunk.checksum === "") return;
  // A view of a message's buffer, which is never shared memory.
  const digest = await crypto.subtle.digest("SHA-256", chunk.data as Uint8Array<ArrayBuffer>);
  const actual = new Uint8Array(digest).toHex();
  if (actual !== chunk.checksum) {
    throw dataLoss(
      `Cannot accept the chunk at offset ${chunk.offset}: its SHA-256 is ${actual}, and checksum says ${chunk.checksum}`,
    );
  }
}
