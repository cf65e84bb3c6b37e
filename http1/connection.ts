import type { MemoryBudget } from "../http2/budget.ts";
import { type Clock, systemClock } from "../http2/clock.ts";
import type { BodyOwner } from "./body.ts";
import { BodyRate } from "./body_rate.ts";
import { Http1RequestError, RequestAborted } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import { Input } from "./input.ts";
import { defaultLimits, type Http1Limits } from "./limits.ts";
import { Output } from "./output.ts";
import { type RequestHead, RequestParser } from "./request_head.ts";
import { type ResponseOwner, sendResponse, UnsentResponse } from "./respond.ts";
import { statusLine } from "./response_head.ts";
import { type Sweeper, sweeperOf } from "./sweeper.ts";
import type { Http1Connection, Http1Handler, Http1Options, Http1Socket, Http1Stats } from "./types.ts";

/**
 * What a connection does:
 *
 * IDLE <-> HEAD -> HANDLING -> DRAINING -> IDLE
 *    \-------\-----------\----------\---> LINGERING -> CLOSED
 */
const enum Phase {
  /** Waits for the first byte of a request. */
  IDLE,
  /** Waits for the rest of a head. */
  HEAD,
  /** A handler runs, or its response is being sent. */
  HANDLING,
  /** The response is sent; what is left of the request's body is dropped. */
  DRAINING,
  /** No more is sent; the client may read what it has not (RFC 9112 section 9.6). */
  LINGERING,
  CLOSED,
}

/** One HTTP/1.x connection from its first byte to its last. */
export class Connection implements Http1Connection, Http1Stats, BodyOwner, ResponseOwner {
  readonly finished: Promise<void>;
  readonly input: Input;
  readonly output: Output;
  readonly limits: Http1Limits;
  readonly budget: MemoryBudget | undefined;
  requests = 0;
  handlers = 0;
  readonly #onError: Http1Options["onError"];
  readonly #clock: Clock;
  readonly #sweeper: Sweeper;
  readonly #parser: RequestParser;
  #phase = Phase.HEAD;
  #shuttingDown = false;
  #exchange: Exchange | undefined;
  /** When what the phase waits for takes too long. */
  #deadline: number;
  readonly #bodyRate: BodyRate;

  constructor(readonly socket: Http1Socket, readonly handler: Http1Handler, options: Http1Options) {
    this.limits = { ...defaultLimits, ...options.limits };
    this.budget = options.budget;
    this.#onError = options.onError;
    this.#clock = options.clock ?? systemClock;
    this.#sweeper = sweeperOf(this.#clock);
    this.input = new Input(socket, options.initialBytes);
    this.input.onEnd = () => this.#inputEnded();
    this.output = new Output(socket, this.limits.writeBufferBytes, this.#clock.now);
    this.#bodyRate = new BodyRate(this.limits, this.#clock.now);
    this.#parser = new RequestParser(this.limits, options.scheme ?? "http");
    this.#deadline = this.#clock.now() + this.limits.headTimeoutMs;
    this.#sweeper.add(this);
    this.finished = this.#run();
  }

  get stats(): Http1Stats {
    return this;
  }

  get bytesReceived(): number {
    return this.input.bytesReceived;
  }

  get bytesSent(): number {
    return this.output.bytesSent;
  }

  get bufferedBytes(): number {
    return this.#phase === Phase.CLOSED ? 0 : this.input.length;
  }

  get date(): string {
    return this.#sweeper.date;
  }

  get closing(): boolean {
    return this.#shuttingDown || this.requests >= this.limits.maxRequests;
  }

  shutdown(): void {
    this.#shuttingDown = true;
    if (this.#phase <= Phase.HEAD) this.input.interrupt(undefined);
  }

  sweep(now: number): void {
    const { stalledSince } = this.output;
    if (stalledSince !== undefined && now - stalledSince > this.limits.writeStallMs) {
      return this.#abandon(new RequestAborted("server", "the client does not read (writeStallMs)"));
    }
    if (this.#bodyRate.tooSlow(now, this.input.bytesReceived)) {
      const error = new Http1RequestError(408, "the request body is too slow (minBodyBytesPerPeriod)");
      return this.#exchange?.body.fail(error);
    }
    if (now < this.#deadline) return;
    if (this.#phase === Phase.HEAD && this.#parser.partial(this.input)) {
      this.input.interrupt(new Http1RequestError(408, "the head is too slow (headTimeoutMs)"));
    } else if (this.#phase <= Phase.HEAD) this.input.interrupt(undefined);
    else if (this.#phase !== Phase.HANDLING) this.#abandon(new RequestAborted("server", "the client does not close"));
  }

  bodyWanted(): Promise<void> | undefined {
    return this.#exchange?.sendContinue();
  }

  bodyWaits(waits: boolean): void {
    this.#bodyRate.waits(waits, this.input.bytesReceived);
  }

  bodyFailed(error: unknown): void {
    this.#exchange?.abort(error);
  }

  headSent(): void {
    if (!this.#exchange) return;
    this.#exchange.headSent = true;
    const { body } = this.#exchange;
    // The answer said `connection: close`. A client that reads only after it has written must be able to do so.
    if (body.closed && !body.complete) this.input.discard(this.limits.maxDrainBytes);
  }

  async #run(): Promise<void> {
    // The handler shall not run before the caller has the connection.
    await undefined;
    try {
      this.socket.setNoDelay?.(true);
      while (!this.#shuttingDown) {
        const head = this.#parser.parse(this.input);
        if (head) {
          if (!await this.#serve(head)) break;
        } else if (!await this.#waitForHead()) break;
      }
      await this.#linger();
    } catch (error) {
      await this.#refuse(error);
    }
    this.#abandon(new RequestAborted("connection", "the connection is closed"));
    this.#sweeper.delete(this);
  }

  async #waitForHead(): Promise<boolean> {
    const { limits, input } = this;
    if (!this.#parser.partial(input) && this.requests > 0) {
      this.#phase = Phase.IDLE;
      this.#deadline = this.#clock.now() + limits.keepAliveTimeoutMs;
      input.shrink();
      this.output.shrink();
    } else if (this.#phase !== Phase.HEAD) {
      this.#phase = Phase.HEAD;
      this.#deadline = this.#clock.now() + limits.headTimeoutMs;
    }
    return await input.fill();
  }

  /** One request and its response. False: the connection ends. */
  async #serve(head: RequestHead): Promise<boolean> {
    this.#phase = Phase.HANDLING;
    this.#bodyRate.begin(this.input.bytesReceived);
    this.requests++;
    this.handlers++;
    const exchange = this.#exchange = new Exchange(this, head, this.socket.remoteAddr);
    const { body } = exchange;
    let keepAlive = false;
    try {
      if (this.input.ended) exchange.abort(new RequestAborted("client", "the client went away"));
      if (body.complete) this.input.watch();
      else if (!head.expectsContinue) body.readAhead();
      keepAlive = await this.#answer(exchange);
    } finally {
      body.end();
      this.#bodyRate.begin(this.input.bytesReceived);
      exchange.over = true;
      this.#exchange = undefined;
      this.handlers--;
      this.input.unwatch();
    }
    if (!keepAlive) return false;
    return body.complete || await this.#drain(exchange);
  }

  /** True: the connection may go on. */
  async #answer(exchange: Exchange): Promise<boolean> {
    const { head, body, request } = exchange;
    try {
      const response = await this.handler(request);
      return await sendResponse(this, head, body, response);
    } catch (error) {
      const failure = error instanceof UnsentResponse ? error.cause : error;
      if (!exchange.isAbort(failure)) this.#onError?.(failure, request);
      if (exchange.headSent) {
        // Never a clean end: the client shall not take half a response for a whole one.
        this.#abandon(failure);
        return false;
      }
      return await sendResponse(this, head, body, exchange.failureResponse());
    }
  }

  /** Drops what is left of a request's body. True: it has ended, and the connection may go on. */
  async #drain({ body }: Exchange): Promise<boolean> {
    this.#phase = Phase.DRAINING;
    this.#deadline = this.#clock.now() + this.limits.maxDrainMs;
    for (let bytes = 0; bytes <= this.limits.maxDrainBytes;) {
      bytes += body.skip();
      if (body.complete) return true;
      if (!await this.input.fill()) return false;
    }
    return false;
  }

  /**
   * RFC 9112 section 9.6: a socket closed with bytes unread resets the connection, which can take the answer from the
   * client; so what comes is dropped until the client has closed, within limits.
   */
  async #linger(): Promise<void> {
    if (this.#phase === Phase.CLOSED) return;
    this.#phase = Phase.LINGERING;
    this.#deadline = this.#clock.now() + this.limits.maxDrainMs;
    const { input } = this;
    const begun = input.bytesReceived - input.length;
    try {
      await this.socket.closeWrite?.();
      do input.start = input.end; while (
        input.bytesReceived - begun <= this.limits.maxDrainBytes && await input.fill()
      );
    } catch {
      // The client is gone.
    }
  }

  /** Answers what is no valid request, if that is what `error` says. */
  async #refuse(error: unknown): Promise<void> {
    if (!(error instanceof Http1RequestError) || this.#phase === Phase.CLOSED) return;
    const text = `${error.message}\n`;
    this.output.text(
      `${statusLine(error.status)}content-type: text/plain; charset=utf-8\r\ndate: ${this.date}\r\n` +
        `content-length: ${text.length}\r\nconnection: close\r\n\r\n${text}`,
    );
    try {
      await this.output.flush();
    } catch {
      return;
    }
    await this.#linger();
  }

  #inputEnded(): void {
    const reason = new RequestAborted("client", "the client went away");
    this.#exchange?.abort(reason);
    // A client that only ended its side may still read the answer; a socket that failed is of use to nobody.
    if (this.input.failure !== undefined) this.#abandon(reason);
  }

  #abandon(reason: unknown): void {
    if (this.#phase === Phase.CLOSED) return;
    this.#phase = Phase.CLOSED;
    this.#exchange?.abort(reason);
    this.#exchange?.body.fail(reason);
    try {
      this.socket.close();
    } catch {
      // It is closed already.
    }
  }
}

/**
 * Serves HTTP/1.1 and HTTP/1.0 on a connection that was accepted already.
 *
 * ```ts
 * for await (const conn of Deno.listen({ hostname: "127.0.0.1", port: 8080 })) {
 *   serveHttp1Connection(conn, (request) => ({
 *     status: 200,
 *     body: request.body,
 *   }));
 * }
 * ```
 */
export function serveHttp1Connection(
  conn: Http1Socket,
  handler: Http1Handler,
  options: Http1Options = {},
): Http1Connection {
  return new Connection(conn, handler, options);
}
