import { type BodyOwner, RequestBody } from "./body.ts";
import { ErrorCode, RequestAborted, StreamError } from "./errors.ts";
import { RateMark } from "./rate_mark.ts";
import { ReceiveWindow, type WindowBounds } from "./windows.ts";

/*
 * RFC 9113 section 5.1, as a server that never pushes sees it. R: received, S: sent, ES: a frame with END_STREAM.
 *
 *                 idle  (no object: an id above the last one seen)
 *                  |
 *                  | R HEADERS                R HEADERS+ES
 *                  v                          |
 *                OPEN ------- R ES -----------+------> HALF_CLOSED_REMOTE
 *                  |                                        |
 *                  S ES                                     | S ES
 *                  v                                        |
 *           HALF_CLOSED_LOCAL                               |
 *                  |                                        |
 *                  | S RST_STREAM(NO_ERROR), at once:       |
 *                  | nobody reads the rest (section 8.1)    |
 *                  v                                        v
 *               CLOSED <----- R or S RST_STREAM, from any state; the connection ends
 */
export enum StreamState {
  OPEN,
  HALF_CLOSED_LOCAL,
  HALF_CLOSED_REMOTE,
  CLOSED,
}

/** What a stream needs of its connection. */
export interface StreamOwner {
  /** The handler has consumed `bytes` of the body of `stream`. */
  consumed(stream: Stream, bytes: number): void;
  /** The handler waits for a body whose client waits for "100 Continue". */
  sendContinue(stream: Stream): void;
}

/** One request and its response. */
export class Stream implements BodyOwner {
  state = StreamState.OPEN;
  readonly receiveWindow: ReceiveWindow;
  readonly body: RequestBody = new RequestBody(this);
  /** The client's trailers. */
  readonly trailer: Headers = new Headers();
  /** What `content-length` says is still to come; -1 if it was not given. */
  expectedBytes = -1;
  /** The client waits for "100 Continue". */
  expectsContinue = false;
  headersSent = false;
  readonly received = new RateMark();
  readonly sent = new RateMark();

  /** The part of the response body that waits for a window or for the socket. */
  pending: Uint8Array | undefined;
  /** Lets the response go on when `pending` is sent, or the stream is closed. */
  resume: (() => void) | undefined;

  readonly #abort = new AbortController();

  constructor(
    readonly id: number,
    readonly owner: StreamOwner,
    /** What we may send (RFC 9113 section 5.2); negative after the peer made it smaller. */
    public sendWindow: number,
    bounds: WindowBounds,
    now: number,
  ) {
    this.receiveWindow = new ReceiveWindow(bounds, now);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get closed(): boolean {
    return this.state === StreamState.CLOSED;
  }

  /** Whether the client may still send. */
  get receiving(): boolean {
    return this.state === StreamState.OPEN || this.state === StreamState.HALF_CLOSED_LOCAL;
  }

  /** `bytes` of the body are here. They may not exceed `content-length` (RFC 9113 section 8.1.1). */
  count(bytes: number): void {
    this.received.bytes += bytes;
    if (this.expectedBytes < 0) return;
    this.expectedBytes -= bytes;
    if (this.expectedBytes < 0) {
      throw new StreamError(ErrorCode.PROTOCOL_ERROR, "Cannot accept the body: it is longer than content-length");
    }
  }

  /** The client has sent END_STREAM. */
  endReceiving(): void {
    if (this.expectedBytes > 0) {
      throw new StreamError(
        ErrorCode.PROTOCOL_ERROR,
        `Cannot accept the body: it is ${this.expectedBytes} bytes shorter than content-length`,
      );
    }
    this.state = this.state === StreamState.OPEN ? StreamState.HALF_CLOSED_REMOTE : StreamState.CLOSED;
    this.body.end();
  }

  /** Ends it before its time. Whatever waits on it goes on, and sees `reason`. */
  fail(reason: RequestAborted): void {
    this.close(reason);
    this.#abort.abort(reason);
  }

  /** The response is complete. What the handler may still read of the body throws `reason`. */
  close(reason: RequestAborted): void {
    this.state = StreamState.CLOSED;
    this.pending = undefined;
    this.body.fail(reason);
    this.resume?.();
    this.resume = undefined;
  }

  bodyConsumed(bytes: number): void {
    this.owner.consumed(this, bytes);
  }

  bodyWanted(): void {
    if (this.expectsContinue && !this.headersSent) this.owner.sendContinue(this);
  }
}
