/**
 * Writers that live as long as a program: items are put in one by one, whenever they come up.
 *
 * @module
 */
import type { SendOptions } from "./collect.ts";
import type { Core } from "./core.ts";
import { Code } from "./deps.ts";
import { SluiceError } from "./errors.ts";
import { ItemsFeed } from "./items_feed.ts";
import type { Kind } from "./kinds.ts";
import { MAX_UNAWAITED_BYTES } from "./limits.ts";
import { PushProducer } from "./producers.ts";
import { Meter, type Progress } from "./progress.ts";
import { ItemRefused } from "./refused.ts";
import { Sender } from "./sender.ts";
import { newStreamId } from "./stream_id.ts";
import type { FieldWriter } from "./writer.ts";

/** How a writer sends. */
export type WriterOptions = Omit<SendOptions, "streamId">;

/**
 * A stream that stays open. What is written goes out after 100 ms, or when there is enough for a body chunk, and is
 * committed every 5 s (where windows are sent whole, it goes out after a second); `flush()` does so at once.
 */
export interface ItemWriter<T, R> extends AsyncDisposable {
  readonly streamId: string;
  /** How far the stream is, in items. */
  readonly progress: Progress;
  /**
   * Takes an item. A promise is returned only when there is no room: wait for it before you write on.
   *
   * @throws {SluiceError} `item` if it has not the shape of one: the stream goes on without it; what ended the stream,
   * if it has ended; `resource_exhausted` if the caller does not wait when told to.
   */
  write(item: T): Promise<void> | undefined;
  /**
   * Resolves when all that has been written is committed, with the number of items that are.
   *
   * @throws {SluiceError} What ended the stream.
   */
  flush(): Promise<number>;
  /**
   * Ends the stream.
   *
   * @returns its receipt, when all of it is committed.
   * @throws {SluiceError} What ended the stream before that.
   */
  close(): Promise<R>;
}

/** Opens a writer. */
export function createItemWriter<T, R>(
  core: Core,
  kind: Kind<R>,
  write: (writer: FieldWriter, item: T, index: number) => void,
  options: WriterOptions = {},
): ItemWriter<T, R> {
  return new LongWriter(core, kind, write, options);
}

class LongWriter<T, R> implements ItemWriter<T, R> {
  readonly streamId: string;
  readonly #producer = new PushProducer<T>();
  readonly #feed: ItemsFeed<T>;
  readonly #meter: Meter;
  readonly #receipt: Promise<R>;
  #ended: { error: unknown } | undefined;
  #closed = false;

  constructor(
    core: Core,
    kind: Kind<R>,
    write: (writer: FieldWriter, item: T, index: number) => void,
    { streamName, onProgress, ...options }: WriterOptions,
  ) {
    this.streamId = newStreamId(streamName);
    this.#feed = new ItemsFeed(this.#producer, {
      write,
      clock: core.clock,
      rate: core.rate,
      window: options.window,
    });
    this.#meter = new Meter(this.#feed, core.clock);
    this.#receipt = new Sender(core, kind, this.#feed, {
      ...options,
      streamId: this.streamId,
      onProgress: onProgress && (() => onProgress(this.progress)),
    }).run();
    // Whoever writes, flushes or closes next is told.
    this.#receipt.catch((error) => this.#ended = { error });
  }

  get progress(): Progress {
    return this.#meter.progress;
  }

  write(item: T): Promise<void> | undefined {
    const feed = this.#feed;
    this.#throwIfOver();
    if (feed.held > MAX_UNAWAITED_BYTES) {
      throw this.#error("Cannot write: there is no room, and nobody waits for it", "closed", Code.ResourceExhausted);
    }
    try {
      feed.put(item);
    } catch (error) {
      if (!(error instanceof ItemRefused)) throw error;
      throw this.#error(error.message, "item", Code.InvalidArgument, error.cause);
    }
    if (feed.full) feed.collect();
    this.#producer.put();
    if (!feed.blocked) return undefined;
    const room = this.#room();
    // Who does not wait for it is told by the next call.
    room.catch(() => {});
    return room;
  }

  async flush(): Promise<number> {
    this.#throwIfOver();
    const target = this.#feed.made;
    while (this.#feed.committed < target) {
      this.#feed.flush();
      await this.#change();
    }
    return this.#feed.committed;
  }

  close(): Promise<R> {
    if (!this.#closed) {
      this.#closed = true;
      this.#producer.end();
    }
    return this.#receipt;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #room(): Promise<void> {
    while (this.#feed.blocked) await this.#change();
  }

  /** Something was committed. */
  async #change(): Promise<void> {
    await Promise.race([this.#feed.room(), this.#receipt]);
    if (this.#ended !== undefined) throw this.#ended.error;
  }

  #throwIfOver(): void {
    if (this.#ended !== undefined) throw this.#ended.error;
    if (this.#closed) throw this.#error("The writer was closed", "closed", Code.FailedPrecondition);
  }

  #error(message: string, reason: "closed" | "item", code: Code, cause?: unknown): SluiceError {
    const { streamId } = this;
    return new SluiceError(message, {
      code,
      reason,
      retryable: false,
      cause,
      streamId,
      committed: this.#feed.committed,
    });
  }
}
