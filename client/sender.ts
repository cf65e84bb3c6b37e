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
import { ForeignAnswer, SluiceError, toSluiceError } from "./errors.ts";
import type { Feed, OpenWindow } from "./feed.ts";
import type { Kind } from "./kinds.ts";
import { ASK_TIMEOUT_MS, DAMAGED_TRIES } from "./limits.ts";
import { ItemRefused, SourceFailed } from "./refused.ts";
import { Retries } from "./retry.ts";
import { type Endpoint, postStream } from "./stream_call.ts";
import { askUnary, cancelled } from "./unary.ts";
import type { Way } from "./way.ts";

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
  /** The receipt of what is committed so far, of an open stream. */
  latest: R | undefined;

  constructor(
    readonly core: Core,
    readonly kind: Kind<R>,
    readonly feed: Feed,
    readonly options: SendOptions,
  ) {
    const { signal, deadlineMs = core.deadlineMs, patient } = options;
    const signals = [core.closed, this.#ended.signal];
    if (signal !== undefined) signals.push(signal);
    this.#signal = AbortSignal.any(signals);
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
        const receipt = info?.state === StreamState.FINISHED ? this.kind.result(info) : undefined;
        if (receipt !== undefined) return this.#stored(receipt);
        const committed = Number(info?.committed ?? 0);
        await this.feed.skipTo(committed);
        if (committed > 0) this.core.onEvent({ type: "resumed", streamId: this.options.streamId, committed });
        this.#progress();
      }
      for (;;) {
        this.#throwIfAborted();
        await this.feed.ready();
        this.#throwIfAborted();
        if (this.feed.failure !== undefined && this.feed.drained) throw this.feed.failure.error;
        const receipt = await this.#window();
        if (receipt !== undefined) return receipt;
      }
    } catch (error) {
      throw this.#toError(error);
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
      const { receipt, end } = await core.pool.use((endpoint) => this.#call(endpoint, way));
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
      const failure = toSluiceError(error);
      const status = failure.cause instanceof ForeignAnswer ? failure.cause.status : undefined;
      if (failure.reason === "server") core.retry.reached = true;
      if (core.way.failed(way, failure, status)) return undefined;
      feed.fit(core.clock.elapsed() - started, true);
      const info = await this.#locate(failure);
      const receipt = info?.state === StreamState.FINISHED ? kind.result(info) : undefined;
      if (receipt !== undefined) return this.#stored(receipt);
      this.#moveTo(Number(info?.committed ?? 0));
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
    const abort = new AbortController();
    const over = withResolvers<void>();
    const onAbort = () => abort.abort(this.#signal.reason);
    this.#signal.addEventListener("abort", onAbort, { once: true });
    let cancelTimer = () => {};
    try {
      const body = await window.body;
      const patience = this.#retries.timeLeft((way === "stream" ? window.ms : 0) + core.callTimeoutMs);
      cancelTimer = core.clock.setTimer(patience, () => abort.abort(this.#timedOut(patience)));
      this.#aheadOf(window, over.promise);
      const receipt = await postStream({ ...endpoint, headers }, kind.method, body, abort.signal) as R;
      core.onEvent({ type: "receipt", streamId, url: endpoint.url, committed: kind.committed(receipt) });
      return { receipt, end };
    } catch (error) {
      if (this.#signal.aborted) throw this.#cancelled();
      throw abort.signal.aborted ? abort.signal.reason : error;
    } finally {
      cancelTimer();
      over.resolve();
      this.#signal.removeEventListener("abort", onAbort);
      const reason = new DOMException("The call is over", "AbortError");
      // In this order: of a body that has failed by itself, Node's fetch throws the reason at nobody.
      abort.abort(reason);
      window.stop(reason);
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

  /** What the server knows of the stream; undefined if it is nothing. @throws {SluiceError} */
  async #ask(): Promise<StreamInfo | undefined> {
    const { core, kind, options: { streamId } } = this;
    try {
      const timeoutMs = this.#retries.timeLeft(ASK_TIMEOUT_MS);
      const { stream } = await core.pool.use((endpoint) =>
        askUnary(endpoint, StreamService.method.getStream, { kind: kind.kind, streamId }, {
          signal: this.#signal,
          timeoutMs,
        })
      );
      core.retry.reached = true;
      return stream;
    } catch (error) {
      const failure = toSluiceError(error);
      if (failure.reason === "server") core.retry.reached = true;
      if (failure.reason === "server" && failure.code === Code.NotFound) return undefined;
      throw this.#signal.aborted ? this.#cancelled() : failure;
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

  /** What the server says is committed. */
  #moveTo(committed: number): void {
    const { feed, options: { streamId } } = this;
    if (committed < feed.committed || committed > feed.sent) {
      const what = committed < feed.committed
        ? `no more than ${committed} of the ${feed.committed} that were committed`
        : `${committed}, although only ${feed.sent} have been sent under its id`;
      throw new SluiceError(`The server knows ${what} of stream ${streamId}`, {
        code: Code.DataLoss,
        reason: "lost",
        retryable: false,
        streamId,
        committed,
      });
    }
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
    const curable = portal || error.code === Code.OutOfRange && error.reason === "server" ||
      error.code === Code.DataLoss && error.reason === "server" && !this.kind.placed &&
        this.#retries.failures < DAMAGED_TRIES;
    if (!curable || error.retryable) return error;
    return new SluiceError(error.rawMessage, { code: error.code, reason: error.reason, retryable: true, cause: error });
  }

  #timedOut(ms: number): SluiceError {
    return new SluiceError(`No receipt came within ${Math.round(ms)} ms`, {
      code: Code.DeadlineExceeded,
      reason: "connection",
      retryable: true,
    });
  }

  #throwIfAborted(): void {
    if (this.#signal.aborted) throw this.#cancelled();
  }

  #cancelled(): SluiceError {
    return this.#ended.signal.aborted ? this.#ended.signal.reason : cancelled(this.#signal);
  }

  /** The error as the caller sees it, with what is known of the stream. */
  #toError(error: unknown): SluiceError {
    const position = { streamId: this.options.streamId, committed: this.feed.committed };
    const known = error instanceof SluiceError && error.reason === "buffer";
    if (known || this.feed.failure?.error !== error) return toSluiceError(error, position);
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof ItemRefused) return failed("item", message, error.cause);
    if (error instanceof SourceFailed) return failed("source", message, error.cause ?? error);
    return failed("producer", `The producer threw: ${message}`, error);

    function failed(reason: "item" | "source" | "producer", message: string, cause: unknown): SluiceError {
      const code = reason === "item" ? Code.InvalidArgument : Code.Aborted;
      return new SluiceError(message, { code, reason, retryable: false, cause, ...position });
    }
  }
}
