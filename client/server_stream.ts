/**
 * Calls that are answered by a stream of messages.
 *
 * @module
 */
import { decodeAnswer, readMessages } from "./answer.ts";
import type { Core } from "./core.ts";
import {
  Code,
  contentTypeStreamProto,
  create,
  type DescMessage,
  type DescMethodServerStreaming,
  headerContentType,
  headerProtocolVersion,
  type MessageInitShape,
  type MessageShape,
  protocolVersion,
  toBinary,
} from "./deps.ts";
import { HEADER_BYTES } from "./envelope.ts";
import { SluiceError, toSluiceError } from "./errors.ts";
import { Retries } from "./retry.ts";
import type { Endpoint } from "./stream_call.ts";
import { type AskOptions, cancelled, waitToRetry } from "./unary.ts";

/** Makes the call at one endpoint. @throws What fetch throws. */
function postMessage<I extends DescMessage, O extends DescMessage>(
  { url, headers, fetch }: Endpoint,
  method: DescMethodServerStreaming<I, O>,
  request: MessageInitShape<I>,
  signal: AbortSignal,
): Promise<Response> {
  const message = toBinary(method.input, create(method.input, request));
  const body = new Uint8Array(HEADER_BYTES + message.length);
  new DataView(body.buffer).setUint32(1, message.length);
  body.set(message, HEADER_BYTES);
  return fetch(`${url}/${method.parent.typeName}/${method.name}`, {
    method: "POST",
    headers: { ...headers, [headerContentType]: contentTypeStreamProto, [headerProtocolVersion]: protocolVersion },
    body,
    signal,
  });
}

/** How a call is made. */
export interface CallOptions {
  signal: AbortSignal;
  /** What is left of the caller's time. */
  retries: Retries;
  /** Whether it may be silent once its first message has come, for as long as nothing happens that it tells of. */
  mayBeSilent?: boolean;
}

/**
 * The messages of one call, at whichever endpoint is well. The first of them has to come within the time of a call, and
 * from then on something has to.
 *
 * @throws {SluiceError} if nothing does, or the answer cannot be had at all.
 * @throws What ended the answer.
 */
export async function* callStream<I extends DescMessage, O extends DescMessage>(
  core: Core,
  method: DescMethodServerStreaming<I, O>,
  request: MessageInitShape<I>,
  { signal, retries, mayBeSilent }: CallOptions,
): AsyncGenerator<MessageShape<O>> {
  const silence = new Silence(core, retries, signal);
  let messages: AsyncGenerator<Uint8Array> | undefined;
  try {
    // An endpoint that sends headers and then nothing is to blame as is one that sends nothing.
    let next = await core.pool.use((endpoint) =>
      silence.within(async () => {
        const response = await postMessage(endpoint, method, request, silence.signal);
        messages = readMessages(response, () => silence.end());
        return await messages.next();
      }), signal).catch((error) => {
        core.retry.reached ||= toSluiceError(error).reason === "server";
        throw error;
      });
    core.retry.reached = true;
    while (!next.done) {
      yield decodeAnswer(method.output, next.value);
      next = await (mayBeSilent ? messages!.next() : silence.within(() => messages!.next()));
    }
  } finally {
    await messages?.return(undefined);
  }
}

/** Ends a call that is silent for too long. The time that the caller takes does not count. */
class Silence {
  /** Of the caller, and of the silence. */
  readonly signal: AbortSignal;
  readonly #core: Core;
  readonly #retries: Retries;
  readonly #caller: AbortSignal;
  readonly #tooLong = new AbortController();
  /** While something is awaited. */
  #cancelTimer: (() => void) | undefined;

  constructor(core: Core, retries: Retries, signal: AbortSignal) {
    this.#core = core;
    this.#retries = retries;
    this.#caller = signal;
    this.signal = AbortSignal.any([signal, this.#tooLong.signal]);
  }

  /** Something is awaited. @throws {SluiceError} if nothing comes; what the work throws. */
  async within<R>(work: () => Promise<R>): Promise<R> {
    try {
      this.#begin();
      return await work();
    } catch (error) {
      if (this.#caller.aborted) throw cancelled(this.#caller);
      throw this.#tooLong.signal.aborted ? this.#tooLong.signal.reason : error;
    } finally {
      this.#cancelTimer?.();
      this.#cancelTimer = undefined;
    }
  }

  /** Something has come, which need not be all that is awaited. */
  end(): void {
    if (this.#cancelTimer !== undefined) this.#begin();
  }

  #begin(): void {
    const { callTimeoutMs, clock } = this.#core;
    const ms = this.#retries.timeLeft(callTimeoutMs);
    this.#cancelTimer?.();
    this.#cancelTimer = clock.setTimer(ms, () => {
      this.#tooLong.abort(ms < callTimeoutMs ? this.#retries.deadlineError() : nothingCame(ms));
    });
  }
}

function nothingCame(ms: number): SluiceError {
  return new SluiceError(`Nothing came within ${Math.round(ms)} ms`, {
    code: Code.DeadlineExceeded,
    reason: "connection",
    retryable: true,
  });
}

/**
 * The messages of an answer. Until the first of them has come, the call is tried again where that can help; whoever stops
 * iterating ends it.
 *
 * @throws {SluiceError} What ended the answer.
 */
export async function* askStream<I extends DescMessage, O extends DescMessage>(
  core: Core,
  method: DescMethodServerStreaming<I, O>,
  request: MessageInitShape<I>,
  { signal, deadlineMs = core.deadlineMs, mayBeSilent }: AskOptions & { mayBeSilent?: boolean } = {},
): AsyncGenerator<MessageShape<O>> {
  const either = signal ? AbortSignal.any([core.closed, signal]) : core.closed;
  const retries = new Retries(core.retry, { signal: either, deadlineMs });
  for (let begun = false;;) {
    let failure: SluiceError;
    try {
      for await (const message of callStream(core, method, request, { signal: either, retries, mayBeSilent })) {
        begun = true;
        yield message;
      }
      return;
    } catch (error) {
      if (either.aborted) throw cancelled(either);
      failure = toSluiceError(error);
    }
    if (begun) throw failure;
    await waitToRetry(core, retries, failure, either);
  }
}
