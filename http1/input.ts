import type { Http1Socket } from "./types.ts";

/** Bytes of the buffer of a connection without a body. */
const SMALL_BUFFER_BYTES = 4_096;

/**
 * What arrives: one buffer, of which `start` to `end` has not been taken. At most one read is pending; the buffer is
 * not moved or given away meanwhile.
 */
export class Input {
  buffer: Uint8Array<ArrayBuffer>;
  start = 0;
  end: number;
  /** The client will send no more. */
  ended = false;
  failure: unknown;
  bytesReceived: number;
  /** Bytes that the next reads may want room for. */
  hint = SMALL_BUFFER_BYTES;
  /** Called once, when the client has sent its last or the socket has failed. */
  onEnd: (() => void) | undefined;
  #reading = false;
  #watching = false;
  /** Bytes that may yet be dropped as they arrive. */
  #discardBytes = 0;
  #waiter: { resolve(more: boolean): void; reject(error: unknown): void } | undefined;

  constructor(readonly socket: Http1Socket, initialBytes: Uint8Array | undefined) {
    const count = initialBytes?.length ?? 0;
    this.buffer = new Uint8Array(Math.max(SMALL_BUFFER_BYTES, count));
    if (initialBytes) this.buffer.set(initialBytes);
    this.end = this.bytesReceived = count;
  }

  get length(): number {
    return this.end - this.start;
  }

  /** Resolves when there is more than before; false: there will be no more. Rejects if the socket failed. */
  fill(): Promise<boolean> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    if (this.ended) return Promise.resolve(false);
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
      if (!this.#reading) this.#read();
    });
  }

  /** Reads ahead as long as the buffer has room, so that the end is noticed while nobody waits. */
  watch(): void {
    this.#watching = true;
    if (!this.#reading && !this.ended && this.failure === undefined) this.#readIfRoom();
  }

  /** Drops what has arrived and what arrives while nobody waits, up to `bytes`: nothing that comes will be served. */
  discard(bytes: number): void {
    this.#discardBytes = bytes;
    this.start = this.end;
    this.watch();
  }

  /** Stops reading ahead; a read that is pending stays so. */
  unwatch(): void {
    this.#watching = false;
  }

  /** Whoever waits gets `error`; the socket goes on. */
  interrupt(error: unknown): void {
    this.#waiter?.reject(error);
    this.#waiter = undefined;
  }

  /** Rooms for bodies are given back when a connection is idle. */
  shrink(): void {
    this.hint = SMALL_BUFFER_BYTES;
    if (!this.#reading && this.start === this.end && this.buffer.length > SMALL_BUFFER_BYTES) {
      this.buffer = new Uint8Array(SMALL_BUFFER_BYTES);
      this.start = this.end = 0;
    }
  }

  /**
   * The bytes `from` to `to`, which stay valid, and all up to `next` is taken. If they are most of the buffer it is
   * given away: a copy would need as much memory and take longer. Of less, a copy does not hold the rest in memory.
   */
  take(from: number, to: number, next: number): Uint8Array {
    const count = to - from;
    const rest = this.end - next;
    this.start = next;
    if (this.#reading || count * 2 < this.buffer.length || rest > count || count < SMALL_BUFFER_BYTES) {
      return this.buffer.slice(from, to);
    }
    const value = this.buffer.subarray(from, to);
    const left = this.buffer.subarray(next, this.end);
    // Without a rest, a new one is made when there is something to read.
    this.buffer = new Uint8Array(rest > 0 ? Math.max(this.hint, rest) : 0);
    this.buffer.set(left);
    this.start = 0;
    this.end = rest;
    return value;
  }

  #readIfRoom(): void {
    if (this.start === this.end || this.end < this.buffer.length) this.#read();
  }

  #read(): void {
    this.#makeRoom();
    this.#reading = true;
    this.socket.read(this.buffer.subarray(this.end)).then(this.#onRead, this.#onError);
  }

  #makeRoom(): void {
    if (this.start === this.end) {
      this.start = this.end = 0;
      if (this.buffer.length < this.hint) this.buffer = new Uint8Array(this.hint);
      return;
    }
    const { length } = this.buffer;
    if (length >= this.hint && length - this.end >= length / 2) return;
    // Whoever takes nothing of a full buffer needs more; limits end that.
    const wanted = Math.max(this.hint, this.length * 2 > length ? length * 2 : length);
    const target = wanted > length ? new Uint8Array(wanted) : this.buffer;
    target.set(this.buffer.subarray(this.start, this.end));
    this.buffer = target;
    this.end -= this.start;
    this.start = 0;
  }

  readonly #onRead = (count: number | null): void => {
    this.#reading = false;
    if (count === null) this.ended = true;
    else {
      this.end += count;
      this.bytesReceived += count;
    }
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (!waiter && this.#discardBytes > 0) {
      this.#discardBytes -= count ?? 0;
      this.start = this.end;
    }
    waiter?.resolve(count !== null);
    if (count === null) this.onEnd?.();
    else if (!waiter && this.#watching) this.#readIfRoom();
  };

  readonly #onError = (error: unknown): void => {
    this.#reading = false;
    this.failure = error ?? new Error("the socket failed");
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.reject(this.failure);
    this.onEnd?.();
  };
}
