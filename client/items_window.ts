/**
 * A window of points or log entries on its way: its body is streamed while the producer makes them, or sent whole.
 *
 * @module
 */
import type { OpenWindow } from "./feed.ts";
import type { ItemsFeed } from "./items_feed.ts";
import type { Way } from "./way.ts";
import type { Window } from "./windows.ts";

/** One call of a feed of items. */
export class ItemsWindow<T> implements OpenWindow {
  readonly start: number;
  readonly end: number | undefined;
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>> | Promise<Blob>;
  readonly made: Promise<void>;
  #next = 0;
  /** Nothing more is enqueued. */
  #stopped = false;
  /** Ends waits for the rate. */
  readonly #stop = new AbortController();
  #setMade!: () => void;
  #controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | undefined;
  readonly #cancelTimer: () => void;

  constructor(readonly feed: ItemsFeed<T>, readonly run: Window, way: Way, readonly onProgress: () => void) {
    this.start = run.start;
    this.end = feed.end;
    this.made = new Promise((resolve) => this.#setMade = resolve);
    this.#cancelTimer = feed.clock.setTimer(feed.timeOf(way), () => feed.timeUp(run));
    this.body = way === "stream" ? this.#stream() : this.#whole();
  }

  stop(reason: unknown): void {
    this.#finish();
    if (this.#stopped) return;
    this.#stopped = true;
    this.#stop.abort(reason);
    this.feed.producer.wake();
    this.#controller?.error(reason);
  }

  #stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: (controller) => this.#pull(controller),
      cancel: (reason) => {
        this.#stopped = true;
        this.#stop.abort(reason);
        this.#finish();
        this.feed.producer.wake();
      },
      // Nothing is encoded ahead of what the transport asks for.
    }, { highWaterMark: 0 });
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>): Promise<void> {
    const { run, feed } = this;
    while (this.#next >= run.chunks.length && !run.sealed) {
      await feed.more(run, this.#stop.signal, this.#next);
      if (this.#stopped) return;
    }
    if (run.sealed) this.#setMade();
    if (this.#next < run.chunks.length) {
      const chunk = run.chunks[this.#next++];
      const wait = this.#hand(chunk);
      if (wait !== undefined) await wait;
      if (this.#stopped) return;
      controller.enqueue(chunk);
    }
    if (this.#next >= run.chunks.length && run.sealed) {
      this.#stopped = true;
      this.#finish();
      controller.close();
    }
  }

  async #whole(): Promise<Blob> {
    const { run, feed } = this;
    const { signal } = this.#stop;
    while (!run.sealed && !this.#stopped) await feed.more(run, signal);
    this.#setMade();
    for (const chunk of run.chunks) {
      signal.throwIfAborted();
      await this.#hand(chunk);
    }
    this.#finish();
    return new Blob(run.chunks);
  }

  /** Of what has been made, all that is not in the batch has been handed over; a message more or less is no matter. */
  #hand(chunk: Uint8Array): Promise<void> | undefined {
    const { run, feed } = this;
    const wait = feed.hand(chunk, run.end, this.#stop.signal);
    this.onProgress();
    return wait;
  }

  #finish(): void {
    this.#cancelTimer();
    this.#setMade();
  }
}
