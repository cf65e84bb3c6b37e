/**
 * The SHA-256 of a file that is being written: kept up as bytes come, or, where what came before is not in memory any
 * more, found by reading again what is stored, behind the writer.
 *
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import type { Clock } from "../../clock.ts";
import { dataLoss } from "../../errors.ts";
import { BLOCK_BYTES, BLOCKS_PER_VALUE, KEPT_HASH_MS, MAX_KEPT_HASHES } from "../../limits.ts";
import type { Rehash, RehashJob } from "../rehash/rehash.ts";
import type { Piece } from "../types.ts";
import { decodeBlockSums, type SumsPosition } from "./block_sums.ts";
import { blocksKey } from "./keys.ts";
import type { KvClient } from "./kv.ts";

export interface RunningHash {
  /** Whether bytes have to be committed before they count. */
  readonly followsCommits: boolean;
  update(data: Uint8Array): void;
  /** The hash of what has come so far, to go on with from there; undefined where that needs reading. */
  snapshot(): RunningHash | undefined;
  /** These pieces are committed. */
  committed(pieces: readonly Piece[]): void;
  /** Of all bytes, which end at `position`. DATA_LOSS if what is stored is damaged. */
  digest(position: SumsPosition): Promise<Uint8Array>;
  /** It is not needed any more. */
  drop(): void;
}

/** Of bytes that all pass by. */
export class DirectHash implements RunningHash {
  readonly followsCommits = false;

  constructor(private readonly hash: Hash = createHash("sha256")) {}

  update(data: Uint8Array): void {
    this.hash.update(data);
  }

  snapshot(): DirectHash {
    return new DirectHash(this.hash.copy());
  }

  committed(): void {}

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.hash.copy().digest());
  }

  drop(): void {}
}

/** Of a file whose beginning is read again. */
export class RebuiltHash implements RunningHash {
  readonly followsCommits = true;
  readonly #job: RehashJob;

  constructor(private readonly kv: KvClient, private readonly blobId: string, rehash: Rehash) {
    this.#job = rehash.start(blobId);
  }

  update(): void {}

  snapshot(): undefined {}

  committed(pieces: readonly Piece[]): void {
    this.#job.follow(pieces);
  }

  async digest({ length, tailSum }: SumsPosition): Promise<Uint8Array> {
    const { sha256, sums } = await this.#job.digest();
    // What a disk has damaged since must not pass for a mistake of the client's.
    const full = Math.floor(length / BLOCK_BYTES);
    if (length % BLOCK_BYTES > 0 && sums[full] !== tailSum) throw this.#damaged(full);
    for (let first = 0; first < full; first += BLOCKS_PER_VALUE) {
      const { value } = await this.kv.get(blocksKey(this.blobId, first / BLOCKS_PER_VALUE));
      const stored = decodeBlockSums(value, Math.min(full - first, BLOCKS_PER_VALUE));
      const wrong = stored.findIndex((sum, i) => sum !== sums[first + i]);
      if (wrong >= 0) throw this.#damaged(first + wrong);
    }
    return sha256;
  }

  drop(): void {
    this.#job.cancel();
  }

  #damaged(block: number) {
    return dataLoss(`Block ${block} of the upload is damaged: its checksum is not the one it was stored with`);
  }
}

interface Kept {
  readonly hash: RunningHash;
  readonly position: number;
  readonly until: number;
}

/** Hashes of uploads that broke off, for the call that goes on with them. */
export class KeptHashes {
  /** By blob id, the oldest first. */
  readonly #kept = new Map<string, Kept>();
  #cancelTimer: (() => void) | undefined;

  constructor(private readonly clock: Clock) {}

  keep(blobId: string, position: number, hash: RunningHash): void {
    this.#remove(blobId);
    this.#kept.set(blobId, { hash, position, until: this.clock.elapsed() + KEPT_HASH_MS });
    if (this.#kept.size > MAX_KEPT_HASHES) this.#remove(this.#kept.keys().next().value ?? "");
    this.#cancelTimer ??= this.clock.setTimer(KEPT_HASH_MS, () => this.#removeOld());
  }

  /** The hash of a blob's first `position` bytes, if that is what is kept; what else is kept of it is of no use any more. */
  take(blobId: string, position: number): RunningHash | undefined {
    const kept = this.#kept.get(blobId);
    if (kept?.position !== position) {
      this.#remove(blobId);
      return undefined;
    }
    this.#kept.delete(blobId);
    return kept.hash;
  }

  close(): void {
    this.#cancelTimer?.();
    for (const blobId of [...this.#kept.keys()]) this.#remove(blobId);
  }

  #remove(blobId: string): void {
    this.#kept.get(blobId)?.hash.drop();
    this.#kept.delete(blobId);
  }

  #removeOld(): void {
    this.#cancelTimer = undefined;
    for (const [blobId, { until }] of this.#kept) {
      const left = until - this.clock.elapsed();
      if (left > 0) {
        this.#cancelTimer = this.clock.setTimer(left, () => this.#removeOld());
        return;
      }
      this.#remove(blobId);
    }
  }
}
