/**
 * How far a stream is, and the promise of its receipt that also tells that.
 *
 * @module
 */
import type { Clock } from "./clock.ts";
import { withResolvers } from "./deferred.ts";
import type { Feed } from "./feed.ts";

/** How far a stream is. */
export interface Progress {
  /** Bytes of a file, or points, or log entries, that have been sent; on their way, not yet committed. */
  sent: number;
  /** How many of them the server has said to be durable. */
  committed: number;
  /** How many there are; undefined if that is not known. */
  total: number | undefined;
  /** Bytes of bodies so far, with what was sent again. */
  bytes: number;
  /** Since the stream began, ms. */
  elapsedMs: number;
  /** Sent per second, over the whole time. */
  rate: number;
}

/** Told of a stream's progress, at most once for each body chunk. What it throws ends the stream. */
export type OnProgress = (progress: Progress) => void;

/** Measures a stream. */
export class Meter {
  readonly #start: number;

  constructor(readonly feed: Feed, readonly clock: Clock) {
    this.#start = clock.elapsed();
  }

  get progress(): Progress {
    const { sent, committed, total, bytes } = this.feed;
    const elapsedMs = this.clock.elapsed() - this.#start;
    const rate = elapsedMs > 0 ? (sent - this.feed.skipped) / (elapsedMs / 1000) : 0;
    return { sent, committed, total, bytes, elapsedMs, rate };
  }
}

/**
 * A stream on its way: the promise of its receipt, and its progress for whoever iterates it. An iteration ends when the
 * stream does, and throws what ended it if that was an error; who is slow misses some progress, never the last.
 *
 * @example
 * ```ts ignore
 * const upload = sluice.uploadFile("large.csv");
 * for await (const { committed, total } of upload) console.log(committed, total);
 * console.log((await upload).fileId);
 * ```
 */
export class Sending<R> extends Promise<R> implements AsyncIterable<Progress> {
  /** What `then` makes is an ordinary promise. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  #meter: Meter | undefined;
  #latest: Progress | undefined;
  #changed = withResolvers<void>();
  #watched = false;
  #over = false;

  /** Runs it, and gives it what to tell progress to. */
  static run<R>(work: (tell: (meter: Meter) => void) => Promise<R>): Sending<R> {
    const { promise, resolve, reject } = withResolvers<R>();
    const sending = new Sending<R>((settle, fail) => void promise.then(settle, fail));
    // Begun at once, as whoever calls expects; what it throws at once is a rejection too.
    new Promise<R>((settle) => settle(work((meter) => sending.#tell(meter)))).then(
      (receipt) => {
        resolve(receipt);
        sending.#end();
      },
      (error) => {
        reject(error);
        sending.#end();
      },
    );
    return sending;
  }

  #tell(meter: Meter): void {
    this.#meter = meter;
    if (!this.#watched) return;
    this.#latest = meter.progress;
    this.#change();
  }

  #end(): void {
    this.#over = true;
    this.#change();
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = withResolvers();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Progress> {
    this.#watched = true;
    // Who comes late, or when it is over, has missed some.
    this.#latest ??= this.#meter?.progress;
    for (let last: Progress | undefined;;) {
      const changed = this.#changed.promise;
      if (this.#latest !== last) yield last = this.#latest!;
      else if (this.#over) break;
      else await changed;
    }
    await this;
  }
}
