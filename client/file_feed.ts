/**
 * A file on its way. What can be read again is read again after a failure; of other sources the client keeps what is not
 * committed, up to a window.
 *
 * @module
 */
import { FileCutter, type FilePart, writeChunk } from "./chunks.ts";
import type { Clock } from "./clock.ts";
import { EndableWait } from "./deferred.ts";
import { EnvelopeBatch } from "./envelope.ts";
import { type Feed, type OpenWindow, Turns, WindowSize } from "./feed.ts";
import { FILE_WINDOW_BYTES, FILE_WINDOW_MS, MIN_WINDOW_BYTES, WINDOW_BYTES } from "./limits.ts";
import type { RateLimit } from "./rate.ts";
import type { OpenSource } from "./source.ts";
import type { Way } from "./way.ts";

/** What goes with the chunks of a file. */
export interface FileFeedOptions {
  name: string;
  contentType: string;
  /** Bytes of data in each chunk but the last. */
  chunkSize: number;
  /** Whether to send SHA-256s of the chunks and of the file. */
  checksum: boolean;
  clock: Clock;
  rate: RateLimit;
}

export class FileFeed implements Feed {
  committed = 0;
  sent = 0;
  skipped = 0;
  bytes = 0;
  failure: { error: unknown } | undefined;
  readonly #source: OpenSource;
  readonly #options: FileFeedOptions;
  readonly #cutter: FileCutter;
  readonly #size: WindowSize;
  readonly #turns = new Turns();
  /** For the source. */
  readonly #wait = new EndableWait();
  readonly #over = new AbortController();
  /** The part that is read ahead. */
  #peeked: Promise<FilePart | undefined> | undefined;
  /** Where the next part begins, if nothing fails. */
  #at = 0;
  /** The last call failed, or left something out: what comes next begins at `committed`. */
  #astray = false;

  constructor(source: OpenSource, options: FileFeedOptions) {
    this.#source = source;
    this.#options = options;
    this.#cutter = new FileCutter(source, options);
    this.#size = new WindowSize(MIN_WINDOW_BYTES, FILE_WINDOW_BYTES, WINDOW_BYTES);
  }

  get total(): number | undefined {
    return this.#source.size;
  }

  /** A file's own chunks say where it ends. */
  get end(): undefined {
    return undefined;
  }

  get drained(): boolean {
    return this.committed >= this.#at;
  }

  /** Lower-case hex SHA-256 of the file, once all of it was read. */
  get checksum(): string | undefined {
    return this.#cutter.checksum;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /** Aborted when no more is wanted. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  async skipTo(committed: number): Promise<void> {
    try {
      await this.#wait.for(this.#cutter.skipTo(committed));
    } catch (error) {
      this.failure = { error };
    }
    this.committed =
      this.sent =
      this.skipped =
      this.#at =
        committed;
  }

  async ready(): Promise<void> {
    if (this.#astray || this.committed !== this.#at) await this.#goBack();
    if (this.failure === undefined) await this.peek();
  }

  open(way: Way, onProgress: () => void): OpenWindow {
    return new FileWindow(this, way, this.#size.bytes, onProgress);
  }

  async ahead(): Promise<void> {
    // A part is read ahead as it is; more than that would be kept for nothing, should the call fail.
  }

  commit(committed: number): void {
    this.committed = committed;
    this.sent = Math.max(this.sent, committed);
    this.#cutter.commit(committed);
  }

  fit(ms: number, failed: boolean): void {
    this.#size.fit(ms, failed);
    this.#astray ||= failed;
  }

  release(): void {
    this.#over.abort();
    this.#wait.end();
    this.#cutter.close();
  }

  /** The next part, which stays the next. A failure is kept, and there is no next then, as when no more is wanted. */
  peek(): Promise<FilePart | undefined> {
    return this.#peeked ??= this.#wait.for(this.#cutter.next()).catch((error) => {
      this.failure ??= { error };
      return undefined;
    });
  }

  /** The part has been taken: the one after it is read meanwhile. */
  take(part: FilePart): void {
    this.#peeked = undefined;
    this.#at = part.offset + part.data.length;
    this.#astray = false;
    if (!part.last) void this.peek();
  }

  /** Writes a part as a chunk. */
  async write(batch: EnvelopeBatch, { offset, data, digest, last }: FilePart, first: boolean): Promise<void> {
    const { name, contentType } = this.#options;
    batch.begin();
    writeChunk(batch, {
      fileName: first ? name : "",
      contentType: first ? contentType : "",
      data,
      offset,
      totalSize: this.#source.size ?? 0,
      isLastChunk: last,
      checksum: await digest ?? "",
      fileChecksum: last ? this.checksum ?? "" : "",
    });
    batch.end();
  }

  /** A piece of the body is handed to the transport, which the signal spares. */
  async hand(piece: Uint8Array, sent: number, signal: AbortSignal): Promise<void> {
    this.bytes += piece.length;
    this.sent = Math.max(this.sent, sent);
    // Whoever wanted it looks at the signal.
    await this.#options.rate.spend(0, piece.length, signal)?.catch(() => {});
    await this.#turns.take();
  }

  async #goBack(): Promise<void> {
    await this.#peeked;
    this.#peeked = undefined;
    this.#at = this.committed;
    this.#astray = false;
    if (this.failure === undefined) this.#cutter.rewind(this.committed);
  }
}

/** One call of a file. */
class FileWindow implements OpenWindow {
  readonly start: number;
  readonly end: undefined;
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>> | Promise<Blob>;
  readonly made: Promise<void>;
  readonly #batch = new EnvelopeBatch();
  /** For another part than the first. */
  readonly #wait = new EndableWait();
  readonly #cancelTimer: () => void;
  readonly #stop = new AbortController();
  /** Aborted when nobody takes any more of it. */
  readonly #over: AbortSignal;
  #parts = 0;
  /** Bytes of data so far. */
  #taken = 0;
  #sent: number;
  /** It has all that it is to have. */
  #complete = false;
  /** The body has ended, well or not. */
  #ended = false;
  #setMade!: () => void;
  #controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | undefined;

  constructor(readonly feed: FileFeed, way: Way, readonly limit: number, readonly onProgress: () => void) {
    this.start = this.#sent = feed.committed;
    this.made = new Promise((resolve) => this.#setMade = resolve);
    this.#over = AbortSignal.any([feed.over, this.#stop.signal]);
    this.#cancelTimer = feed.clock.setTimer(FILE_WINDOW_MS, () => this.#timeUp());
    this.body = way === "stream" ? this.#stream() : this.#whole(Math.min(limit, WINDOW_BYTES));
  }

  stop(reason: unknown): void {
    this.#finish();
    if (this.#ended) return;
    this.#ended = true;
    this.#controller?.error(reason);
  }

  #stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: async (controller) => {
        const piece = await this.#next(this.limit);
        // How it ends then, stop() says.
        if (this.#over.aborted) return;
        if (piece !== undefined) return controller.enqueue(piece);
        this.#ended = true;
        this.#finish();
        controller.close();
      },
      cancel: () => {
        this.#ended = true;
        this.#finish();
      },
    }, { highWaterMark: 0 });
  }

  async #whole(limit: number): Promise<Blob> {
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    for (let piece = await this.#next(limit); piece !== undefined; piece = await this.#next(limit)) pieces.push(piece);
    this.#finish();
    return new Blob(pieces);
  }

  /** The next piece of the body; undefined at its end. */
  async #next(limit: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    while (this.#batch.empty) {
      const part = this.#complete ? undefined : await this.#nextPart();
      if (part === undefined || this.#over.aborted) {
        this.#complete = true;
        return undefined;
      }
      this.feed.take(part);
      await this.feed.write(this.#batch, part, this.#parts++ === 0);
      this.#taken += part.data.length;
      this.#sent = part.offset + part.data.length;
      this.#complete ||= part.last || this.#taken >= limit;
    }
    const piece = this.#batch.take();
    await this.feed.hand(piece, this.#sent, this.#over);
    if (this.#over.aborted) return undefined;
    this.onProgress();
    return piece;
  }

  /** The first part is there, and a window has one at the least; a source that is slow does not keep it open for more. */
  #nextPart(): Promise<FilePart | undefined> {
    return this.#parts === 0 ? this.feed.peek() : this.#wait.for(this.feed.peek());
  }

  /** However fast the source is, and however slow the network. */
  #timeUp(): void {
    this.#complete ||= this.#parts > 0;
    this.#wait.end();
  }

  #finish(): void {
    this.#cancelTimer();
    this.#setMade();
    this.#stop.abort();
    this.#wait.end();
  }
}
