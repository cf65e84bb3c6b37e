/** A window's half that is used up within this time has a fast reader behind it, and is doubled. */
const GROW_WITHIN_MS = 1_000;
/** One whose half lasts longer than this is larger than it need be, and is halved. */
const SHRINK_AFTER_MS = 10_000;

/** The bounds between which a window is tuned, in bytes. */
export interface WindowBounds {
  readonly initial: number;
  readonly min: number;
  readonly max: number;
}

/**
 * A flow-control window that we grant to the peer (RFC 9113 section 5.2), of a stream or of the connection. What the
 * peer may still send and what we hold never exceed the window together, so a window is also the bound of a buffer.
 * Credit goes back when data is consumed, in steps of half a window; its size follows the rate of that.
 */
export class ReceiveWindow {
  /** What the peer may still send. */
  available: number;
  /** What it has sent and nobody has consumed. */
  buffered = 0;
  size: number;
  #consumed = 0;
  #since: number;

  constructor(readonly bounds: WindowBounds, now: number) {
    this.available = this.size = bounds.initial;
    this.#since = now;
  }

  /** Data arrives. False: it is more than what was granted. */
  receive(bytes: number): boolean {
    if (bytes > this.available) return false;
    this.available -= bytes;
    this.buffered += bytes;
    return true;
  }

  consume(bytes: number): void {
    this.buffered -= bytes;
    this.#consumed += bytes;
  }

  /** The credit to give now, or 0. With `pressed`, memory is short and the window falls to its least size. */
  grant(now: number, pressed: boolean): number {
    if (this.#consumed * 2 >= this.size) this.#tune(now - this.#since);
    if (pressed) this.size = this.bounds.min;
    const lacking = this.size - this.available - this.buffered;
    if (lacking * 2 < this.size) return 0;
    this.#consumed = 0;
    this.#since = now;
    this.available += lacking;
    return lacking;
  }

  #tune(elapsedMs: number): void {
    if (elapsedMs <= GROW_WITHIN_MS) this.size = Math.min(this.size * 2, this.bounds.max);
    else if (elapsedMs > SHRINK_AFTER_MS) this.size = Math.max(this.size / 2, this.bounds.min);
    this.#consumed = 0;
  }
}
