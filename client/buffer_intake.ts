/**
 * What is written to an offline buffer: encoded, cut into blocks, and saved one run of blocks after the other. While a
 * disk syncs, the next run comes together.
 *
 * @module
 */
import type { Block, BufferStore } from "./buffer_store.ts";
import { joinBlocks } from "./buffer_store.ts";
import type { Clock } from "./clock.ts";
import { EnvelopeBatch } from "./envelope.ts";
import { BUFFER_UNSAVED_BYTES } from "./limits.ts";
import { FLUSH_MS } from "./producers.ts";
import { ItemRefused } from "./refused.ts";
import type { FieldWriter } from "./writer.ts";

/** What an intake needs. */
export interface IntakeOptions<T> {
  /** Writes the message of an item; `index` counts the items of this run. */
  encode(writer: FieldWriter, item: T, index: number): void;
  clock: Clock;
  /** Items of a block at the most. */
  maxItems: number;
  /** Bytes that the store may take. */
  maxBytes: number;
  /** Told when something was saved. */
  onSaved(): void;
  /** Told that there is no room for more: what is saved had better be committed soon. */
  onFull(): void;
  /** Told that nothing can be saved any more. */
  onFailed(error: unknown): void;
}

export class Intake<T> {
  /** Items that were put. */
  made = 0;
  /** Those that are saved. */
  saved = 0;
  /** Bytes that are not. */
  bytes = 0;
  /** Nothing can be saved any more. */
  failed = false;
  readonly #batch = new EnvelopeBatch();
  /** Items in the batch. */
  #items = 0;
  #blocks: Block[] = [];
  #store: BufferStore | undefined;
  /** Whether nothing in the store waits to be sent. */
  #isIdle: () => boolean = () => false;
  #saving = false;
  #ending = false;
  #cancelTimer: (() => void) | undefined;

  constructor(readonly options: IntakeOptions<T>) {}

  /** Whether there is enough that is not saved. */
  get blocked(): boolean {
    return this.bytes >= BUFFER_UNSAVED_BYTES;
  }

  /** @throws {ItemRefused} for one that cannot be encoded, or is larger than a server takes. */
  put(item: T): void {
    const { encode, clock, maxItems } = this.options;
    this.#batch.begin();
    try {
      encode(this.#batch, item, this.made);
      this.#batch.end();
    } catch (error) {
      this.#batch.abandon();
      throw new ItemRefused(error);
    }
    this.made++;
    this.#items++;
    if (this.#batch.full || this.#items >= maxItems) this.cut();
    else this.#cancelTimer ??= clock.setTimer(FLUSH_MS, () => this.cut());
  }

  /** What there is becomes a block, and is saved. */
  cut(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#batch.empty) return;
    const chunks: Block[] = [];
    while (!this.#batch.empty) chunks.push({ items: 0, bytes: this.#batch.take() });
    const { bytes } = joinBlocks(chunks);
    this.#blocks.push({ items: this.#items, bytes });
    this.#items = 0;
    this.bytes += bytes.length;
    this.go();
  }

  /** The store is open. */
  saveTo(store: BufferStore, isIdle: () => boolean): void {
    this.#store = store;
    this.#isIdle = isIdle;
    this.go();
  }

  /** All that was put is saved, though it be a little more than the store may take. */
  end(): void {
    this.#ending = true;
    this.cut();
    this.go();
  }

  /** Saves what there is room for; there may be more of it than there was. */
  async go(): Promise<void> {
    const store = this.#store;
    if (store === undefined || this.#saving) return;
    this.#saving = true;
    try {
      for (let run; (run = this.#next(store)).length > 0;) {
        await store.append(run);
        for (const { items, bytes } of run) {
          this.saved += items;
          this.bytes -= bytes.length;
        }
        this.options.onSaved();
      }
      if (this.#blocks.length > 0) this.options.onFull();
    } catch (error) {
      this.#store = undefined;
      this.failed = true;
      this.options.onFailed(error);
    }
    this.#saving = false;
  }

  /** Blocks that there is room for. If nothing waits to be sent, there is for one: it may be larger than all of it. */
  #next(store: BufferStore): Block[] {
    let room = this.#ending ? Infinity : this.options.maxBytes - store.bytes;
    const tooLarge = this.#blocks.findIndex(({ bytes }) => (room -= bytes.length) < 0);
    if (tooLarge < 0) return this.#blocks.splice(0);
    return this.#blocks.splice(0, tooLarge === 0 && this.#isIdle() ? 1 : tooLarge);
  }
}
