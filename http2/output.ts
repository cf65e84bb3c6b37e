/** What an idle connection holds. */
const SMALL_BUFFER_BYTES = 1024;
const EMPTY = new Uint8Array(0);

/** The side of a connection that frames are written to. */
export interface Sink {
  write(bytes: Uint8Array): Promise<number>;
}

/**
 * Gathers frames and writes them to the socket together. Frames are put into `buffer` at what `reserve()` returns; all
 * that is put there in one turn of the event loop is one write, and so is all that is put there during a write.
 */
export class Output {
  buffer: Uint8Array<ArrayBuffer> = EMPTY;
  length = 0;
  bytesSent = 0;
  /** Whether a write is under way. */
  writing = false;
  #spare: Uint8Array<ArrayBuffer> = EMPTY;
  #scheduled = false;
  #failed = false;
  #idle: (() => void)[] = [];
  #relief: (() => void)[] = [];

  constructor(
    readonly sink: Sink,
    /** Called when a write is done and the buffer is empty again. */
    readonly onDrain: () => void,
    readonly onFailure: (error: unknown) => void,
  ) {}

  /** Makes room for `bytes` and returns the offset at which to put them. */
  reserve(bytes: number): number {
    const at = this.length;
    this.length += bytes;
    if (this.length > this.buffer.length) {
      const larger = new Uint8Array(Math.max(this.length, this.buffer.length * 2, SMALL_BUFFER_BYTES));
      larger.set(this.buffer.subarray(0, at));
      this.buffer = larger;
    }
    if (!this.#scheduled && !this.writing) {
      this.#scheduled = true;
      setImmediate(this.#flush);
    }
    return at;
  }

  /** Resolves when all has been written, or the socket has failed. */
  drained(): Promise<void> {
    if (this.#failed || (this.length === 0 && !this.writing)) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Resolves when the write under way is done, or the socket has failed. */
  relieved(): Promise<void> {
    if (this.#failed || this.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#relief.push(resolve));
  }

  /** Lets large buffers go while the connection has nothing to do. */
  shrink(): void {
    if (this.length > 0 || this.writing) return;
    this.buffer = this.#spare = EMPTY;
  }

  readonly #flush = (): void => {
    this.#scheduled = false;
    if (this.length > 0 && !this.writing) void this.#write();
  };

  async #write(): Promise<void> {
    try {
      while (this.length > 0 && !this.#failed) {
        const full = this.buffer;
        const end = this.length;
        this.buffer = this.#spare;
        this.length = 0;
        this.writing = true;
        for (let at = 0; at < end;) {
          const written = await this.sink.write(full.subarray(at, end));
          at += written;
          this.bytesSent += written;
        }
        this.#spare = full;
        settle(this.#relief.splice(0));
        this.onDrain();
      }
    } catch (error) {
      this.#failed = true;
      this.length = 0;
      this.onFailure(error);
    }
    this.writing = false;
    settle(this.#relief.splice(0));
    settle(this.#idle.splice(0));
  }
}

function settle(waiters: readonly (() => void)[]): void {
  for (const resolve of waiters) resolve();
}
