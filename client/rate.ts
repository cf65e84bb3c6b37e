/**
 * A limit on how fast a client sends.
 *
 * @module
 */
import { type Clock, sleep } from "./clock.ts";

/** How fast a client sends at the most, all its streams together. What is left out is not limited. */
export interface RateOptions {
  /** Points and log entries per second. */
  itemsPerSecond?: number;
  /** Bytes of messages per second. */
  bytesPerSecond?: number;
}

/** Tokens that come at a steady rate, up to as many as fit in. */
export class TokenBucket {
  #tokens: number;
  #at: number;

  constructor(readonly perSecond: number, readonly burst: number, readonly clock: Clock) {
    this.#tokens = burst;
    this.#at = clock.elapsed();
  }

  /** Takes tokens, also those that have yet to come, and says how long to wait until they have, ms. */
  take(tokens: number): number {
    const now = this.clock.elapsed();
    this.#tokens = Math.min(this.burst, this.#tokens + (now - this.#at) / 1000 * this.perSecond) - tokens;
    this.#at = now;
    return this.#tokens >= 0 ? 0 : -this.#tokens / this.perSecond * 1000;
  }
}

/** Part of a second's worth that may be sent at once: so fine is the stream that a limit leaves. */
const QUANTUM = 0.1;

/** The rate of a client. */
export class RateLimit {
  /** How many items may be sent at once. */
  readonly maxItems: number;
  readonly #items: TokenBucket | undefined;
  readonly #bytes: TokenBucket | undefined;

  /** @throws {RangeError} if a rate is not above 0. */
  constructor({ itemsPerSecond, bytesPerSecond }: RateOptions, readonly clock: Clock) {
    this.#items = bucketOf("itemsPerSecond", itemsPerSecond, clock);
    this.#bytes = bucketOf("bytesPerSecond", bytesPerSecond, clock);
    this.maxItems = this.#items === undefined ? Infinity : Math.max(1, Math.floor(this.#items.burst));
  }

  /** Says that so much is being sent: how long to wait afterwards, or undefined. */
  spend(items: number, bytes: number, signal?: AbortSignal): Promise<void> | undefined {
    const wait = Math.max(this.#items?.take(items) ?? 0, this.#bytes?.take(bytes) ?? 0);
    return wait > 0 ? sleep(this.clock, wait, signal) : undefined;
  }
}

function bucketOf(name: string, perSecond: number | undefined, clock: Clock): TokenBucket | undefined {
  if (perSecond === undefined || perSecond === Infinity) return undefined;
  if (!(perSecond > 0)) throw new RangeError(`Cannot use ${name}: it must be above 0, not ${perSecond}`);
  return new TokenBucket(perSecond, Math.max(1, perSecond * QUANTUM), clock);
}
