/**
 * A running SHA-256 in a worker, for browsers. The worker's script is a text (scripts/client_module.ts makes it of
 * hash_worker_script.ts), which becomes a Blob: so the client stays one file, wherever it was loaded from.
 *
 * @module
 */
import { HASH_WORKER_JS } from "../gen/client/hash_worker.ts";
import type { RunningHash } from "./hash.ts";
import { HASH_QUEUE_BYTES } from "./limits.ts";

/** What the worker says: that it is there, how many bytes it has taken, or the digest. */
type Message = "ready" | number | { digest: string };

/** Undefined where there are no workers, or a page's policy forbids this one. */
export async function createWorkerHash(): Promise<RunningHash | undefined> {
  if (typeof Worker === "undefined") return undefined;
  const url = URL.createObjectURL(new Blob([HASH_WORKER_JS], { type: "text/javascript" }));
  let worker: Worker | undefined;
  try {
    worker = new Worker(url);
    await new Promise((resolve, reject) => {
      worker!.onmessage = resolve;
      worker!.onerror = reject;
    });
    return new WorkerHash(worker);
  } catch {
    worker?.terminate();
    return undefined;
  } finally {
    URL.revokeObjectURL(url);
  }
}

class WorkerHash implements RunningHash {
  /** Bytes that the worker has not taken yet. */
  #waiting = 0;
  #onRoom = () => {};
  #onDigest: (digest: string) => void = () => {};
  #fail: (error: unknown) => void = () => {};
  readonly #failed = new Promise<never>((_, reject) => this.#fail = reject);

  constructor(readonly worker: Worker) {
    // Whoever waits is told.
    this.#failed.catch(() => {});
    worker.onerror = ({ message }) => this.#fail(new Error(`The worker that makes checksums has failed: ${message}`));
    worker.onmessage = ({ data }: MessageEvent<Message>) => {
      if (typeof data === "object") return this.#onDigest(data.digest);
      this.#waiting -= Number(data);
      if (this.#waiting <= HASH_QUEUE_BYTES) this.#onRoom();
    };
  }

  update(data: Uint8Array): Promise<void> | undefined {
    // Copied to the worker, for the same bytes are sent too; of a view, all that it is a view of would be.
    this.worker.postMessage(data.length === data.buffer.byteLength ? data : data.slice());
    this.#waiting += data.length;
    if (this.#waiting <= HASH_QUEUE_BYTES) return undefined;
    return Promise.race([this.#failed, new Promise<void>((resolve) => this.#onRoom = resolve)]);
  }

  async digest(): Promise<string> {
    this.worker.postMessage("digest");
    try {
      return await Promise.race([this.#failed, new Promise<string>((resolve) => this.#onDigest = resolve)]);
    } finally {
      this.close();
    }
  }

  close(): void {
    this.worker.terminate();
  }
}
