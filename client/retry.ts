/**
 * When to try again, and when to give up.
 *
 * @module
 */
import { type Clock, type Random, sleep } from "./clock.ts";
import { Code, ExponentialBackoff } from "./deps.ts";
import { SluiceError } from "./errors.ts";
import {
  BACKOFF_MS,
  FIRST_CONTACT_MS,
  GIVE_UP_MS,
  MAX_BACKOFF_MS,
  MAX_RETRY_AFTER_MS,
  RETRIES_PER_SECOND,
  RETRY_BURST,
} from "./limits.ts";
import { TokenBucket } from "./rate.ts";

/** How failures that a retry can cure are met. */
export interface RetryOptions {
  /** The first wait is a random time up to this, ms; each one after it up to twice as long. Default: 100. */
  baseMs?: number;
  /** The longest wait, ms, unless the server asks for more. Default: 10,000. */
  maxMs?: number;
  /** Failures in a row, with nothing committed between them, after which to give up. Default: any number. */
  maxFailures?: number;
  /** How long nothing may get committed, failure after failure, ms from the first of them. Default: 5 minutes. */
  giveUpMs?: number;
  /** The same, for as long as the server has never answered, ms. Default: 10 seconds. */
  firstContactMs?: number;
  /** Retries at once, of all streams of the client together. Default: 20. */
  budget?: number;
  /** Retries a second in the long run. Default: 4. */
  budgetPerSecond?: number;
}

/** Refusals that are about the caller, wherever it calls: another endpoint would say the same. */
const CALLERS = [Code.ResourceExhausted, Code.Unauthenticated];

/** What all streams of a client have in common: the budget, and whether the server has ever answered. */
export class RetryPolicy {
  readonly options: Required<RetryOptions>;
  readonly backoff: ExponentialBackoff<number>;
  readonly budget: TokenBucket;
  /** Whether any endpoint has ever answered. */
  reached = false;

  /** @throws {RangeError} if a number is negative or none, or nothing would ever be tried again for want of a budget. */
  constructor(options: RetryOptions | false, readonly clock: Clock, random: Random) {
    this.options = {
      baseMs: BACKOFF_MS,
      maxMs: MAX_BACKOFF_MS,
      maxFailures: options === false ? 0 : Infinity,
      giveUpMs: GIVE_UP_MS,
      firstContactMs: FIRST_CONTACT_MS,
      budget: RETRY_BURST,
      budgetPerSecond: RETRIES_PER_SECOND,
      ...options || {},
    };
    const { baseMs, maxMs, budget, budgetPerSecond } = this.options;
    for (const [name, value] of Object.entries(this.options)) {
      if (!(value >= 0)) throw new RangeError(`Cannot use retry.${name}: it must be 0 or more, not ${value}`);
    }
    if (budgetPerSecond === 0) throw new RangeError("Cannot use retry.budgetPerSecond: it must be above 0, not 0");
    this.budget = new TokenBucket(budgetPerSecond, budget, clock);
    this.backoff = new ExponentialBackoff<number>({
      initialDelay: baseMs,
      maxDelay: maxMs,
      // Full jitter, from a source of chance that a test can give.
      generator: (attempt = 0, { initialDelay, maxDelay }) => [
        random() * Math.min(maxDelay, initialDelay * 2 ** attempt),
        attempt + 1,
      ],
    });
  }
}

/** The retries of one stream, or of one call that is none. */
export class Retries {
  /** Failures since something was committed. */
  failures = 0;
  readonly #policy: RetryPolicy;
  readonly #signal: AbortSignal | undefined;
  readonly #patient: boolean;
  /** When the caller's patience ends. */
  readonly #deadline: number;
  /** When the first of the failures in a row happened. A stream may idle for as long as its producer likes. */
  #failingSince = 0;
  #backoff: ReturnType<ExponentialBackoff<number>["next"]> | undefined;

  /** @param options with `patient`, no number of failures and no time is too much. */
  constructor(
    policy: RetryPolicy,
    { signal, deadlineMs = Infinity, patient = false }: {
      signal?: AbortSignal;
      deadlineMs?: number;
      patient?: boolean;
    },
  ) {
    this.#policy = policy;
    this.#patient = patient;
    this.#signal = signal;
    this.#deadline = policy.clock.elapsed() + deadlineMs;
  }

  /** How long a call that begins now may take, ms. @throws {SluiceError} if the overall deadline has passed. */
  timeLeft(callMs: number): number {
    const left = this.#deadline - this.#policy.clock.elapsed();
    if (left <= 0) throw this.deadlineError();
    return Math.min(left, callMs);
  }

  /** Something was committed: whatever failed before is forgotten. */
  progress(): void {
    this.failures = 0;
    this.#backoff = undefined;
  }

  /**
   * How long to wait before the next try, ms.
   *
   * @param elsewhere whether another endpoint is there, which need not wait for what this one asked for.
   * @throws {SluiceError} the error, if it is final; or that the deadline comes first.
   */
  next(error: SluiceError, elsewhere: boolean): number {
    const { clock, options, backoff, budget, reached } = this.#policy;
    if (!error.retryable) throw error;
    const now = clock.elapsed();
    if (this.failures === 0) this.#failingSince = now;
    if (++this.failures > options.maxFailures && !this.#patient) throw error;
    const patience = this.#patient
      ? Infinity
      : reached
      ? options.giveUpMs
      : Math.min(options.giveUpMs, options.firstContactMs);
    if (now - this.#failingSince >= patience) throw error;
    this.#backoff = this.#backoff === undefined ? backoff.next() : this.#backoff.next(undefined);
    const wanted = elsewhere && !CALLERS.includes(error.code) ? 0 : error.retryAfterMs ?? 0;
    const asked = this.#patient ? Math.min(wanted, MAX_RETRY_AFTER_MS) : wanted;
    if (now + asked - this.#failingSince > patience) throw error;
    const wait = Math.max(this.#backoff.duration, asked, budget.take(1));
    if (now + wait >= this.#deadline) throw this.deadlineError(error);
    return wait;
  }

  /** Waits. @throws The signal's reason. */
  async wait(ms: number): Promise<void> {
    await sleep(this.#policy.clock, ms, this.#signal);
  }

  deadlineError(cause?: unknown): SluiceError {
    return new SluiceError("The deadline passed before all was committed", {
      code: Code.DeadlineExceeded,
      reason: "deadline",
      retryable: true,
      cause,
    });
  }
}
