/**
 * Reads blobs again on a thread of their own, which is there only while it is needed.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import { dataLoss, unavailable } from "../../errors.ts";
import { REHASH_IDLE_MS } from "../../limits.ts";
import type { RawConfig } from "../open_raw.ts";
import type { BlobDigest, Rehash, RehashJob } from "./rehash.ts";
import type { Answer, Order } from "./messages.ts";

export function createThreadRehash({ kv, blobs }: RawConfig, clock: Clock): Rehash {
  let thread: Thread | undefined;
  return {
    start(blobId) {
      // One that has died has failed its own jobs only.
      if (!thread?.isAlive) thread = new Thread({ kv, blobs }, clock);
      return thread.start(blobId);
    },
    close: () => thread?.end("the server is stopping"),
  };
}

interface Waiting {
  resolve(digest: BlobDigest): void;
  reject(error: unknown): void;
}

/**
 * ```
 * running -- its last job is cancelled, and REHASH_IDLE_MS pass --> ended
 *    \-- it dies, or end() --> ended: all its jobs are UNAVAILABLE
 * ```
 */
class Thread {
  readonly #worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "hashes" });
  readonly #jobs = new Set<number>();
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;
  #ended: string | undefined;
  #cancelEnd = () => {};

  constructor(config: RawConfig, private readonly clock: Clock) {
    this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => this.#settle(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.end(event.message);
    };
    this.#tell({ type: "open", config });
  }

  get isAlive(): boolean {
    return this.#ended === undefined;
  }

  start(blobId: string): RehashJob {
    const job = ++this.#last;
    this.#cancelEnd();
    this.#jobs.add(job);
    this.#tell({ type: "start", job, blobId });
    return {
      follow: (pieces) => this.#tell({ type: "follow", job, pieces }),
      digest: () => this.#digest(job),
      cancel: () => this.#cancel(job),
    };
  }

  end(reason: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    this.#cancelEnd();
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(this.#failure());
    this.#waiting.clear();
  }

  #tell(order: Order): void {
    if (this.isAlive) this.#worker.postMessage(order);
  }

  #digest(job: number): Promise<BlobDigest> {
    return new Promise((resolve, reject) => {
      if (!this.isAlive || !this.#jobs.has(job)) return reject(this.#failure());
      const id = ++this.#last;
      this.#waiting.set(id, { resolve, reject });
      this.#tell({ type: "digest", job, id });
    });
  }

  #settle({ id, digest, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (digest) waiting?.resolve(digest);
    else waiting?.reject(error?.isDataLoss ? dataLoss(error.message) : this.#failure(error?.message));
  }

  #cancel(job: number): void {
    if (!this.#jobs.delete(job)) return;
    this.#tell({ type: "cancel", job });
    if (this.#jobs.size > 0 || !this.isAlive) return;
    this.#cancelEnd = this.clock.setTimer(REHASH_IDLE_MS, () => this.end("it was idle"));
  }

  #failure(reason = this.#ended ?? "its job has ended") {
    return unavailable(
      `Cannot tell the file's SHA-256: the thread that reads it again does not answer`,
      new Error(reason),
    );
  }
}
