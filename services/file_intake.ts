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
import { dataLoss, invalidArgument, outOfRange, overLimit } from "../errors.ts";
import { MAX_CONTENT_TYPE_BYTES, SNIFF_BYTES } from "../limits.ts";
import type { FileInfo, FileStore, FileWriter } from "../store/types.ts";
import { contentFault } from "./file_content.ts";
import { checkFileName, contentTypeOf } from "./file_name.ts";
import { fitsUtf8, quoted } from "./text.ts";

const SHA256_HEX = /^[0-9a-f]{64}$/;
const MEDIA_TYPE =
  /^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+(\s*;\s*[a-z0-9!#$&^_.+-]+=("[^"\\]*"|[a-z0-9!#$&^_.+-]+))*$/i;

export interface FileIntakeOptions {
  readonly files: FileStore;
  readonly tenant: string;
  readonly maxFileBytes: number;
  readonly allowedExtensions: readonly string[];
}

export class FileIntake {
  #name: string | undefined;
  #contentType = "";
  /** 0: unknown. */
  #totalSize = 0;
  #size = 0;
  #chunkCount = 0;
  #lastSeen = false;
  #fileChecksum: string | undefined;
  /** The beginning of the file until there is enough of it to look at; then undefined. */
  #head: Uint8Array[] | undefined = [];
  #writer: FileWriter | undefined;

  constructor(private readonly o: FileIntakeOptions) {}

  get size(): number {
    return this.#size;
  }

  get chunkCount(): number {
    return this.#chunkCount;
  }

  /** Takes a run of chunks, whose checksums are verified side by side. Throws at the first that is wrong. */
  async take(chunks: readonly DecodedChunk[]): Promise<void> {
    for (const chunk of chunks) this.#check(chunk);
    await Promise.all(chunks.map(verifyChecksum));
    for (const { data } of chunks) if (data.length > 0) await this.#append(data);
  }

  /**
   * Ends the file. DATA_LOSS if it ended short of what was announced. A file that announced nothing may be empty, if the
   * end that came is certain to be the caller's own.
   */
  async finish(endIsCertain = true): Promise<FileInfo> {
    if (this.#name === undefined) throw invalidArgument("file_name", "must not be empty: the stream has no chunk");
    if (!this.#ended && (this.#size > 0 || !endIsCertain)) {
      throw dataLoss(
        this.#totalSize > 0
          ? `The stream ended after ${this.#size} of ${this.#totalSize} bytes`
          : `The stream ended after ${this.#size} bytes without is_last_chunk or total_size`,
      );
    }
    if (this.#totalSize > 0 && this.#size !== this.#totalSize) {
      throw dataLoss(`Cannot accept the file: it has ${this.#size} bytes, and total_size says ${this.#totalSize}`);
    }
    await this.#passHead();
    const writer = await this.#openWriter();
    return await writer.finish({
      name: this.#name,
      contentType: this.#contentType || contentTypeOf(this.#name),
      chunkCount: this.#chunkCount,
      sha256: this.#fileChecksum,
    });
  }

  /** Leaves nothing behind. */
  async abort(): Promise<void> {
    await this.#writer?.abort();
  }

  get #ended(): boolean {
    return this.#lastSeen || (this.#totalSize > 0 && this.#size === this.#totalSize);
  }

  #check(chunk: DecodedChunk): void {
    if (this.#name === undefined) this.#begin(chunk);
    else this.#continue(chunk);
    if (chunk.checksum !== "" && !SHA256_HEX.test(chunk.checksum)) {
      throw invalidArgument("checksum", "must be a SHA-256 in lower-case hex");
    }
    if (chunk.fileChecksum !== "") {
      if (!SHA256_HEX.test(chunk.fileChecksum)) {
        throw invalidArgument("file_checksum", "must be a SHA-256 in lower-case hex");
      }
      if (this.#fileChecksum !== undefined && this.#fileChecksum !== chunk.fileChecksum) {
        throw invalidArgument("file_checksum", "must not change within a stream");
      }
      this.#fileChecksum = chunk.fileChecksum;
    }
    if (chunk.offset < 0n) throw invalidArgument("offset", `must not be negative: current value is ${chunk.offset}`);
    if (chunk.offset !== BigInt(this.#size)) {
      throw outOfRange("offset", `must be ${this.#size}, where the last chunk ended: current value is ${chunk.offset}`);
    }
    this.#size += chunk.data.length;
    if (this.#size > this.o.maxFileBytes) {
      throw overLimit(`Cannot accept the file: it has more than the ${this.o.maxFileBytes} bytes that a file may have`);
    }
    if (this.#totalSize > 0 && this.#size > this.#totalSize) {
      throw dataLoss(
        `Cannot accept the file: it has ${this.#size} bytes or more, and total_size says ${this.#totalSize}`,
      );
    }
    this.#chunkCount++;
    if (chunk.isLastChunk) this.#lastSeen = true;
  }

  #begin(chunk: DecodedChunk): void {
    const fault = checkFileName(chunk.fileName, this.o.allowedExtensions);
    if (fault) throw fault;
    const { contentType, totalSize } = chunk;
    if (contentType !== "" && (!fitsUtf8(contentType, MAX_CONTENT_TYPE_BYTES) || !MEDIA_TYPE.test(contentType))) {
      throw invalidArgument("content_type", "must be a media type, such as text/csv");
    }
    this.#name = chunk.fileName;
    this.#contentType = contentType;
    this.#setTotalSize(totalSize);
  }

  #continue(chunk: DecodedChunk): void {
    if (this.#ended) {
      // A total_size that is reached ends the file; the chunk that says so too may come as one of its own.
      const saysSo = !this.#lastSeen && chunk.isLastChunk && chunk.data.length === 0;
      if (!saysSo) throw invalidArgument("is_last_chunk", "a chunk came after the file's last one");
    }
    if (chunk.fileName !== "" && chunk.fileName !== this.#name) {
      throw invalidArgument(
        "file_name",
        `must not change within a stream: it was ${quoted(this.#name ?? "")} and is ${quoted(chunk.fileName)}`,
      );
    }
    if (chunk.totalSize !== 0n && Number(chunk.totalSize) !== this.#totalSize) {
      // Not knowing the size at first and knowing it later is no change.
      if (this.#totalSize !== 0) {
        throw invalidArgument(
          "total_size",
          `must not change within a stream: it was ${this.#totalSize} and is ${chunk.totalSize}`,
        );
      }
      this.#setTotalSize(chunk.totalSize);
    }
  }

  #setTotalSize(totalSize: bigint): void {
    if (totalSize < 0n) throw invalidArgument("total_size", `must not be negative: current value is ${totalSize}`);
    if (totalSize > BigInt(this.o.maxFileBytes)) {
      throw overLimit(
        `Cannot accept the file: total_size is ${totalSize}, and a file may have ${this.o.maxFileBytes} bytes`,
      );
    }
    this.#totalSize = Number(totalSize);
  }

  async #append(data: Uint8Array): Promise<void> {
    if (this.#head) {
      this.#head.push(data);
      const length = this.#head.reduce((sum, part) => sum + part.length, 0);
      if (length >= SNIFF_BYTES) await this.#passHead();
      return;
    }
    await (await this.#openWriter()).append(data);
  }

  /** Looks at the beginning of the file and hands it on. */
  async #passHead(): Promise<void> {
    const parts = this.#head;
    if (!parts) return;
    this.#head = undefined;
    const head = Uint8Array.from(parts.flatMap((part) => [...part.subarray(0, SNIFF_BYTES)]).slice(0, SNIFF_BYTES));
    const fault = contentFault(this.#name ?? "", head);
    if (fault !== undefined) throw invalidArgument("data", fault);
    const writer = await this.#openWriter();
    for (const part of parts) await writer.append(part);
  }

  async #openWriter(): Promise<FileWriter> {
    this.#writer ??= await this.o.files.writer(this.o.tenant);
    return this.#writer;
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
