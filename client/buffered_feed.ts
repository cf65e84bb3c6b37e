/**
 * A stream of an offline buffer on its way: windows of what is saved there, in its order. At the most one window is in
 * memory while another is being filled.
 *
 * @module
 */
import type { OfflineBuffer } from "./buffer.ts";
import { type Block, emptyTooLarge } from "./buffer_store.ts";
import type { Clock } from "./clock.ts";
import { withResolvers } from "./deferred.ts";
import type { OpenWindow } from "./feed.ts";
import { ItemsFeed } from "./items_feed.ts";
import type { WindowLimits } from "./window_limits.ts";
import { BUFFER_READ_BYTES } from "./limits.ts";
import type { Producer, Sink } from "./producers.ts";
import type { RateLimit } from "./rate.ts";
import type { Way } from "./way.ts";

/** How a buffer is sent. */
export interface BufferedFeedOptions {
  clock: Clock;
  rate: RateLimit;
  window?: WindowLimits;
  /** Told of an item that can never be sent, as its sequence and the bytes that it has. */
  onTooLarge(index: number, bytes: number): void;
}

export class BufferedFeed extends ItemsFeed<Block> {
  readonly #buffer: OfflineBuffer;
  readonly #base: number;
  readonly #onTooLarge: BufferedFeedOptions["onTooLarge"];
  /** Position up to which somebody waits for all to be committed. */
  #wanted = 0;

  constructor(buffer: OfflineBuffer, options: BufferedFeedOptions) {
    const producer = new SavedItems(buffer, options.rate.maxItems);
    // Nothing is encoded here.
    super(producer, { ...options, write: () => {} });
    this.#buffer = buffer;
    this.#base = buffer.stream.base;
    this.#onTooLarge = options.onTooLarge;
    this.saved = producer;
  }

  readonly saved: SavedItems;

  override put(block: Block): void {
    const { made } = this;
    const { items, bytes } = emptyTooLarge(block, (index, length) => this.#onTooLarge(made + index, length));
    this.putEncoded(bytes, items);
    const read = this.saved.position;
    if (read >= this.#wanted && read - items < this.#wanted) this.flush();
  }

  /** So much is to be committed soon: the window that holds the last of it does not wait for more. */
  flushTo(position: number): void {
    const read = this.saved.position >= position;
    this.#wanted = Math.max(this.#wanted, position);
    if (read) this.flush();
  }

  override skipTo(committed: number): void {
    this.#buffer.locate(committed);
    super.skipTo(committed);
    this.beginAt(committed);
    this.saved.position = this.#base + committed;
    this.#buffer.moveTo(this.saved.position);
  }

  override commit(committed: number): void {
    super.commit(committed);
    this.#buffer.moveTo(this.#base + committed);
  }

  override hand(chunk: Uint8Array, sent: number, signal: AbortSignal): Promise<void> | undefined {
    if (this.#buffer.stream.open) return super.hand(chunk, sent, signal);
    return this.#buffer.handOver().then(() => super.hand(chunk, sent, signal));
  }

  override open(way: Way, onProgress: () => void): OpenWindow {
    const window = super.open(way, onProgress);
    const { start, end, body, made } = window;
    return {
      ...{ start, end, body, made },
      stop: (reason) => {
        window.stop(reason);
        this.#buffer.handedOver(this.#base + this.sent);
      },
    };
  }
}

/** What is saved of a stream, read from where it is. */
class SavedItems implements Producer<Block> {
  /** Of the next item to be read. */
  position: number;
  #more = withResolvers<void>();

  constructor(readonly buffer: OfflineBuffer, readonly maxItems: number) {
    this.position = buffer.stream.base;
  }

  async fill(sink: Sink<Block>): Promise<void> {
    const { store, stream } = this.buffer;
    const end = stream.end ?? store.end;
    if (this.position < end) {
      const until = Math.min(end, this.position + this.maxItems);
      const block = await store.read(this.position, BUFFER_READ_BYTES, until);
      this.position += block.items;
      sink.put(block);
    } else if (stream.end !== undefined) {
      sink.finish();
    } else {
      await this.#more.promise;
    }
  }

  /** More is saved, or the stream's end is settled, or whoever waits need not any more. */
  wake(): void {
    this.#more.resolve();
    this.#more = withResolvers();
  }

  release(): void {
    this.wake();
  }
}
