/**
 * The context of a call on the ingest path: what connect-es's own has, at the cost of one signal and the headers that are
 * sent. A call of one small message should not cost more in its surroundings than in itself.
 *
 * @module
 */
import type { DescMethodStreaming } from "@bufbuild/protobuf";
import { Code, ConnectError, createContextValues, type HandlerContext } from "@connectrpc/connect";
import type { UniversalServerRequest } from "@connectrpc/connect/protocol";
import type { Protocol } from "./protocols.ts";

export interface OpenCall {
  readonly signal: AbortSignal;
  /** What still goes on for the call is not wanted. */
  fail(reason: unknown): void;
  /** The call is over. */
  end(): void;
}

/** The calls that are open, so that all of them can be ended at once. */
export class OpenCalls {
  readonly #open = new Set<AbortController>();

  /** @param shutdownSignal Ends all calls, with its reason. */
  constructor(private readonly shutdownSignal: AbortSignal | undefined) {
    shutdownSignal?.addEventListener("abort", () => {
      for (const call of this.#open) call.abort(shutdownSignal.reason);
    });
  }

  /**
   * A signal that aborts when the caller is gone (`requestSignal`), the deadline has passed, the server stops, or the
   * call fails.
   */
  begin(requestSignal: AbortSignal, timeoutMs: number | undefined): OpenCall {
    const call = new AbortController();
    const gone = () => call.abort(requestSignal.reason);
    if (this.shutdownSignal?.aborted) call.abort(this.shutdownSignal.reason);
    if (requestSignal.aborted) gone();
    requestSignal.addEventListener("abort", gone);
    const timer = timeoutMs === undefined ? undefined : setTimeout(
      () => call.abort(new ConnectError("the operation timed out", Code.DeadlineExceeded)),
      timeoutMs,
    );
    this.#open.add(call);
    return {
      signal: call.signal,
      fail: (reason) => call.abort(reason),
      end: () => {
        this.#open.delete(call);
        requestSignal.removeEventListener("abort", gone);
        clearTimeout(timer);
      },
    };
  }
}

/** The context of a request, with what its answer begins with. */
export function createContext(
  method: DescMethodStreaming,
  request: UniversalServerRequest,
  protocol: Protocol,
  { signal, timeoutMs, isBinary }: {
    readonly signal: AbortSignal;
    readonly timeoutMs: number | undefined;
    readonly isBinary: boolean;
  },
): HandlerContext {
  const deadline = timeoutMs === undefined ? undefined : Date.now() + timeoutMs;
  return {
    service: method.parent,
    method,
    requestMethod: request.method,
    protocolName: protocol.name,
    url: request.url,
    signal,
    timeoutMs: () => deadline === undefined ? undefined : deadline - Date.now(),
    requestHeader: request.header,
    responseHeader: new Headers([["content-type", isBinary ? protocol.contentType.binary : protocol.contentType.json]]),
    responseTrailer: new Headers(protocol.trailers),
    values: request.contextValues ?? createContextValues(),
  };
}
