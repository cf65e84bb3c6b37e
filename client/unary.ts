/**
 * Calls of one message: by connect-web, at whichever endpoint is well, tried again where that can help.
 *
 * @module
 */
import { bounded, foreignAnswer } from "./answer.ts";
import { MAX_TIMER_MS } from "./clock.ts";
import type { Core } from "./core.ts";
import {
  Code,
  ConnectError,
  create,
  createConnectTransport,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
  type Transport,
} from "./deps.ts";
import { SluiceError, toSluiceError } from "./errors.ts";
import { Retries } from "./retry.ts";
import type { Endpoint } from "./stream_call.ts";

/** A transport to one endpoint. What comes without an answer of a server of ours is a SluiceError. */
function transportOf({ url, headers, fetch }: Endpoint): Transport {
  return createConnectTransport({
    baseUrl: url,
    useBinaryFormat: true,
    interceptors: [(next) => (request) => {
      for (const [name, value] of Object.entries(headers)) request.header.set(name, value);
      return next(request);
    }],
    fetch: async (input, init) => {
      let response: Response;
      try {
        response = await fetch(input, init);
      } catch (error) {
        // connect-web knows what to make of an abort.
        if (init?.signal?.aborted) throw error;
        throw toSluiceError(error);
      }
      const type = response.headers.get("content-type") ?? "";
      if (/^application\/(proto|json|connect\+)/.test(type)) return bounded(response);
      throw toSluiceError(await foreignAnswer(response, type));
    },
  });
}

/** One call of one message at one endpoint. */
export async function askUnary<I extends DescMessage, O extends DescMessage>(
  endpoint: Endpoint,
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
  { signal, timeoutMs }: { signal?: AbortSignal; timeoutMs?: number },
): Promise<MessageShape<O>> {
  try {
    // On the wire it is whole milliseconds. A time that no timer can measure is none.
    const wholeMs = timeoutMs !== undefined && timeoutMs <= MAX_TIMER_MS ? Math.ceil(timeoutMs) : undefined;
    const answer = await transportOf(endpoint).unary(method, signal, wholeMs, undefined, request);
    return answer.message;
  } catch (error) {
    throw withReason(error, signal);
  }
}

/** connect-web gives what fetch says of a cut answer, and of its own timeout, codes of its own. */
function withReason(error: unknown, signal: AbortSignal | undefined): unknown {
  if (error instanceof SluiceError) return error;
  if (signal?.aborted) return cancelled(signal);
  const { code, rawMessage, cause } = ConnectError.from(error);
  if (code === Code.Unknown && cause instanceof Error) return toSluiceError(cause);
  if (code === Code.DeadlineExceeded && cause === undefined) {
    return new SluiceError(rawMessage, { code, reason: "connection", retryable: true, cause: error });
  }
  return toSluiceError(error);
}

/** The error for a signal that was aborted, by the caller or because the client was closed. */
export function cancelled({ reason }: AbortSignal): SluiceError {
  if (reason instanceof SluiceError) return reason;
  return new SluiceError(`Cancelled: ${reason instanceof Error ? reason.message : reason}`, {
    code: Code.Canceled,
    reason: "cancelled",
    retryable: false,
    cause: reason,
  });
}

/** How a call is made. */
export interface AskOptions {
  signal?: AbortSignal;
  /** How long it may take, retries and all, ms. Default: that of the client. */
  deadlineMs?: number;
}

/**
 * A call of one message at whichever endpoint is well, tried again where that can help.
 *
 * @throws {SluiceError} What the server answered, or that nobody did.
 */
export async function ask<I extends DescMessage, O extends DescMessage>(
  core: Core,
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
  { signal, deadlineMs = core.deadlineMs }: AskOptions = {},
): Promise<MessageShape<O>> {
  const either = signal ? AbortSignal.any([signal, core.closed]) : core.closed;
  const retries = new Retries(core.retry, { signal: either, deadlineMs });
  for (;;) {
    if (either.aborted) throw cancelled(either);
    try {
      const timeoutMs = retries.timeLeft(core.callTimeoutMs);
      const answer = await core.pool.use(
        (endpoint) => askUnary(endpoint, method, request, { signal: either, timeoutMs }),
        either,
      );
      core.retry.reached = true;
      return answer;
    } catch (error) {
      if (either.aborted) throw cancelled(either);
      const failure = toSluiceError(error);
      if (failure.reason === "server") core.retry.reached = true;
      // The first answer was lost: what was to be deleted is gone already.
      const gone = failure.code === Code.NotFound && retries.failures > 0 && method.name === "DeleteFile";
      if (gone) return create(method.output);
      await waitToRetry(core, retries, failure, either);
    }
  }
}

/** Waits for the next try. @throws {SluiceError} if there is none, or the signal is aborted. */
export async function waitToRetry(
  core: Core,
  retries: Retries,
  error: SluiceError,
  signal: AbortSignal,
): Promise<void> {
  const waitMs = retries.next(error, core.pool.elsewhere);
  core.onEvent({ type: "retry", attempt: retries.failures, waitMs, error });
  await retries.wait(waitMs).catch(() => {
    throw cancelled(signal);
  });
}
