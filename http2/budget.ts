import { ConnectionError, ErrorCode } from "./errors.ts";

/**
 * Bytes of request bodies that have arrived and that no handler has taken yet, over all connections. The owner of the
 * process may pass one that it shares with other parts of the program.
 */
export interface MemoryBudget {
  /** Takes `bytes`. Throws, taking nothing, if that is more than what is left. */
  consume(bytes: number): void;
  /** Gives `bytes` back. */
  release(bytes: number): void;
  /** How full it is: 0 is empty, 1 is full. */
  readonly pressure: number;
}

export class MemoryBudgetError extends Error {
  override readonly name = "Http2MemoryBudgetError";
}

/** A budget of a fixed number of bytes. */
export function createMemoryBudget(limitBytes: number): MemoryBudget & { readonly used: number } {
  let used = 0;
  return {
    consume(bytes) {
      if (used + bytes > limitBytes) {
        throw new MemoryBudgetError(`Cannot take ${bytes} bytes as body memory: ${used} of ${limitBytes} are in use`);
      }
      used += bytes;
    },
    release(bytes) {
      used -= bytes;
    },
    get pressure() {
      return used / limitBytes;
    },
    get used() {
      return used;
    },
  };
}

/** How often a peer may do something: `burst` times at once, and `perSecond` times a second in the long run. */
export class RateBudget {
  #left: number;
  #at: number;

  constructor(
    /** What it bounds, with the name of the limit, for the error. */
    readonly what: string,
    readonly burst: number,
    readonly perSecond: number,
    now: number,
  ) {
    this.#left = burst;
    this.#at = now;
  }

  /** Takes `count`. A peer that exceeds the budget loses its connection (RFC 9113 section 10.5). */
  consume(count: number, now: number): void {
    if (this.#left < count) {
      this.refill((now - this.#at) / 1000 * this.perSecond);
      this.#at = now;
    }
    this.#left -= count;
    if (this.#left < 0) {
      throw new ConnectionError(
        ErrorCode.ENHANCE_YOUR_CALM,
        `Cannot accept more ${this.what}: over ${this.burst} at once and ${this.perSecond} a second`,
      );
    }
  }

  refill(count: number): void {
    this.#left = Math.min(this.burst, this.#left + count);
  }
}
