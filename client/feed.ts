/**
 * What a sender sends: a stream's items from the first that is not known to be committed, window by window.
 *
 * @module
 */
import type { Way } from "./way.ts";

/** A stream on its way. Sequences are those of its items; of a file, its bytes. */
export interface Feed {
  /** Everything before it is committed. */
  readonly committed: number;
  /** How far the stream has been handed to the transport. */
  readonly sent: number;
  /** How much of the stream was committed before this run of it began. */
  readonly skipped: number;
  /** Bytes of bodies that were handed to the transport, again and again those that were sent again. */
  readonly bytes: number;
  /** How many there are, if that is known beforehand. */
  readonly total: number | undefined;
  /** How long the whole stream is, once that is settled. */
  readonly end: number | undefined;
  /** What the producer threw. What it had made before is sent all the same. */
  readonly failure: { error: unknown } | undefined;

  /** So much of a stream that was begun before is committed already; called before anything else. */
  skipTo(committed: number): void | Promise<void>;
  /** Resolves when there is something to send, or the end is settled, or the producer has failed. */
  ready(): Promise<void>;
  /** Whether all that was made is committed. */
  readonly drained: boolean;
  /** Begins a window at `committed`. */
  open(way: Way, onProgress: () => void): OpenWindow;
  /** Makes the next window while a receipt is awaited, until `stop` resolves. */
  ahead(stop: Promise<unknown>): Promise<void>;
  /** Everything before `committed` is durable and need not be kept; it may be more than before, never less. */
  commit(committed: number): void;
  /** A window took so long, ms, or failed after that: the next ones are fitted to it. */
  fit(ms: number, failed: boolean): void;
  /** No more is wanted. */
  release(): void;
}

/** A window on its way. */
export interface OpenWindow {
  /** Sequence of its first item. */
  readonly start: number;
  /** The stream's length, if that was settled when the window was opened. */
  readonly end: number | undefined;
  /** Its body, a stream or the whole. */
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>> | Promise<Blob>;
  /** Resolves when nothing of its body has yet to be made, or it has ended: then the next window can be. */
  readonly made: Promise<void>;
  /** Ends it as a failed one, so that nobody can take what came for all there is. */
  stop(reason: unknown): void;
}

/**
 * How long a producer may keep the thread, ms. Deno gives an answer that came early to the caller only when its event
 * loop turns, and a producer that always has more does not let it: the answer would be found when the server has closed
 * the connection, and so not at all (20 of 20 tries).
 */
const TURN_MS = 10;

/** Resolves when the event loop has turned: by a message, for a timer takes 2 ms at the least. */
export function eventLoopTurn(): Promise<void> {
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

/** The same while a transport takes what was made before, ms: it must not starve. */
export const AHEAD_TURN_MS = 1;

/** Lets the event loop turn now and then. */
export class Turns {
  /** Due at once, for after the first chunk is when most bad calls are refused. */
  #due = 0;
  #first = true;

  /** Resolves when the event loop has turned, if it is time for that. */
  take(everyMs = TURN_MS): Promise<void> | undefined {
    if (this.#first) {
      this.#first = false;
      return undefined;
    }
    if (performance.now() < this.#due) return undefined;
    return eventLoopTurn().then(() => {
      this.#due = performance.now() + everyMs;
    });
  }
}

/** The bytes of a window: less after failures and where it takes long, more where it does not. */
export class WindowSize {
  /** A window beyond these is cut. */
  bytes: number;

  constructor(readonly min: number, readonly max: number, start: number) {
    this.bytes = start;
  }

  fit(ms: number, failed: boolean): void {
    if (failed || ms > SLOW_MS) this.bytes = Math.max(this.min, this.bytes / 2);
    else if (ms < FAST_MS) this.bytes = Math.min(this.max, this.bytes * 2);
  }
}

/** A window that takes longer than this is too large: so much is sent again when it is cut, ms. */
const SLOW_MS = 8000;

/** A window that takes less than this may be larger, ms. */
const FAST_MS = 2000;
