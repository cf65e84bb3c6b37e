/**
 * The body of a client-streaming call: items are encoded until there is enough for a body chunk, and one chunk is
 * handed over whenever the transport asks for it. So many small messages cost few chunks, and a producer that is
 * faster than the network waits.
 *
 * @module
 */
import { EnvelopeBatch } from "./envelope.ts";

/** How long an encoded item waits for more, ms, when the producer is slow. */
const FLUSH_MS = 100;

/**
 * How long a producer may keep the thread, ms. Deno gives an answer that came early to the caller only when its event
 * loop turns, and a producer that always has more does not let it: the answer would be found when the server has closed
 * the connection, and so not at all (20 of 20 tries).
 */
const TURN_MS = 10;

/** What a {@linkcode BatchedBody} does with its items. */
export interface BatchedBodyOptions<T> {
  /** The message of an item; `index` counts from 0. */
  encode(item: T, index: number): Uint8Array;
  /** Called when a body chunk is handed over, with the number of items so far. */
  onBatch?(items: number): void;
}

/** The body of one call. */
export class BatchedBody<T> {
  /** The body for `fetch`. */
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** What the producer (or the encoder, or a callback) threw. In an object, since anything can be thrown. */
  failure: { error: unknown } | undefined;

  readonly #options: BatchedBodyOptions<T>;
  readonly #batch = new EnvelopeBatch();
  #controller!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  readonly #iterator: Iterator<T> | AsyncIterator<T>;
  #items = 0;
  /** When the event loop is next let turn. */
  #turnEnd = Infinity;
  /** The producer has no more, or has been told that no more is wanted. */
  #producerDone = false;
  /** The body ended, as it should. */
  #sent = false;
  /** The transport or the caller wants no more of it, or it failed. */
  #stopped = false;
  /** An item that was asked for and had not come when a pull handed over what there was. */
  #awaited: Promise<IteratorResult<T>> | undefined;

  constructor(items: Iterable<T> | AsyncIterable<T>, options: BatchedBodyOptions<T>) {
    this.#options = options;
    let fill: () => void | Promise<void>;
    if (Symbol.asyncIterator in items) {
      const iterator = this.#iterator = items[Symbol.asyncIterator]();
      fill = () => this.#fillSlowly(iterator);
    } else {
      const iterator = this.#iterator = items[Symbol.iterator]();
      fill = () => this.#fill(iterator);
    }
    this.stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => this.#pull(fill),
      cancel: () => {
        this.#stopped = true;
        this.#release();
      },
      // Nothing is encoded ahead of what the transport asks for.
    }, { highWaterMark: 0 });
  }

  /** Whether every item has been handed over. */
  get sent(): boolean {
    return this.#sent;
  }

  /** Ends the body as a failed one, so that the server cannot take what came for all there is. */
  stop(reason: unknown): void {
    if (this.#sent || this.#stopped) return;
    this.#stopped = true;
    this.#release();
    this.#controller.error(reason);
  }

  async #pull(fill: () => void | Promise<void>): Promise<void> {
    if (performance.now() > this.#turnEnd) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      this.#turnEnd = performance.now() + TURN_MS;
    }
    if (this.#stopped) return;
    try {
      await fill();
      if (this.#stopped) return;
      if (!this.#batch.empty) {
        this.#controller.enqueue(this.#batch.take());
        this.#options.onBatch?.(this.#items);
      }
    } catch (error) {
      // Once nobody wants the rest, it does not matter that there is none.
      if (this.#stopped) return;
      this.#stopped = true;
      this.failure = { error };
      this.#release();
      throw error;
    }
    // After the first chunk at once, for that is when most bad calls are refused.
    if (this.#turnEnd === Infinity) this.#turnEnd = 0;
    if (this.#producerDone && this.#batch.empty) {
      this.#sent = true;
      this.#controller.close();
    }
  }

  /** No promise per item, for there is nothing to wait for. */
  #fill(iterator: Iterator<T>): void {
    while (!this.#batch.full && !this.#producerDone) {
      this.#take(iterator.next());
    }
  }

  async #fillSlowly(iterator: AsyncIterator<T>): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let late: Promise<"flush"> | undefined;
    try {
      while (!this.#batch.full && !this.#producerDone) {
        const next = this.#awaited ?? iterator.next();
        this.#awaited = undefined;
        if (this.#batch.empty) {
          this.#take(await next);
          continue;
        }
        late ??= new Promise((resolve) => timer = setTimeout(() => resolve("flush"), FLUSH_MS));
        const result = await Promise.race([next, late]);
        if (result === "flush") {
          this.#awaited = next;
          // It is looked at in the next pull; if there is none any more, nobody wants to know how it ended.
          next.catch(() => {});
          return;
        }
        this.#take(result);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #take(result: IteratorResult<T>): void {
    if (result.done) {
      this.#producerDone = true;
      return;
    }
    this.#batch.add(this.#options.encode(result.value, this.#items));
    this.#items++;
  }

  /** Tells the producer that no more is wanted. Not awaited: a generator that waits for something may never answer. */
  #release(): void {
    if (this.#producerDone) return;
    this.#producerDone = true;
    try {
      const returned: unknown = this.#iterator.return?.();
      if (returned instanceof Promise) returned.catch(() => {});
    } catch {
      // The call has its outcome; what the producer's clean-up throws cannot change it.
    }
  }
}
