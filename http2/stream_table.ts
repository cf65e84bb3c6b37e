import type { Stream } from "./stream.ts";

/** Streams that we reset and whose late frames are forgiven: more than the client can have had in flight. */
const REMEMBERED_RESETS = 1024;

/** What an id stands for when it is not that of a stream in flight. */
export enum Absence {
  /** Not used yet. */
  IDLE,
  /** We ended it while the client may have sent: its frames in flight are no fault (RFC 9113 section 5.1). */
  RESET,
  /** Over, and the client knows. */
  CLOSED,
}

/** The streams of a connection. */
export class StreamTable {
  /** RFC 9113 section 5.1.1: the ids of new streams only go up. */
  lastId = 0;
  readonly #active = new Map<number, Stream>();
  readonly #reset = new Set<number>();

  get size(): number {
    return this.#active.size;
  }

  [Symbol.iterator](): IterableIterator<Stream> {
    return this.#active.values();
  }

  get(id: number): Stream | undefined {
    return this.#active.get(id);
  }

  add(stream: Stream): void {
    this.#active.set(stream.id, stream);
  }

  remove(id: number): void {
    this.#active.delete(id);
  }

  /** Notes that we reset a stream. */
  remember(id: number): void {
    if (this.#reset.size >= REMEMBERED_RESETS) {
      for (const oldest of this.#reset) {
        this.#reset.delete(oldest);
        break;
      }
    }
    this.#reset.add(id);
  }

  /** Says why `get(id)` found nothing. */
  absence(id: number): Absence {
    if (id > this.lastId) return Absence.IDLE;
    return this.#reset.has(id) ? Absence.RESET : Absence.CLOSED;
  }
}
