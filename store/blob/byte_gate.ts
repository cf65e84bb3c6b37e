/**
 * Bounds how many bytes are in the hands of something that makes copies of them.
 *
 * @module
 */

interface Waiting {
  readonly bytes: number;
  enter(): void;
}

export class ByteGate {
  #inside = 0;
  #waiting: Waiting[] = [];

  /** `limit` in bytes; what is larger than that goes alone. */
  constructor(private readonly limit: number) {}

  /** Runs `fn` once there is room for its bytes, in the order of the calls. Throws the signal's reason if that aborts first. */
  async run<T>(bytes: number, signal: AbortSignal, fn: () => Promise<T>): Promise<T> {
    await this.#enter(bytes, signal);
    try {
      return await fn();
    } finally {
      this.#inside -= bytes;
      this.#admit();
    }
  }

  #enter(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        reject(signal.reason);
        // It may have been in the way of smaller ones.
        this.#admit();
      };
      const waiting = {
        bytes,
        enter() {
          signal.removeEventListener("abort", onAbort);
          resolve();
        },
      };
      signal.addEventListener("abort", onAbort);
      this.#waiting.push(waiting);
      this.#admit();
    });
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      if (this.#inside > 0 && this.#inside + next.bytes > this.limit) return;
      this.#waiting.shift();
      this.#inside += next.bytes;
      next.enter();
    }
  }
}
