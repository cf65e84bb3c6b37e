/**
 * Where the bytes of an upload go: to the piece of its epoch, through checksums and hash, and from there, by commits, into
 * what counts.
 *
 * @module
 */
import { BLOCK_BYTES, BLOCKS_PER_VALUE } from "../../limits.ts";
import type { FreeSpace } from "../free_space.ts";
import type { BlobStore, Mutation, Piece, PieceWriter } from "../types.ts";
import type { RunningSums } from "./block_sums.ts";
import type { RunningHash } from "./running_hash.ts";
import type { UploadClaim, UploadPosition } from "./upload_claim.ts";

/** Full values of block checksums that may wait for a commit: they must fit it beside the bytes of a KV piece. */
const MAX_WAITING_BLOCKS = 4 * BLOCKS_PER_VALUE;

export interface UploadOutputOptions {
  readonly blobs: BlobStore;
  readonly space: FreeSpace;
  readonly claim: UploadClaim;
  readonly sums: RunningSums;
  readonly hash: RunningHash;
}

/** What the last commit of a file writes besides. */
export interface Ending {
  /** Besides what moves the claim; they name the file's pieces. */
  mutations(pieces: readonly Piece[]): readonly Mutation[];
  readonly sha256: string;
  readonly at: number;
}

/** The end of an append: up to here bytes can be committed. */
interface Checkpoint extends UploadPosition {
  readonly hash: RunningHash | undefined;
}

export class UploadOutput {
  #piece: PieceWriter | undefined;
  #isSealed = false;
  #pieceLength = 0;
  #chunkCount: number;
  /** Not committed yet. */
  #checkpoints: Checkpoint[] = [];
  /** Of what is committed; undefined where that needs reading. */
  #committedHash: RunningHash | undefined;
  /** Whether the hash could not be told: whoever tries again begins anew. */
  #isHashLost = false;
  /** What went wrong: then nothing more can be written, for it would leave a gap. */
  #failure: { readonly error: unknown } | undefined;

  constructor(private readonly o: UploadOutputOptions) {
    this.#chunkCount = o.claim.position.chunkCount;
    this.#committedHash = this.#snapshot();
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Bytes of the file, committed or not. */
  get length(): number {
    return this.o.sums.length;
  }

  /** A hash of exactly what is committed, to go on with later; undefined where that needs reading. */
  get committedHash(): RunningHash | undefined {
    if (this.#isHashLost) return undefined;
    return this.o.hash.followsCommits ? this.o.hash : this.#committedHash;
  }

  /** Writes bytes in which so many chunks end; afterwards their buffer is free. */
  write(data: Uint8Array, chunks: number): Promise<void> {
    return this.#attempt(async () => {
      const { blobs, space, claim, sums, hash } = this.o;
      await space.ensure(data.length);
      this.#piece ??= await blobs.create(claim.origin.blobId, claim.origin.epoch);
      const piece = this.#piece;
      for (let rest = data; rest.length > 0;) {
        if (piece.room === 0) await this.#commit(false);
        const part = rest.subarray(0, piece.room);
        const appended = piece.append(part);
        // While the disk is at work.
        hash.update(part);
        sums.add(part);
        await appended;
        this.#pieceLength += part.length;
        rest = rest.subarray(part.length);
        if (rest.length === 0) this.#chunkCount += chunks;
        this.#checkpoints.push({ ...this.#here(), hash: this.#snapshot() });
      }
      const waiting = sums.length - claim.position.length;
      if (waiting >= MAX_WAITING_BLOCKS * BLOCK_BYTES) await this.#commit(false);
    });
  }

  /** Commits what is durable; all that was written, if `all`. */
  commit(all: boolean): Promise<void> {
    return this.#attempt(() => this.#commit(all));
  }

  /** SHA-256 of all that was written. */
  async digest(): Promise<Uint8Array> {
    if (this.o.hash.followsCommits) await this.commit(true);
    try {
      return await this.o.hash.digest(this.#here());
    } catch (error) {
      this.#isHashLost = true;
      this.o.hash.drop();
      throw error;
    }
  }

  /** The last commit. All of it is durable then, and the piece sealed. */
  finish(chunkCount: number, ending: Ending): Promise<void> {
    return this.#attempt(async () => {
      const { claim, sums } = this.o;
      const synced = await this.#piece?.sync(true);
      await this.seal();
      const to = { ...this.#here(), chunkCount };
      const values = sums.values(claim.origin.blobId, claim.position, to, true);
      await claim.move(to, [...synced?.mutations ?? [], ...values, ...ending.mutations(claim.pieces(to))], ending);
    });
  }

  /** Nothing more is written. */
  async seal(): Promise<void> {
    if (this.#isSealed) return;
    this.#isSealed = true;
    await this.#piece?.seal();
  }

  async #commit(all: boolean): Promise<void> {
    const { claim, sums, hash } = this.o;
    if (!this.#piece || this.#checkpoints.length === 0) return;
    const { length, mutations } = await this.#piece.sync(all);
    const durable = this.#checkpoints.findLastIndex(({ pieceLength }) => pieceLength <= length);
    if (durable < 0) return;
    const { hash: hashThere, ...to } = this.#checkpoints[durable];
    await claim.move(to, [...mutations, ...sums.values(claim.origin.blobId, claim.position, to, false)]);
    this.#checkpoints.splice(0, durable + 1);
    this.#committedHash = hashThere;
    hash.committed(claim.pieces());
  }

  #here(): UploadPosition {
    const { length, tailSum } = this.o.sums;
    return { length, tailSum, chunkCount: this.#chunkCount, pieceLength: this.#pieceLength };
  }

  /** Only who can come back needs one. */
  #snapshot(): RunningHash | undefined {
    return this.o.claim.origin.stream && this.o.hash.snapshot();
  }

  async #attempt(fn: () => Promise<void>): Promise<void> {
    if (this.#failure) throw this.#failure.error;
    try {
      await fn();
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }
}
