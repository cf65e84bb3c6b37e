import { type BodyOwner, RequestBody } from "./body.ts";
import { Http1RequestError, RequestAborted } from "./errors.ts";
import { appendFields } from "./field_lines.ts";
import type { Output } from "./output.ts";
import type { RequestHead } from "./request_head.ts";
import { interimFields, statusLine } from "./response_head.ts";
import type { Http1Request, Http1Response } from "./types.ts";

const encoder = new TextEncoder();

/** What an exchange needs of its connection. */
export interface ExchangeOwner extends BodyOwner {
  readonly output: Output;
}

/** One request, and how its response stands. */
export class Exchange {
  readonly body: RequestBody;
  readonly request: Http1Request;
  headSent = false;
  /** The response is sent, or never will be. */
  over = false;
  #continued = false;
  #controller: AbortController | undefined;
  #reason: unknown;

  constructor(readonly owner: ExchangeOwner, readonly head: RequestHead, remoteAddr: Deno.Addr) {
    this.body = new RequestBody(owner, head);
    this.request = requestOf(this, remoteAddr);
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** The client is gone, or has broken off the request. */
  abort(reason: unknown): void {
    if (this.over || this.#reason !== undefined) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
  }

  /** Whether a handler that failed with `error` did so because its request was aborted. */
  isAbort(error: unknown): boolean {
    if (error instanceof RequestAborted) return true;
    if (this.#reason === undefined) return false;
    return error === this.#reason || (error instanceof Error && error.name === "AbortError");
  }

  /** RFC 9110 section 10.1.1: a client that expects it sends its body once it is told to. */
  sendContinue(): Promise<void> | undefined {
    if (!this.head.expectsContinue || this.#continued || this.headSent) return undefined;
    this.#continued = true;
    return this.owner.output.interim(`${statusLine(100)}\r\n`);
  }

  /** Sends an interim response (RFC 9110 section 15.2). HTTP/1.0 has none. */
  inform(status: number, header?: Headers): void {
    if (!Number.isInteger(status) || status < 102 || status > 199) {
      throw new RangeError(`Cannot send an interim response: its status is ${status}`);
    }
    if (this.headSent || this.over || this.head.httpVersion === "1.0") return;
    // That the client is gone shows when the response is sent.
    this.owner.output.interim(`${statusLine(status)}${interimFields(header)}\r\n`).catch(() => {});
  }

  /** What is sent if the handler fails. The client learns what it did wrong, and nothing of our errors. */
  failureResponse(): Http1Response {
    const known = this.#reason instanceof Http1RequestError ? this.#reason : undefined;
    const status = known?.status ?? (this.#reason !== undefined ? 400 : 500);
    const text = known?.message ?? (status === 400 ? "the request is not complete" : "internal error");
    return {
      status,
      header: new Headers({ "content-type": "text/plain; charset=utf-8", connection: "close" }),
      body: oneChunk(`${text}\n`),
    };
  }
}

/** What the handler is given. Much of it is made when asked for; the properties are its own, so it can be spread. */
function requestOf(exchange: Exchange, remoteAddr: Deno.Addr): Http1Request {
  const { head, body } = exchange;
  let header: Headers | undefined;
  return {
    httpVersion: head.httpVersion,
    method: head.method,
    url: head.url,
    get header() {
      if (!header) {
        header = new Headers();
        appendFields(header, head.bytes, head.fields);
        if (head.authority !== undefined) header.set("host", head.authority);
      }
      return header;
    },
    body,
    get trailer() {
      return body.trailer;
    },
    get signal() {
      return exchange.signal;
    },
    remoteAddr,
    inform: (status, fields) => exchange.inform(status, fields),
  };
}

async function* oneChunk(text: string): AsyncGenerator<Uint8Array> {
  yield encoder.encode(text);
}
