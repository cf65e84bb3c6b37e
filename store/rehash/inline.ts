/**
 * Reads blobs again on the thread that it is on, some at a time and each in turn.
 *
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import { unavailable } from "../../errors.ts";
import { BLOCK_BYTES, REHASH_SLICE_BYTES, REHASH_TOGETHER } from "../../limits.ts";
import { RunningSums } from "../kv/block_sums.ts";
import type { BlobStore, Piece } from "../types.ts";
import type { BlobDigest, Rehash, RehashJob } from "./rehash.ts";

export function createInlineRehash(blobs: BlobStore): Rehash {
  const jobs = new Set<Job>();
  /** Jobs that have something to read, in turn. */
  const queue: Job[] = [];
  let running = 0;

  async function run(): Promise<void> {
    running++;
    for (let job = queue.shift(); job; job = queue.shift()) {
      await job.readSlice(blobs);
      if (job.isBehind) queue.push(job);
      else job.rest();
    }
    running--;
  }

  return {
    start(blobId) {
      const job = new Job(blobId, () => {
        queue.push(job);
        if (running < REHASH_TOGETHER) void run();
      }, () => jobs.delete(job));
      jobs.add(job);
      return job;
    },
    close() {
      for (const job of [...jobs]) job.cancel();
    },
  };
}

/**
 * ```
 * resting -- follow() of more than was read --> queued, reading -- all was read --> resting
 *                                                  \-- failed, or cancel() --> ended
 * ```
 */
class Job implements RehashJob {
  readonly #hash: Hash = createHash("sha256");
  readonly #sums = new RunningSums();
  #pieces: readonly Piece[] = [];
  #end = 0;
  #isQueued = false;
  #failure: { readonly error: unknown } | undefined;
  #waiting: { resolve(digest: BlobDigest): void; reject(error: unknown): void }[] = [];

  constructor(
    private readonly blobId: string,
    private readonly enqueue: () => void,
    private readonly onEnd: () => void,
  ) {}

  get isBehind(): boolean {
    return !this.#failure && this.#sums.length < this.#end;
  }

  follow(pieces: readonly Piece[]): void {
    this.#pieces = pieces;
    this.#end = pieces.reduce((sum, { length }) => sum + length, 0);
    if (this.#isQueued || !this.isBehind) return;
    this.#isQueued = true;
    this.enqueue();
  }

  digest(): Promise<BlobDigest> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      if (!this.#isQueued) this.#answer();
    });
  }

  cancel(): void {
    this.#fail(unavailable("Cannot tell the file's SHA-256: its bytes are not read any more"));
  }

  /** Reads on, up to REHASH_SLICE_BYTES. Never throws. */
  async readSlice(blobs: BlobStore): Promise<void> {
    const start = this.#sums.length;
    const end = Math.min(this.#end, (Math.floor(start / BLOCK_BYTES) * BLOCK_BYTES) + REHASH_SLICE_BYTES);
    try {
      if (this.#failure) return;
      for await (const data of blobs.read(this.blobId, this.#pieces, { start, end })) {
        if (this.#failure) return;
        this.#hash.update(data);
        this.#sums.add(data);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /** All was read for now. */
  rest(): void {
    this.#isQueued = false;
    this.#answer();
  }

  #answer(): void {
    const waiting = this.#waiting.splice(0);
    for (const { resolve, reject } of waiting) {
      if (this.#failure) reject(this.#failure.error);
      else resolve({ sha256: new Uint8Array(this.#hash.copy().digest()), sums: this.#sums.all() });
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.onEnd();
    this.#answer();
  }
}
