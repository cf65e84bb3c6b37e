/**
 * Writes one file: blocks of 1 MiB are written while the next one fills, progress is committed a second after bytes have
 * come, and the last commit makes the file visible.
 *
 * ```
 * open -- append() --> open -- finish() --> visible
 *   |-- abort() --> removed                (an upload without a stream)
 *   \-- suspend() --> to be gone on with   (one with a stream)
 * ```
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import { dataLoss, unavailable } from "../../errors.ts";
import { FileRecordSchema } from "../../gen/sluice/store/v1/records_pb.ts";
import { BLOCK_BYTES, KIB, KV_TIMEOUT_MS, UPLOAD_COMMIT_MS } from "../../limits.ts";
import { FORMAT } from "../format/value.ts";
import type { FileInfo, FileWriter, Mutation, UploadStream } from "../types.ts";
import { blobKey, blocksPrefix, fileKey } from "./keys.ts";
import { encodeRecord } from "./records.ts";
import type { SpareBlocks } from "./spare_blocks.ts";
import { openUpload, type Upload, type UploadOptions } from "./uploads.ts";

/** Bytes of a writer's first buffer: more than most small files have. */
const FIRST_BUFFER_BYTES = 16 * KIB;

export interface FileWriterOptions extends UploadOptions {
  readonly spareBlocks: SpareBlocks;
  readonly clock: Clock;
}

/** Begins an upload, or goes on with that of a stream. */
export async function createFileWriter(
  options: FileWriterOptions,
  tenant: string,
  stream?: UploadStream,
): Promise<FileWriter> {
  await options.space.ensure();
  return new KvFileWriter(options, await openUpload(options, tenant, stream), stream);
}

class KvFileWriter implements FileWriter {
  readonly committed: number;
  readonly chunkCount: number;
  /** What is being done, and then what waits for that. */
  #queue: Promise<unknown> = Promise.resolve();
  /** What is being filled, and what was filled before, which is being written: two buffers that change places. */
  #buffer = new Uint8Array(FIRST_BUFFER_BYTES);
  #filled = 0;
  #spare = new Uint8Array(0);
  #writing: Promise<void> = Promise.resolve();
  /** Chunks that end in the buffer. */
  #chunks = 0;
  #received = 0;
  /** Bytes received when the timer was last due. */
  #receivedBefore = 0;
  #cancelTimer: (() => void) | undefined;
  /** No more bytes are to be taken, from when the end is asked for. */
  #isClosed = false;
  #isEnded = false;
  /** Whether the commit that makes the file visible has been tried. */
  #finishing = false;

  constructor(
    private readonly o: FileWriterOptions,
    private readonly upload: Upload,
    private readonly stream: UploadStream | undefined,
  ) {
    this.committed = upload.claim.position.length;
    this.chunkCount = upload.claim.position.chunkCount;
  }

  setTotalSize(totalSize: number): void {
    if (this.upload.claim.origin.stream) this.upload.claim.origin.stream.file.totalSize = totalSize;
  }

  append(data: Uint8Array): Promise<void> {
    return this.#inTurn(async () => {
      this.#received += data.length;
      this.#setTimer();
      for (let rest = data; rest.length > 0;) {
        // Whoever has given up on this may use `data` for something else.
        this.#assertOpen();
        const part = rest.subarray(0, BLOCK_BYTES - this.#filled);
        this.#makeRoom(this.#filled + part.length);
        this.#buffer.set(part, this.#filled);
        this.#filled += part.length;
        rest = rest.subarray(part.length);
        if (rest.length === 0) this.#chunks++;
        if (this.#filled === BLOCK_BYTES) await this.#passOn();
      }
    });
  }

  finish(file: { name: string; contentType: string; chunkCount: number; sha256?: string }): Promise<FileInfo> {
    return this.#inTurn(async () => {
      this.#assertOpen();
      await this.#passOn();
      await this.#writing;
      const { claim, output } = this.upload;
      const digest = await output.digest();
      const sha256 = digest.toHex();
      if (file.sha256 !== undefined && file.sha256 !== sha256) {
        throw dataLoss(`Cannot accept the file: its SHA-256 is ${sha256}, and file_checksum says ${file.sha256}`);
      }
      const { tenant, blobId } = claim.origin;
      const { name, contentType, chunkCount } = file;
      const createdAt = this.o.clock.now();
      const size = output.length;
      this.#finishing = true;
      await output.finish(chunkCount, {
        sha256,
        at: createdAt,
        mutations: (pieces) => [{
          type: "set",
          key: fileKey(tenant, blobId),
          value: encodeRecord(FileRecordSchema, FORMAT.file, 0, {
            fileName: name,
            size: BigInt(size),
            sha256: digest,
            chunkCount: BigInt(chunkCount),
            contentType,
            createdAt: BigInt(createdAt),
            pieces: pieces.map(({ epoch, length }) => ({ epoch, length: BigInt(length) })),
          }),
        }],
      });
      this.#end();
      this.#giveBlocks();
      this.upload.hash.drop();
      return { id: blobId, name, size, sha256, contentType, chunkCount, createdAt };
    });
  }

  async suspend(): Promise<void> {
    if (this.#isEnded || !this.stream) return;
    await this.#endInTime(() => this.#suspend());
  }

  async abort(): Promise<void> {
    await this.#endInTime(() => this.#abort());
  }

  /** Runs `fn` as the writer's last; waits no longer for it than for KV, for whoever hears of it has waited already. */
  async #endInTime(fn: () => Promise<void>): Promise<void> {
    this.#isClosed = true;
    const ended = this.#inTurn(fn);
    let cancel = () => {};
    const timeout = new Promise<never>((_, reject) => {
      const late = () => reject(unavailable("Cannot end the upload: the stores do not answer"));
      cancel = this.o.clock.setTimer(KV_TIMEOUT_MS, late);
    });
    try {
      await Promise.race([ended, timeout]);
    } finally {
      cancel();
    }
  }

  /** Runs when everything before has ended, well or not: chunks, the timer and the end of the call come as they like. */
  #inTurn<T>(fn: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(fn);
    this.#queue = done.catch(() => {});
    return done;
  }

  #assertOpen(): void {
    if (this.#isClosed) throw unavailable("Cannot write to the upload: its call has ended");
  }

  #end(): void {
    this.#isClosed = this.#isEnded = true;
    this.#cancelTimer?.();
  }

  /** Only when all was written: what was given up may still be read. */
  #giveBlocks(): void {
    for (const buffer of [this.#buffer, this.#spare]) this.o.spareBlocks.give(buffer);
    this.#buffer = this.#spare = new Uint8Array(0);
  }

  async #abort(): Promise<void> {
    if (this.#isEnded) return;
    this.#end();
    await this.#writing.catch(() => {});
    const { claim, output } = this.upload;
    await output.seal();
    if (claim.versionstamp === null) return;
    const { blobId, epoch } = claim.origin;
    // Bytes that nothing can make visible any more go at once: on a full disk, KV could not even give up their claim.
    if (!this.#finishing) await this.o.blobs.remove(blobId, epoch).catch(() => {});
    // Else the claim goes first: while it stands, a commit that KV has not answered may still make the file visible.
    const key = blobKey(blobId);
    const deletions: Mutation[] = [{ type: "delete", key }];
    for await (const page of this.o.kv.pages({ prefix: blocksPrefix(blobId) })) {
      for (const { key } of page) deletions.push({ type: "delete", key });
    }
    const released = await this.o.kv.atomic([{ key, versionstamp: claim.versionstamp }], deletions);
    if (released !== undefined) await this.o.blobs.remove(blobId, epoch);
  }

  async #suspend(): Promise<void> {
    if (this.#isEnded) return;
    this.#end();
    const { claim, output } = this.upload;
    try {
      await this.#passOn({ all: true });
      await this.#writing;
      this.#giveBlocks();
    } finally {
      await output.seal().catch(() => {});
      const hash = output.committedHash;
      if (hash && claim.position.length > 0) this.upload.kept.keep(claim.origin.blobId, claim.position.length, hash);
      else this.upload.hash.drop();
    }
  }

  /** Lets the buffer grow with what arrives: a small file must not cost a whole block. */
  #makeRoom(length: number): void {
    if (length <= this.#buffer.length) return;
    const larger = this.o.spareBlocks.take() ??
      new Uint8Array(Math.min(Math.max(length, this.#buffer.length * 2), BLOCK_BYTES));
    larger.set(this.#buffer.subarray(0, this.#filled));
    this.#buffer = larger;
  }

  #setTimer(): void {
    this.#cancelTimer ??= this.o.clock.setTimer(UPLOAD_COMMIT_MS, () => {
      this.#cancelTimer = undefined;
      // What fails here fails what comes next too.
      this.#inTurn(() => this.#commitInTime()).catch(() => {});
    });
  }

  /** Commits what came in the last second; when nothing did, also what a store of large objects would leave for later. */
  async #commitInTime(): Promise<void> {
    if (this.#isEnded) return;
    const isQuiet = this.#received === this.#receivedBefore;
    this.#receivedBefore = this.#received;
    if (!isQuiet) this.#setTimer();
    await this.#passOn({ all: isQuiet });
  }

  /** Has what is in the buffer written, and committed where `commit` is given; resolves when there is a buffer again. */
  async #passOn(commit?: { readonly all: boolean }): Promise<void> {
    await this.#writing;
    const block = this.#buffer.subarray(0, this.#filled);
    const chunks = this.#chunks;
    [this.#buffer, this.#spare] = [this.#spare, this.#buffer];
    this.#filled = this.#chunks = 0;
    this.#writing = this.#write(block, chunks, commit);
    // Looked at when the next block is passed on; until then a failure must not end the process.
    this.#writing.catch(() => {});
  }

  async #write(block: Uint8Array, chunks: number, commit: { readonly all: boolean } | undefined): Promise<void> {
    const { output } = this.upload;
    if (block.length > 0) await output.write(block, chunks);
    if (commit) await output.commit(commit.all);
  }
}
