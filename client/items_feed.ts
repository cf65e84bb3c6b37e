/**
 * Points or log entries on their way: encoded once, many into a chunk of a body, kept until they are committed. At the
 * most one window is on its way while another is being filled; then the producer waits.
 *
 * @module
 */
import type { Clock } from "./clock.ts";
import { withResolvers } from "./deferred.ts";
import { EnvelopeBatch } from "./envelope.ts";
import { AHEAD_TURN_MS, type Feed, type OpenWindow, Turns, type WindowSize } from "./feed.ts";
import { STREAMED_WINDOW_MS, WHOLE_WINDOW_MS, WINDOW_ITEMS } from "./limits.ts";
import type { Producer, Sink } from "./producers.ts";
import type { RateLimit } from "./rate.ts";
import { ItemsWindow } from "./items_window.ts";
import { ItemRefused, SourceFailed } from "./refused.ts";
import type { Way } from "./way.ts";
import { checkWindow, type WindowLimits, windowSizeOf } from "./window_limits.ts";
import { Window } from "./windows.ts";
import type { FieldWriter } from "./writer.ts";

/** What a feed of items needs. */
export interface ItemsFeedOptions<T> {
  /** Writes the message of an item; `index` is its sequence. */
  write(writer: FieldWriter, item: T, index: number): void;
  clock: Clock;
  rate?: RateLimit;
  window?: WindowLimits;
  /** How many items there are, if that is known. */
  total?: number;
}

export class ItemsFeed<T> implements Feed, Sink<T> {
  sent = 0;
  bytes = 0;
  failure: { error: unknown } | undefined;
  readonly total: number | undefined;
  readonly size: WindowSize;
  readonly #options: ItemsFeedOptions<T>;
  readonly #batch = new EnvelopeBatch();
  /** One after the other; the last is the one being filled, unless it is sealed. */
  readonly #windows = [new Window(0)];
  readonly #turns = new Turns();
  /** Sequence of the next item. */
  #next = 0;
  /** Items that are committed already, which the producer gives all the same: they are passed over. */
  skipped = 0;
  /** The producer has no more. */
  #done = false;
  #filling: Promise<void> | undefined;
  /** Items since the rate was last asked. */
  #unspent = 0;
  /** Whatever is before it is wanted soon: a window that begins before it does not wait for more. */
  #wanted = 0;
  /** Bytes that are kept, because they are not known to be committed. */
  held = 0;
  /** Resolved, and made anew, when something was committed. */
  #moved = withResolvers<void>();

  constructor(readonly producer: Producer<T>, options: ItemsFeedOptions<T>) {
    checkWindow(options.window);
    this.#options = options;
    this.total = options.total;
    this.size = windowSizeOf(options.window ?? {});
  }

  skipTo(committed: number): void {
    this.skipped = this.sent = committed;
    this.#windows[0].start = committed;
  }

  /** The producer begins there: what is before it is not given again. */
  protected beginAt(sequence: number): void {
    this.#next = sequence;
  }

  get committed(): number {
    return this.#windows[0].start;
  }

  /** How many items there have been. */
  get made(): number {
    return this.#next;
  }

  get end(): number | undefined {
    return this.#done && this.failure === undefined ? this.#next : undefined;
  }

  get drained(): boolean {
    return this.#done && this.committed >= this.#next;
  }

  get full(): boolean {
    return this.#batch.full || this.#unspent >= (this.#options.rate?.maxItems ?? Infinity);
  }

  get empty(): boolean {
    return this.#batch.empty;
  }

  /** Whether a window is on its way and the next is full. */
  get blocked(): boolean {
    return this.#windows[1]?.sealed === true;
  }

  put(item: T): void {
    if (this.#next < this.skipped) {
      this.#next++;
      return;
    }
    this.#batch.begin();
    try {
      this.#options.write(this.#batch, item, this.#next);
      this.#batch.end();
    } catch (error) {
      this.#batch.abandon();
      throw new ItemRefused(error);
    }
    this.#next++;
    this.#unspent++;
    this.#filled.items++;
  }

  /** Takes whole messages that are encoded already. */
  protected putEncoded(bytes: Uint8Array<ArrayBuffer>, items: number): void {
    const window = this.#filled;
    this.#push(window, bytes);
    window.items += items;
    this.#next = window.end;
    this.#unspent += items;
  }

  finish(): void {
    if (this.#next < this.skipped) {
      const error = new SourceFailed(`The stream already has ${this.skipped} items, and was given ${this.#next}`);
      this.failure ??= { error };
    }
    this.#done = true;
  }

  async ready(): Promise<void> {
    const [window] = this.#windows;
    while (window.items === 0 && !this.#done) {
      await this.#turns.take();
      // A writer may have put and flushed meanwhile.
      if (window.items === 0) await this.#fill();
    }
  }

  commit(committed: number): void {
    const windows = this.#windows;
    while (windows[0].sealed && windows[0].end <= committed) {
      if (windows.length === 1) windows.push(new Window(windows[0].end));
      this.held -= windows.shift()!.bytes;
    }
    if (committed > windows[0].start) this.held -= windows[0].dropTo(committed);
    this.#move();
  }

  fit(ms: number, failed: boolean): void {
    this.size.fit(ms, failed);
  }

  release(): void {
    this.#done = true;
    this.producer.release();
    this.#move();
  }

  /** What was put is to be committed soon: the window that has it does not wait for more, once it is the first. */
  flush(): void {
    this.#wanted = this.#next;
    this.#sealWanted();
    this.producer.wake();
  }

  /** Resolves when something was committed. */
  room(): Promise<void> {
    return this.#moved.promise;
  }

  /** Chunks that are full go into their window, and a window that is full is sealed. */
  collect(): void {
    while (this.#batch.full) this.#push(this.#filled, this.#batch.take());
    const { bytes, items } = this.#windows.at(-1)!;
    const full = bytes >= this.size.bytes || items >= (this.#options.window?.items ?? WINDOW_ITEMS);
    if (full || this.#done) this.#seal();
  }

  async ahead(stop: Promise<unknown>): Promise<void> {
    let stopped = false;
    stop.then(() => stopped = true, () => stopped = true);
    // The answer may be there already.
    await Promise.resolve();
    while (!stopped && !this.#done && !this.blocked) {
      await this.#turns.take(AHEAD_TURN_MS);
      if (stopped) return;
      await Promise.race([this.#fill(), stop]);
      // The rate has been reached; a body spends it.
      if (this.full) return;
    }
  }

  open(way: Way, onProgress: () => void): OpenWindow {
    this.#sealWanted();
    const [window] = this.#windows;
    if (window.sealed && window.bytes > 2 * this.size.bytes) this.#windows.unshift(window.split(this.size.bytes));
    return new ItemsWindow(this, this.#windows[0], way, onProgress);
  }

  /**
   * For a window that is open: makes more of it. With `next`, at least a chunk of that number, though it be a short one,
   * for somebody waits for it. The signal ends a wait for the rate.
   */
  async more(window: Window, signal: AbortSignal, next?: number): Promise<void> {
    await this.#turns.take();
    if (!window.sealed) await this.#fill();
    if (window.sealed) return;
    if (next !== undefined) {
      if (next >= window.chunks.length && !this.#batch.empty) this.#push(window, this.#batch.take());
    } else if (this.full) {
      // The rate has been reached, by items that no chunk has room for yet.
      await this.#options.rate?.spend(this.#unspent, 0, signal);
      this.#unspent = 0;
    }
  }

  /** For a window that is open: its time is over. */
  timeUp(window: Window): void {
    if (!window.sealed) this.#seal();
    this.producer.wake();
  }

  timeOf(way: Way): number {
    return this.#options.window?.ms ?? (way === "stream" ? STREAMED_WINDOW_MS : WHOLE_WINDOW_MS);
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /** A chunk is handed to the transport; the signal ends a wait for the rate. */
  hand(chunk: Uint8Array, sent: number, signal: AbortSignal): Promise<void> | undefined {
    this.bytes += chunk.length;
    this.sent = Math.max(this.sent, sent);
    const items = this.#unspent;
    this.#unspent = 0;
    return this.#options.rate?.spend(items, chunk.length, signal);
  }

  /** The window that takes what is put. */
  get #filled(): Window {
    const last = this.#windows.at(-1)!;
    if (!last.sealed) return last;
    const window = new Window(last.end);
    this.#windows.push(window);
    return window;
  }

  #seal(): void {
    const window = this.#windows.at(-1)!;
    if (window.sealed) return;
    while (!this.#batch.empty) this.#push(window, this.#batch.take());
    window.sealed = true;
  }

  /** One that comes after the first goes on being filled until it is its turn: else each flush would make another. */
  #sealWanted(): void {
    const { length, 0: window } = this.#windows;
    if (length === 1 && window.items > 0 && window.start < this.#wanted) this.#seal();
  }

  #push(window: Window, chunk: Uint8Array<ArrayBuffer>): void {
    window.push(chunk);
    this.held += chunk.length;
  }

  #move(): void {
    this.#moved.resolve();
    this.#moved = withResolvers();
  }

  /** Never two at once. What the producer throws ends the stream, once all that it made before is committed. */
  async #fill(): Promise<void> {
    if (this.#done) return this.collect();
    try {
      const filling = this.#filling ?? this.producer.fill(this);
      if (filling !== undefined) {
        this.#filling = filling;
        await filling;
      }
    } catch (error) {
      this.failure ??= { error };
      this.#done = true;
    }
    this.#filling = undefined;
    this.collect();
  }
}
