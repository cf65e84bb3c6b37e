/**
 * Writes one file: blocks of 1 MiB go to a piece of the blob while the next one is hashed, progress is committed with the
 * block checksums, and the last commit makes the file visible.
 *
 * The claim (BlobRecord) is written before the piece, moves with every commit, and is checked by every commit. So the
 * sweep, which takes an expired claim first and its pieces afterwards, can never take the bytes of a file that finishes:
 * one of the two loses its check. A crash leaves the claim with what it names, and the sweep finds both.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { ulid } from "ulid";
import type { Clock } from "../../clock.ts";
import { dataLoss, unavailable } from "../../errors.ts";
import { BlobRecordSchema, FileRecordSchema } from "../../gen/sluice/store/v1/records_pb.ts";
import { BLOCK_BYTES, BLOCKS_PER_VALUE, KIB, UPLOAD_COMMIT_MS } from "../../limits.ts";
import { FORMAT } from "../format/value.ts";
import type { FreeSpace } from "../free_space.ts";
import type { BlobStore, FileInfo, FileWriter, Mutation, PieceWriter } from "../types.ts";
import { blockSum, encodeBlockSums } from "./block_sums.ts";
import { type Committer, ConflictError } from "./committer.ts";
import { blobKey, blocksKey, fileKey } from "./keys.ts";
import type { KvClient } from "./kv.ts";
import { encodeRecord } from "./records.ts";

/** Without a stream to resume there is one writer, hence one epoch. */
const EPOCH = 1;
/** Bytes of a writer's first buffer: more than most small files have. */
const FIRST_BUFFER_BYTES = 16 * KIB;
/** Full values of block checksums that may wait for a commit: they must fit it beside the bytes of a KV piece. */
const MAX_WAITING_BLOCK_VALUES = 4;

export interface FileWriterOptions {
  readonly kv: KvClient;
  readonly committer: Committer;
  readonly blobs: BlobStore;
  readonly space: FreeSpace;
  readonly clock: Clock;
  /** How long an upload may stand still, ms. */
  readonly uploadExpiry: number;
}

/** Claims a new blob and begins its piece. */
export async function createFileWriter(options: FileWriterOptions, tenant: string): Promise<FileWriter> {
  await options.space.ensure();
  const id = ulid(options.clock.now());
  const writer = new KvFileWriter(options, tenant, id);
  await writer.claim();
  return writer;
}

class KvFileWriter implements FileWriter {
  #piece: PieceWriter | undefined;
  #versionstamp: string | null = null;
  readonly #sha256 = createHash("sha256");
  #size = 0;
  /** The block that is being filled, and the one before it, which is being written: two buffers that change places. */
  #block = new Uint8Array(FIRST_BUFFER_BYTES);
  #blockLength = 0;
  #spare = new Uint8Array(0);
  #writing: Promise<void> = Promise.resolve();
  /** Of the blocks that are written. */
  readonly #sums: number[] = [];
  /** Values of 1,000 of them that are committed. */
  #committedBlockValues = 0;
  #lastCommit: number;
  /** Whether the commit that makes the file visible has been tried. */
  #finishing = false;

  constructor(private readonly o: FileWriterOptions, private readonly tenant: string, private readonly id: string) {
    this.#lastCommit = o.clock.now();
  }

  async claim(): Promise<void> {
    await this.#commit([], []);
    try {
      this.#piece = await this.o.blobs.create(this.id, EPOCH);
    } catch (error) {
      await this.abort().catch(() => {});
      throw error;
    }
  }

  async append(data: Uint8Array): Promise<void> {
    this.#sha256.update(data);
    this.#size += data.length;
    let rest = data;
    while (rest.length > 0) {
      const part = rest.subarray(0, BLOCK_BYTES - this.#blockLength);
      this.#makeRoom(this.#blockLength + part.length);
      this.#block.set(part, this.#blockLength);
      this.#blockLength += part.length;
      rest = rest.subarray(part.length);
      if (this.#blockLength === BLOCK_BYTES) await this.#endBlock();
    }
    // However slowly it comes, an upload that moves does not stand still.
    if (this.#isDue) {
      await this.#writing;
      if (this.#isDue) await this.#commitProgress(this.#openPiece());
    }
  }

  async finish(file: { name: string; contentType: string; chunkCount: number; sha256?: string }): Promise<FileInfo> {
    if (this.#blockLength > 0) await this.#endBlock();
    await this.#writing;
    const digest = this.#sha256.digest();
    const sha256 = digest.toString("hex");
    if (file.sha256 !== undefined && file.sha256 !== sha256) {
      throw dataLoss(`Cannot accept the file: its SHA-256 is ${sha256}, and file_checksum says ${file.sha256}`);
    }
    const piece = this.#openPiece();
    const { length, mutations } = await piece.sync();
    await piece.seal();
    this.#piece = undefined;
    this.#finishing = true;
    const createdAt = this.o.clock.now();
    const record = encodeRecord(FileRecordSchema, FORMAT.file, 0, {
      fileName: file.name,
      size: BigInt(this.#size),
      sha256: digest,
      chunkCount: BigInt(file.chunkCount),
      contentType: file.contentType,
      createdAt: BigInt(createdAt),
      pieces: [{ epoch: EPOCH, length: BigInt(length) }],
    });
    await this.#commit(
      [
        ...mutations,
        ...this.#blockValues(true),
        { type: "set", key: fileKey(this.tenant, this.id), value: record },
      ],
      [{ epoch: EPOCH, length: BigInt(length) }],
      true,
    );
    return {
      id: this.id,
      name: file.name,
      size: this.#size,
      sha256,
      contentType: file.contentType,
      chunkCount: file.chunkCount,
      createdAt,
    };
  }

  async abort(): Promise<void> {
    await this.#writing.catch(() => {});
    await this.#piece?.seal();
    this.#piece = undefined;
    if (this.#versionstamp === null) return;
    // Bytes that nothing can make visible any more go at once: on a full disk, KV could not even give up their claim.
    if (!this.#finishing) await this.o.blobs.remove(this.id, EPOCH).catch(() => {});
    // Else the claim goes first: while it stands, a commit that KV has not answered may still make the file visible.
    const released = await this.o.kv.atomic(
      [{ key: blobKey(this.id), versionstamp: this.#versionstamp }],
      [
        { type: "delete", key: blobKey(this.id) },
        ...this.#blockKeys().map((key) => ({ type: "delete" as const, key })),
      ],
    );
    if (released !== undefined) await this.o.blobs.remove(this.id, EPOCH);
  }

  /** Whether progress has to be committed; a clock that was set back must not put that off. */
  get #isDue(): boolean {
    return Math.abs(this.o.clock.now() - this.#lastCommit) >= UPLOAD_COMMIT_MS;
  }

  #openPiece(): PieceWriter {
    if (!this.#piece) throw new Error("a file was written to after its end");
    return this.#piece;
  }

  /** Lets the buffer grow with what arrives: a small file must not cost a whole block. */
  #makeRoom(length: number): void {
    if (length <= this.#block.length) return;
    const larger = new Uint8Array(Math.min(Math.max(length, this.#block.length * 2), BLOCK_BYTES));
    larger.set(this.#block.subarray(0, this.#blockLength));
    this.#block = larger;
  }

  async #endBlock(): Promise<void> {
    await this.#writing;
    const block = this.#block.subarray(0, this.#blockLength);
    [this.#block, this.#spare] = [this.#spare, this.#block];
    this.#blockLength = 0;
    this.#writing = this.#write(block);
    // Looked at when the next block is full; until then a failure must not end the process.
    this.#writing.catch(() => {});
  }

  /** Writes a block; afterwards its buffer is free. */
  async #write(block: Uint8Array<ArrayBuffer>): Promise<void> {
    const piece = this.#openPiece();
    const sum = blockSum(block);
    await this.#append(piece, block);
    this.#sums.push(sum);
    const waiting = Math.floor(this.#sums.length / BLOCKS_PER_VALUE) - this.#committedBlockValues;
    if (this.#isDue || waiting >= MAX_WAITING_BLOCK_VALUES) await this.#commitProgress(piece);
  }

  async #append(piece: PieceWriter, block: Uint8Array): Promise<void> {
    await this.o.space.ensure(block.length);
    let rest = block;
    while (rest.length > 0) {
      if (piece.room === 0) await this.#commitProgress(piece);
      const part = rest.subarray(0, piece.room);
      await piece.append(part);
      rest = rest.subarray(part.length);
    }
  }

  async #commitProgress(piece: PieceWriter): Promise<void> {
    const { length, mutations } = await piece.sync();
    await this.#commit([...mutations, ...this.#blockValues(false)], [{ epoch: EPOCH, length: BigInt(length) }]);
  }

  /** Moves the claim, together with `mutations`. */
  async #commit(mutations: Mutation[], pieces: { epoch: number; length: bigint }[], finished = false): Promise<void> {
    this.#lastCommit = this.o.clock.now();
    const key = blobKey(this.id);
    const claim = encodeRecord(BlobRecordSchema, FORMAT.blob, finished ? 0 : this.#lastCommit + this.o.uploadExpiry, {
      tenant: this.tenant,
      finished,
      epoch: EPOCH,
      committed: pieces.reduce((sum, { length }) => sum + length, 0n),
      pieces,
      commitId: ulid(this.#lastCommit),
    });
    try {
      this.#versionstamp = await this.o.committer.commit({
        checks: [{ key, versionstamp: this.#versionstamp }],
        mutations: [...mutations, { type: "set", key, value: claim }],
        proof: { key, value: claim },
      });
    } catch (error) {
      if (error instanceof ConflictError) throw unavailable("Cannot go on with the upload: it has expired", error);
      throw error;
    }
  }

  /** The checksums of blocks in values of 1,000 that no commit has had yet; a partial one only at the end. */
  #blockValues(all: boolean): Mutation[] {
    const mutations: Mutation[] = [];
    for (;;) {
      const n = this.#committedBlockValues;
      const sums = this.#sums.slice(n * BLOCKS_PER_VALUE, (n + 1) * BLOCKS_PER_VALUE);
      if (sums.length === 0 || (sums.length < BLOCKS_PER_VALUE && !all)) return mutations;
      mutations.push({ type: "set", key: blocksKey(this.id, n), value: encodeBlockSums(sums) });
      this.#committedBlockValues++;
    }
  }

  #blockKeys(): Deno.KvKey[] {
    return Array.from({ length: this.#committedBlockValues }, (_, n) => blocksKey(this.id, n));
  }
}
