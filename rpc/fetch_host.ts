/**
 * The host on Deno.serve, which is all there is on Deno Deploy: Connect and gRPC-Web, downloads, health.
 *
 * @module
 */
import { createContextValues } from "@connectrpc/connect";
import { universalServerResponseToFetch } from "@connectrpc/connect/protocol";
import { setImmediate } from "node:timers";
import { MAX_DRAIN_BYTES, MAX_DRAIN_MS } from "../limits.ts";
import { isEndCertain } from "./body_end.ts";
import { callerGone } from "./broken_off.ts";
import type { HttpHandler } from "./http_handler.ts";

/** Turns of the event loop to wait for Deno to say that a client cancelled: 1 or 2 were seen. */
const CANCEL_TURNS = 4;

/** The handler for Deno.serve. */
export function createFetchHandler(handler: HttpHandler): (request: Request) => Promise<Response> {
  return async (request) => {
    const body = new RequestBody(request);
    const response = await handler({
      // Not known here, and what is not "1.1" lets connect-es stream.
      httpVersion: "",
      method: request.method,
      url: request.url,
      header: request.headers,
      signal: request.signal,
      body,
      contextValues: createContextValues().set(isEndCertain, () => body.isEndCertain),
    });
    if (request.method === "HEAD") return universalServerResponseToFetch({ ...response, body: undefined });
    return universalServerResponseToFetch({ ...response, body: response.body && body.drainAfter(response.body) });
  };
}

/**
 * The body of a request, which may be left half read by a handler that has seen enough. On HTTP/1.1 the rest would then
 * block the connection, and closing it could take the answer with it; so the rest is read and dropped, within limits.
 */
class RequestBody implements AsyncIterable<Uint8Array> {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /**
   * Whether the rest would block the connection. On HTTP/2 it does not, and there the two sides of a call may take turns:
   * draining would wait for a client that waits for its answer. A streamed body of HTTP/1.1 has a transfer coding, one
   * of HTTP/2 never has (RFC 9113, section 8.2.2), and a body of known length waits for no answer.
   */
  readonly #blocks: boolean;
  readonly #coded: boolean;
  /** Bytes that the body is said to have. */
  readonly #length: number | undefined;
  readonly #signal: AbortSignal;
  #received = 0;
  #done: boolean;

  constructor(request: Request) {
    const length = request.headers.get("content-length");
    this.#coded = request.headers.has("transfer-encoding");
    this.#length = length === null ? undefined : Number(length);
    this.#blocks = this.#coded || length !== null;
    this.#signal = request.signal;
    this.#reader = request.body?.getReader();
    this.#done = !this.#reader;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: async () => {
        if (!this.#reader || this.#done) return { done: true, value: undefined };
        const result = await this.#reader.read();
        if (!result.done) {
          this.#received += result.value.length;
          return result;
        }
        this.#done = true;
        if (!this.isEndCertain) await this.#assertNotCut();
        return { done: true, value: undefined };
      },
    };
  }

  /**
   * Whether a body that has ended is complete. When a client resets a stream of HTTP/2, Deno ends the body as if it were;
   * one with a transfer coding came by HTTP/1.1, where it would have failed.
   */
  get isEndCertain(): boolean {
    return this.#coded || this.#received === this.#length;
  }

  /**
   * After a reset, Deno aborts the signal of the request too, mostly one or two turns of the event loop later. Then the
   * caller's leaving is what the call fails with; but on a busy machine it may be too late for that.
   */
  async #assertNotCut(): Promise<void> {
    for (let turn = 0; turn < CANCEL_TURNS && !this.#signal.aborted; turn++) {
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    if (this.#signal.aborted) throw callerGone();
  }

  /** The answer's body; before it, the rest of the request is drained if it has to be. */
  async *drainAfter(answer: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const bytes of answer) {
      if (this.#blocks && !this.#done) await this.#drain();
      yield bytes;
    }
  }

  async #drain(): Promise<void> {
    const deadline = performance.now() + MAX_DRAIN_MS;
    const timer = setTimeout(() => this.#reader?.cancel().catch(() => {}), MAX_DRAIN_MS);
    try {
      let bytes = 0;
      while (!this.#done && bytes < MAX_DRAIN_BYTES && performance.now() < deadline) {
        const result = await this.#reader?.read();
        if (!result || result.done) this.#done = true;
        else bytes += result.value.length;
      }
    } catch {
      // The client is gone; so is whoever would have read the answer.
    } finally {
      clearTimeout(timer);
      this.#done = true;
    }
  }
}
