/**
 * Where items come from, seen as one thing: something that fills a sink when it is asked to. There is one promise for
 * an item at the most, the producer's own.
 *
 * @module
 */

/** How long an encoded item waits for more, ms, when the producer is slow. */
export const FLUSH_MS = 100;

/** What is filled. */
export interface Sink<T> {
  /** Whether there is enough for now. */
  readonly full: boolean;
  /** Whether nothing waits to be sent. */
  readonly empty: boolean;
  put(item: T): void;
  /** There are no more. */
  finish(): void;
}

/** Whoever makes items. */
export interface Producer<T> {
  /**
   * Puts items until the sink is full, or no more are to come, or FLUSH_MS after the first of them.
   *
   * @throws What the producer throws, or the sink; at once, or later.
   */
  fill(sink: Sink<T>): void | Promise<void>;
  /** Ends a fill that waits. */
  wake(): void;
  /** No more is wanted. It is not waited for: a generator that waits for something may never answer. */
  release(): void;
}

/** The items of an iterable. */
export function producerOf<T>(items: Iterable<T> | AsyncIterable<T>): Producer<T> {
  return Symbol.asyncIterator in items
    ? new SlowProducer(items[Symbol.asyncIterator]())
    : new FastProducer(items[Symbol.iterator]());
}

/** Of an iterable. No promise per item, for there is nothing to wait for. */
class FastProducer<T> implements Producer<T> {
  #done = false;

  constructor(readonly iterator: Iterator<T>) {}

  fill(sink: Sink<T>): void {
    while (!sink.full && !this.#done) {
      const result = this.iterator.next();
      if (!result.done) sink.put(result.value);
      else {
        this.#done = true;
        sink.finish();
      }
    }
  }

  wake(): void {
    // It never waits.
  }

  release(): void {
    if (!this.#done) returnOf(this.iterator);
    this.#done = true;
  }
}

/** Of an async iterable. One timer serves all items that go into a chunk. */
class SlowProducer<T> implements Producer<T> {
  #done = false;
  /** Ends the fill that waits, if one does. */
  #flush: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** An item has been asked for, and whoever asked goes on when it comes. */
  #taking = false;
  /** What it threw, until a fill finds it. */
  #thrown: { error: unknown } | undefined;

  constructor(readonly iterator: AsyncIterator<T>) {}

  async fill(sink: Sink<T>): Promise<void> {
    if (!this.#done && this.#thrown === undefined) {
      await new Promise<void>((resolve) => {
        this.#flush = () => {
          clearTimeout(this.#timer);
          this.#timer = this.#flush = undefined;
          resolve();
        };
        this.#flushIfDue(sink);
        if (!this.#taking) this.#take(sink);
      });
    }
    if (this.#thrown !== undefined) throw this.#thrown.error;
  }

  wake(): void {
    this.#flush?.();
  }

  release(): void {
    this.#flush?.();
    if (!this.#done) returnOf(this.iterator);
    this.#done = true;
  }

  /** Takes items for as long as a fill waits for them. One that comes after its fill has ended waits in the sink. */
  async #take(sink: Sink<T>): Promise<void> {
    this.#taking = true;
    try {
      while (this.#flush !== undefined) {
        const result = await this.iterator.next();
        if (this.#done) return;
        if (result.done) {
          this.#done = true;
          sink.finish();
        } else {
          sink.put(result.value);
        }
        this.#flushIfDue(sink);
      }
    } catch (error) {
      this.#thrown = { error };
      this.#flush?.();
    }
    this.#taking = false;
  }

  #flushIfDue(sink: Sink<T>): void {
    if (this.#flush === undefined) return;
    if (sink.full || this.#done) this.#flush();
    else if (!sink.empty) this.#timer ??= setTimeout(() => this.#flush?.(), FLUSH_MS);
  }
}

/** Tells an iterator that no more is wanted of it. It is not waited for. */
export function returnOf(iterator: Iterator<unknown> | AsyncIterator<unknown>): void {
  try {
    const returned: unknown = iterator.return?.();
    if (returned instanceof Promise) returned.catch(() => {});
  } catch {
    // The stream has its outcome; what the producer's clean-up throws cannot change it.
  }
}

/** Items that a caller puts in one by one; see long_writer.ts. */
export class PushProducer<T> implements Producer<T> {
  #wake: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sink: Sink<T> | undefined;
  #ended = false;

  fill(sink: Sink<T>): void | Promise<void> {
    this.#sink = sink;
    if (this.#ended) return sink.finish();
    if (sink.full) return;
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.put();
    });
  }

  /** An item was put into the sink. */
  put(): void {
    if (this.#wake === undefined) return;
    if (this.#sink?.full) this.wake();
    else if (!this.#sink?.empty) this.#timer ??= setTimeout(() => this.wake(), FLUSH_MS);
  }

  /** There will be no more. */
  end(): void {
    this.#ended = true;
    this.#sink?.finish();
    this.wake();
  }

  wake(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#wake?.();
    this.#wake = undefined;
  }

  release(): void {
    this.wake();
  }
}
