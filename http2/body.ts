/** A chunk is put together from smaller ones up to this size; larger ones are not worth a copy. */
const MAX_JOINED_BYTES = 8_192;

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** What a body needs of its stream. */
export interface BodyOwner {
  /** The handler has taken `bytes`, or will never take them. */
  bodyConsumed(bytes: number): void;
  /** The handler waits, for the first time, for data that has not arrived. */
  bodyWanted(): void;
}

/**
 * The body of a request: a queue between the connection, which pushes, and the handler, which pulls. Its length is
 * bounded by the stream's window.
 */
export class RequestBody implements AsyncIterableIterator<Uint8Array> {
  #chunks: Uint8Array[] = [];
  /** Chunks before this one are taken. */
  #head = 0;
  #ended = false;
  #failure: Error | undefined;
  #abandoned = false;
  #wanted = false;
  #waiter: { resolve(result: IteratorResult<Uint8Array>): void; reject(error: Error): void } | undefined;

  constructor(readonly owner: BodyOwner) {}

  /** Whether the handler waits for data. */
  get waiting(): boolean {
    return this.#waiter !== undefined;
  }

  push(chunk: Uint8Array): void {
    if (this.#abandoned || this.#failure) return this.owner.bodyConsumed(chunk.length);
    const waiter = this.#waiter;
    if (!waiter) {
      this.#chunks.push(chunk);
      return;
    }
    this.#waiter = undefined;
    this.owner.bodyConsumed(chunk.length);
    waiter.resolve({ done: false, value: chunk });
  }

  end(): void {
    this.#ended = true;
    this.#waiter?.resolve(DONE);
    this.#waiter = undefined;
  }

  /** What has not been taken is dropped, and the handler gets `error`. A body that has ended is left as it is. */
  fail(error: Error): void {
    if (this.#failure || (this.#ended && this.#head === this.#chunks.length)) return;
    this.#failure = error;
    this.#drop();
    this.#waiter?.reject(error);
    this.#waiter = undefined;
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#abandoned) return Promise.resolve(DONE);
    if (this.#head < this.#chunks.length) {
      const value = this.#take();
      this.owner.bodyConsumed(value.length);
      return Promise.resolve({ done: false, value });
    }
    if (this.#ended) return Promise.resolve(DONE);
    if (this.#waiter) return Promise.reject(new TypeError("Cannot read the request body: another read is pending"));
    if (!this.#wanted) {
      this.#wanted = true;
      this.owner.bodyWanted();
    }
    return new Promise((resolve, reject) => this.#waiter = { resolve, reject });
  }

  /** The handler reads no more of it (`break` in a `for await` loop); the rest is dropped as it arrives. */
  return(): Promise<IteratorResult<Uint8Array>> {
    this.#abandoned = true;
    this.#drop();
    this.#waiter?.resolve(DONE);
    this.#waiter = undefined;
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next chunk; small ones that wait are joined, so that a handler that lags catches up in few steps. */
  #take(): Uint8Array {
    const first = this.#chunks[this.#head];
    let end = this.#head + 1;
    let bytes = first.length;
    while (end < this.#chunks.length && bytes + this.#chunks[end].length <= MAX_JOINED_BYTES) {
      bytes += this.#chunks[end++].length;
    }
    let value = first;
    if (end > this.#head + 1) {
      value = new Uint8Array(bytes);
      for (let i = this.#head, at = 0; i < end; at += this.#chunks[i++].length) value.set(this.#chunks[i], at);
    }
    this.#head = end;
    if (end === this.#chunks.length) {
      this.#chunks = [];
      this.#head = 0;
    }
    return value;
  }

  #drop(): void {
    let bytes = 0;
    for (; this.#head < this.#chunks.length; this.#head++) bytes += this.#chunks[this.#head].length;
    this.#chunks = [];
    this.#head = 0;
    if (bytes > 0) this.owner.bodyConsumed(bytes);
  }
}
