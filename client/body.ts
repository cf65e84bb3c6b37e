/**
 * The body of a client-streaming call: items are encoded until there is enough for a body chunk, and one chunk is
 * handed over whenever the transport asks for it. So many small messages cost few chunks, and a producer that is
 * faster than the network waits.
 *
 * @module
 */
import { EnvelopeBatch } from "./envelope.ts";
import type { FieldWriter } from "./writer.ts";

/** How long an encoded item waits for more, ms, when the producer is slow. */
const FLUSH_MS = 100;

/**
 * How long a producer may keep the thread, ms. Deno gives an answer that came early to the caller only when its event
 * loop turns, and a producer that always has more does not let it: the answer would be found when the server has closed
 * the connection, and so not at all (20 of 20 tries).
 */
const TURN_MS = 10;

/** Resolves when the event loop has turned: by a message, for a timer takes 2 ms at the least. */
function eventLoopTurn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      port2.close();
      resolve();
    };
    port2.postMessage(0);
  });
}

/** What a {@linkcode BatchedBody} does with its items. */
export interface BatchedBodyOptions<T> {
  /** Writes the message of an item; `index` counts from 0. */
  write(writer: FieldWriter, item: T, index: number): void;
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
  /** Ends the pull that waits for a slow producer, if one does. */
  #flush: (() => void) | undefined;
  #flushTimer: ReturnType<typeof setTimeout> | undefined;
  /** An item has been asked for, and whoever asked goes on when it comes. */
  #taking = false;
  /** What a slow producer threw, until a pull finds it. */
  #thrown: { error: unknown } | undefined;

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
      await eventLoopTurn();
      this.#turnEnd = performance.now() + TURN_MS;
    }
    if (this.#stopped) return;
    try {
      await fill();
      if (this.#stopped) return;
      if (this.#thrown !== undefined) throw this.#thrown.error;
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

  /** Resolves when there is enough for a chunk, or no more to come, or after FLUSH_MS with what there is. */
  #fillSlowly(iterator: AsyncIterator<T>): Promise<void> {
    return new Promise((resolve) => {
      this.#flush = () => {
        clearTimeout(this.#flushTimer);
        this.#flushTimer = this.#flush = undefined;
        resolve();
      };
      this.#flushIfDue();
      if (!this.#taking) this.#takeSlowly(iterator);
    });
  }

  /**
   * Takes items for as long as a pull waits for them. There is one promise for an item, the producer's own; one timer
   * serves all that go into a chunk. An item that comes after its pull has ended waits in the batch for the next.
   */
  async #takeSlowly(iterator: AsyncIterator<T>): Promise<void> {
    this.#taking = true;
    try {
      while (this.#flush !== undefined) {
        const result = await iterator.next();
        if (this.#stopped) return;
        this.#take(result);
        this.#flushIfDue();
      }
    } catch (error) {
      this.#thrown = { error };
      this.#flushIfDue();
    }
    this.#taking = false;
  }

  #flushIfDue(): void {
    if (this.#flush === undefined) return;
    if (this.#batch.full || this.#producerDone || this.#thrown !== undefined) this.#flush();
    else if (!this.#batch.empty) this.#flushTimer ??= setTimeout(() => this.#flush?.(), FLUSH_MS);
  }

  #take(result: IteratorResult<T>): void {
    if (result.done) {
      this.#producerDone = true;
      return;
    }
    this.#batch.begin();
    this.#options.write(this.#batch, result.value, this.#items);
    this.#batch.end();
    this.#items++;
  }

  /** Tells the producer that no more is wanted. Not awaited: a generator that waits for something may never answer. */
  #release(): void {
    if (this.#producerDone) return;
    this.#producerDone = true;
    this.#flush?.();
    try {
      const returned: unknown = this.#iterator.return?.();
      if (returned instanceof Promise) returned.catch(() => {});
    } catch {
      // The call has its outcome; what the producer's clean-up throws cannot change it.
    }
  }
}
