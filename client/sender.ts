/**
 * Sends a stream to its end: window by window, each a call; after a failure that a retry can cure it waits, asks the
 * server how far the stream is, and goes on from there, on another endpoint if need be.
 *
 * @module
 */
import { type StreamInfo, StreamService, StreamState } from "../gen/sluice/v1/stream_pb.ts";
import type { Core } from "./core.ts";
import { withResolvers } from "./deferred.ts";
import { Code } from "./deps.ts";
import { changed, ForeignAnswer, SluiceError, toSluiceError } from "./errors.ts";
import type { Feed, OpenWindow } from "./feed.ts";
import type { Kind } from "./kinds.ts";
import { ASK_TIMEOUT_MS, DAMAGED_TRIES, LAST_ASK_MS } from "./limits.ts";
import { lostError, outcomeOf } from "./outcome.ts";
import { Retries } from "./retry.ts";
import { type Endpoint, postStream } from "./stream_call.ts";
import { askUnary, cancelled } from "./unary.ts";
import { untilAborted } from "./until_aborted.ts";
import type { Way } from "./way.ts";
import { callWindow } from "./window_call.ts";

/** One stream to be sent. */
export interface SendOptions {
  streamId: string;
  signal?: AbortSignal;
  /** How long all of it may take, ms. */
  deadlineMs?: number;
  /** Asks first how far the stream is, for it may have been begun before. */
  resume?: boolean;
  /** Tries for as long as a retry may help: what is sent is kept elsewhere, and lost if nobody sends it. */
  patient?: boolean;
  /** Told when something was handed over or committed. What it throws ends the stream. */
  onProgress?(): void;
  /** Told that a call has failed and is tried again. */
  onRetry?(): void;
}

export class Sender<R> {
  readonly #retries: Retries;
  /** Of the caller, of the client, and of what ends a stream besides: its deadline, a callback that threw. */
  readonly #signal: AbortSignal;
  readonly #deadlineMs: number;
  readonly #ended = new AbortController();
  /** Nobody could say what became of the last call. */
  #uncertain = false;
  /** The receipt of what is committed so far, of an open stream. */
  latest: R | undefined;

  constructor(
    readonly core: Core,
    readonly kind: Kind<R>,
    readonly feed: Feed,
    readonly options: SendOptions,
  ) {
    const { signal, deadlineMs = core.deadlineMs, patient } = options;
    this.#signal = AbortSignal.any([core.closed, this.#ended.signal, ...signal ? [signal] : []]);
    this.#deadlineMs = deadlineMs;
    this.#retries = new Retries(core.retry, { signal: this.#signal, deadlineMs, patient });
  }

  /** @throws {SluiceError} What ended the stream; all that the producer made before it threw is committed then. */
  async run(): Promise<R> {
    const onAbort = () => this.feed.release();
    this.#signal.addEventListener("abort", onAbort, { once: true });
    const cancelTimer = this.#deadlineMs === Infinity
      ? () => {}
      : this.core.clock.setTimer(this.#deadlineMs, () => this.#ended.abort(this.#retries.deadlineError()));
    try {
      if (this.options.resume) {
        const info = await this.#locate();
        const receipt = this.#resultOf(info);
        if (receipt !== undefined) return receipt;
        const committed = Number(info?.committed ?? 0);
        await this.#orAborted(this.feed.skipTo(committed));
        if (committed > 0) this.core.onEvent({ type: "resumed", streamId: this.options.streamId, committed });
        this.#progress();
      }
      for (;;) {
        await this.#orAborted(this.feed.ready());
        if (this.feed.failure !== undefined && this.feed.drained) throw this.feed.failure.error;
        const receipt = await this.#window();
        if (receipt !== undefined) return receipt;
      }
    } catch (error) {
      const receipt = await this.#lastWord(error);
      if (receipt !== undefined) return receipt;
      const { feed, options: { streamId, resume = false } } = this;
      throw outcomeOf(error, feed, { streamId, uncertain: this.#uncertain, fresh: !resume });
    } finally {
      cancelTimer();
      this.#signal.removeEventListener("abort", onAbort);
      this.feed.release();
    }
  }

  /** Sends a window, or finds out how far it got. Returns the receipt of a finished stream. */
  async #window(): Promise<R | undefined> {
    const { core, kind, feed } = this;
    const started = core.clock.elapsed();
    const before = feed.committed;
    const { way } = core.way;
    try {
      const { receipt, end } = await core.pool.use((endpoint) => this.#call(endpoint, way), this.#signal);
      core.retry.reached = true;
      core.way.worked(way);
      this.latest = receipt;
      const committed = kind.committed(receipt);
      const finished = kind.finished(receipt, end);
      if (!finished || kind.placed) this.#moveTo(committed);
      if (finished) return this.#stored(receipt);
      if (committed === before && feed.sent > before) {
        throw new SluiceError(`The receipt counts no more than ${committed}, although more was sent`, {
          code: Code.Unavailable,
          reason: "server",
        });
      }
      this.#retries.progress();
      feed.fit(core.clock.elapsed() - started, false);
    } catch (error) {
      this.#throwIfAborted();
      const failure = toSluiceError(error);
      const status = failure.cause instanceof ForeignAnswer ? failure.cause.status : undefined;
      if (failure.reason === "server") core.retry.reached = true;
      feed.fit(core.clock.elapsed() - started, true);
      if (core.way.failed(way, failure, status)) return undefined;
      return this.#settle(await this.#locate(failure));
    }
  }

  async #call(endpoint: Endpoint, way: Way): Promise<{ receipt: R; end: number | undefined }> {
    const { core, kind, feed, options: { streamId } } = this;
    const window = feed.open(way, () => this.#progress());
    const { start, end } = window;
    const headers = { ...endpoint.headers, "sluice-stream-id": streamId };
    if (kind.placed) {
      Object.assign(headers, { "sluice-start": `${start}` }, end !== undefined && { "sluice-end": `${end}` });
    }
    core.onEvent({ type: "call", streamId, url: endpoint.url, start, way });
    const over = withResolvers<void>();
    try {
      const receipt = await callWindow(window, (body, signal) => {
        this.#aheadOf(window, over.promise);
        return postStream({ ...endpoint, headers }, kind.method, body, signal) as Promise<R>;
      }, {
        clock: core.clock,
        timeoutMs: core.callTimeoutMs,
        signal: this.#signal,
        onTaken: () => core.retry.reached = true,
      });
      core.onEvent({ type: "receipt", streamId, url: endpoint.url, committed: kind.committed(receipt) });
      return { receipt, end };
    } catch (error) {
      throw this.#signal.aborted ? this.#cancelled() : error;
    } finally {
      over.resolve();
    }
  }

  /** While a receipt is awaited, the producer goes on. */
  async #aheadOf(window: OpenWindow, over: Promise<void>): Promise<void> {
    await Promise.race([window.made, over]);
    await this.feed.ahead(over);
  }

  /** Waits if there was a failure, and asks how far the stream is, again and again until there is an answer. */
  async #locate(failure?: SluiceError): Promise<StreamInfo | undefined> {
    for (;;) {
      if (failure !== undefined) await this.#wait(this.#judge(failure));
      try {
        return await this.#ask();
      } catch (error) {
        failure = toSluiceError(error);
      }
    }
  }

  /**
   * The stream is given up. What became of the last call may be unknown, and is asked once more; not if whoever gave it up
   * does not want to wait.
   */
  async #lastWord(error: unknown): Promise<R | undefined> {
    const { feed } = this;
    if (!(error instanceof SluiceError) || error.reason === "lost" || feed.sent <= feed.committed) return undefined;
    try {
      this.#throwIfAborted();
      return this.#settle(await this.#ask(LAST_ASK_MS));
    } catch {
      // What is refused for good is not stored.
      this.#uncertain = error.retryable;
    }
  }

  /** What the server knows of the stream; undefined if it is nothing. @throws {SluiceError} */
  async #ask(atMostMs = ASK_TIMEOUT_MS): Promise<StreamInfo | undefined> {
    const { core, kind, options: { streamId } } = this;
    try {
      const timeoutMs = this.#retries.timeLeft(atMostMs);
      const { stream } = await core.pool.use(
        (endpoint) =>
          askUnary(endpoint, StreamService.method.getStream, { kind: kind.kind, streamId }, {
            signal: this.#signal,
            timeoutMs,
          }),
        this.#signal,
      );
      core.retry.reached = true;
      return stream;
    } catch (error) {
      this.#throwIfAborted();
      const failure = toSluiceError(error);
      if (failure.reason === "server") core.retry.reached = true;
      if (failure.reason === "server" && failure.code === Code.NotFound) return undefined;
      throw failure;
    }
  }

  /** Waits for what the policy says. @throws {SluiceError} the failure itself, if it is final. */
  async #wait(error: SluiceError): Promise<void> {
    const { core, options: { streamId } } = this;
    const waitMs = this.#retries.next(error, core.pool.elsewhere);
    core.onEvent({ type: "retry", streamId, attempt: this.#retries.failures, waitMs, error });
    this.options.onRetry?.();
    await this.#retries.wait(waitMs).catch(() => this.#throwIfAborted());
  }

  /** Takes what the server knows of the stream. Returns the receipt of one that is finished. */
  #settle(info: StreamInfo | undefined): R | undefined {
    const receipt = this.#resultOf(info);
    if (receipt === undefined) this.#moveTo(Number(info?.committed ?? 0));
    return receipt;
  }

  #resultOf(info: StreamInfo | undefined): R | undefined {
    const receipt = info?.state === StreamState.FINISHED ? this.kind.result(info) : undefined;
    return receipt && this.#stored(receipt);
  }

  /** What the server says is committed. */
  #moveTo(committed: number): void {
    const { feed, options: { streamId } } = this;
    if (committed < feed.committed || committed > feed.sent) throw lostError(committed, feed, streamId);
    if (committed === feed.committed) return;
    feed.commit(committed);
    this.#retries.progress();
    this.#progress();
  }

  /** A stored file is committed as a whole, however much of it was sent in this run. */
  #stored(receipt: R): R {
    if (this.kind.placed) return receipt;
    this.feed.commit(this.kind.committed(receipt));
    this.#progress();
    return receipt;
  }

  #progress(): void {
    try {
      this.options.onProgress?.();
    } catch (error) {
      this.#ended.abort(
        new SluiceError(`A callback threw: ${error instanceof Error ? error.message : error}`, {
          code: Code.Aborted,
          reason: "producer",
          retryable: false,
          cause: error,
        }),
      );
    }
  }

  /** A gap means that the server is not where this client thought; damage may be the network's. Both get another try. */
  #judge(error: SluiceError): SluiceError {
    // A network that wants a login first answers in the server's place.
    const portal = this.options.patient && this.core.retry.reached && error.reason === "foreign";
    if (this.options.patient && error.code === Code.Unauthenticated) {
      // There may be another token some time, and what is sent is kept until then.
      return changed(error, { retryable: true, retryAfterMs: this.core.retry.options.maxMs });
    }
    const curable = portal || error.code === Code.OutOfRange && error.reason === "server" ||
      error.code === Code.DataLoss && error.reason === "server" && !this.kind.placed &&
        this.#retries.failures < DAMAGED_TRIES;
    return curable ? changed(error, { retryable: true }) : error;
  }

  async #orAborted(work: void | Promise<void>): Promise<void> {
    await untilAborted(this.#signal, Promise.resolve(work)).catch((error) => {
      throw this.#signal.aborted ? this.#cancelled() : error;
    });
  }

  #throwIfAborted(): void {
    if (this.#signal.aborted) throw this.#cancelled();
  }

  #cancelled(): SluiceError {
    return this.#ended.signal.aborted ? this.#ended.signal.reason : cancelled(this.#signal);
  }
}
