/**
 * The endpoints of a client: which one the next call goes to, which are ejected, and when those are tried again.
 *
 * An endpoint that fails BREAKER_FAILURES times in a row is ejected: its breaker is open, and no call goes there. After a
 * while it is probed by grpc.health.v1.Health/Check (the breaker is half-open); if it is healthy, it is used again. The
 * only endpoint of a client is never ejected: there is nowhere else to go, and to wait is what the backoff is for.
 *
 * @module
 */
import type { Clock, Random } from "./clock.ts";
import { StateWatch } from "./connection.ts";
import {
  BrokenCircuitError,
  circuitBreaker,
  type CircuitBreakerPolicy,
  CircuitState,
  Code,
  ConsecutiveBreaker,
  handleWhen,
} from "./deps.ts";
import { changed, SluiceError, toSluiceError } from "./errors.ts";
import type { OnEvent } from "./events.ts";
import { checkHealth } from "./health.ts";
import { ASK_TIMEOUT_MS, BREAKER_FAILURES, EJECTION_MS, MAX_EJECTION_MS } from "./limits.ts";
import type { Endpoint } from "./stream_call.ts";
import { untilAborted } from "./until_aborted.ts";

/** What a pool needs. */
export interface PoolOptions {
  urls: readonly string[];
  fetch: typeof globalThis.fetch;
  /** Made anew for each call, for tokens expire. */
  headers: () => Promise<Record<string, string>>;
  /** How long these may take, ms. */
  headersTimeoutMs: number;
  clock: Clock;
  random: Random;
  onEvent: OnEvent;
}

/** One endpoint, as its pool sees it. */
interface Member {
  readonly url: string;
  readonly breaker: CircuitBreakerPolicy;
  /** Calls under way. */
  outstanding: number;
  /** It answered the last call. */
  ready: boolean;
  /** What answered the last call is no server of ours, and says so for good. */
  foreign: boolean;
  /** Until then others are preferred: it has failed, or has asked for a rest. */
  restsUntil: number;
  /** When an ejected one is to be probed. */
  probeAt: number;
  probing: Promise<void> | undefined;
  lastError: SluiceError | undefined;
}

/** How an endpoint fares. */
export interface EndpointInfo {
  url: string;
  outstanding: number;
  ejected: boolean;
}

export class EndpointPool {
  readonly state: StateWatch;
  readonly #options: PoolOptions;
  readonly #members: readonly Member[];

  constructor(options: PoolOptions) {
    this.#options = options;
    this.state = new StateWatch((state) => options.onEvent({ type: "state", state }));
    this.#members = options.urls.map((url) => this.#member(url));
  }

  get endpoints(): EndpointInfo[] {
    return this.#members.map((member) => ({
      url: member.url,
      outstanding: member.outstanding,
      ejected: isEjected(member),
    }));
  }

  /** Whether a call that has just failed may find another endpoint that does not rest. */
  get elsewhere(): boolean {
    const now = this.#options.clock.elapsed();
    return this.#members.some((member) => !isEjected(member) && member.restsUntil <= now);
  }

  /**
   * Makes a call at the endpoint with the fewest calls under way, of those that are well.
   *
   * @param signal ends the wait for an endpoint and for a token; the call has to look at it by itself.
   * @throws {SluiceError} What the call throws, made one; `unavailable` if all endpoints are ejected.
   * @throws The signal's reason.
   */
  async use<R>(call: (endpoint: Endpoint) => Promise<R>, signal: AbortSignal): Promise<R> {
    const member = await this.#pick(signal);
    try {
      const endpoint = { url: member.url, headers: await this.#headers(signal), fetch: this.#options.fetch };
      if (this.state.state !== "ready") this.state.set("connecting");
      const result = await member.breaker.execute(async () => {
        try {
          return await call(endpoint);
        } catch (error) {
          throw toSluiceError(error);
        }
      });
      this.#answered(member);
      return result;
    } catch (error) {
      if (error instanceof BrokenCircuitError) throw this.#allEjected();
      if (isFault(error)) throw this.#failed(member, error);
      if (error instanceof SluiceError && error.reason === "server") this.#answered(member);
      throw error;
    } finally {
      member.outstanding--;
    }
  }

  async #headers(signal: AbortSignal): Promise<Record<string, string>> {
    const { headers, headersTimeoutMs, clock } = this.#options;
    const late = new AbortController();
    const cancelTimer = clock.setTimer(headersTimeoutMs, () =>
      late.abort(
        new SluiceError(`No token came within ${headersTimeoutMs} ms`, {
          code: Code.DeadlineExceeded,
          reason: "token",
        }),
      ));
    try {
      return await untilAborted(signal, untilAborted(late.signal, headers()));
    } finally {
      cancelTimer();
    }
  }

  #member(url: string): Member {
    const { clock, onEvent } = this.#options;
    // cockatiel counts by Date.now(), which may jump, also back: it is told that no time has to pass, and probeAt says when
    // it has.
    const backoff = (ms: number) => ({
      duration: -Infinity,
      next: () => {
        member.probeAt = clock.elapsed() + ms;
        return backoff(Math.min(MAX_EJECTION_MS, ms * 2));
      },
    });
    const breaker = circuitBreaker(handleWhen(isFault), {
      halfOpenAfter: { next: (context: unknown) => (void context, backoff(EJECTION_MS).next()) },
      breaker: new ConsecutiveBreaker(this.#options.urls.length > 1 ? BREAKER_FAILURES : Infinity),
    });
    const member: Member = {
      url,
      breaker,
      outstanding: 0,
      ready: false,
      foreign: false,
      restsUntil: -Infinity,
      probeAt: Infinity,
      probing: undefined,
      lastError: undefined,
    };
    breaker.onBreak((reason) => {
      // A probe that fails opens the breaker again; its own event says so.
      if (member.probing !== undefined) return;
      const error = "error" in reason ? toSluiceError(reason.error) : this.#allEjected();
      onEvent({ type: "ejected", url, error });
    });
    breaker.onReset(() => onEvent({ type: "restored", url }));
    return member;
  }

  /** The endpoint for a call, which counts as under way from here on. */
  async #pick(signal: AbortSignal): Promise<Member> {
    const { clock, random } = this.#options;
    if (this.state.state === "shutdown") {
      throw new SluiceError("The client is closed", { code: Code.Canceled, reason: "closed", retryable: false });
    }
    const now = clock.elapsed();
    const due = this.#members.filter((member) => isEjected(member) && member.probeAt <= now);
    const probes = due.map((member) => member.probing ??= this.#probe(member));
    const well = () => this.#members.filter((member) => !isEjected(member));
    // With nowhere else to go, the probes decide.
    if (well().length === 0) await untilAborted(signal, Promise.all(probes));
    const candidates = well();
    if (candidates.length === 0) throw this.#allEjected();
    const rested = candidates.filter(({ restsUntil }) => restsUntil <= now);
    const from = rested.length > 0 ? rested : candidates;
    const fewest = Math.min(...from.map(({ outstanding }) => outstanding));
    const best = from.filter(({ outstanding }) => outstanding === fewest);
    const member = best[Math.floor(random() * best.length)];
    member.outstanding++;
    return member;
  }

  /** Never throws: the breaker remembers. */
  async #probe(member: Member): Promise<void> {
    const { fetch, onEvent } = this.#options;
    if (this.state.state !== "ready") this.state.set("connecting");
    let healthy = true;
    try {
      await member.breaker.execute(() => checkHealth(fetch, member.url, ASK_TIMEOUT_MS));
      member.restsUntil = -Infinity;
    } catch (error) {
      healthy = false;
      member.lastError = toSluiceError(error);
      this.#down();
    } finally {
      member.probing = undefined;
    }
    onEvent({ type: "probe", url: member.url, healthy });
  }

  #answered(member: Member): void {
    member.ready = true;
    member.foreign = false;
    member.restsUntil = -Infinity;
    this.state.set("ready");
  }

  /** Returns the error, as one that may be retried where another endpoint may be a server of ours. */
  #failed(member: Member, error: SluiceError): SluiceError {
    member.ready = false;
    member.foreign = error.reason === "foreign" && !error.retryable;
    member.lastError = error;
    member.restsUntil = this.#options.clock.elapsed() + Math.max(EJECTION_MS, error.retryAfterMs ?? 0);
    this.#down();
    const hope = member.foreign && this.#members.some(({ foreign }) => !foreign);
    return hope ? changed(error, { retryable: true }) : error;
  }

  #down(): void {
    if (!this.#members.some(({ ready }) => ready)) this.state.set("transient-failure");
  }

  #allEjected(): SluiceError {
    const cause = this.#members.map(({ lastError }) => lastError).find((error) => error !== undefined);
    const probeAt = Math.min(...this.#members.map(({ probeAt }) => probeAt));
    return new SluiceError(`No endpoint answers: ${cause?.rawMessage ?? "all are ejected"}`, {
      code: Code.Unavailable,
      reason: cause?.reason ?? "connection",
      retryable: true,
      // Before that, every try would end here.
      retryAfterMs: Math.max(0, probeAt - this.#options.clock.elapsed()),
      cause,
    });
  }
}

function isEjected({ breaker }: Member): boolean {
  return breaker.state !== CircuitState.Closed;
}

/** Whether the endpoint is to blame, so that another may do better. */
function isFault(error: unknown): error is SluiceError {
  if (!(error instanceof SluiceError)) return false;
  return error.reason === "connection" || error.reason === "foreign" || error.code === Code.Unavailable;
}
