import type { Conduct } from "./conduct.ts";
import type { ServerContext } from "./context.ts";
import { ConnectionError, ErrorCode, errorCodeName, RequestAborted, StreamError } from "./errors.ts";
import type { FrameReader } from "./frames/reader.ts";
import type { RequestFrames } from "./inbound.ts";
import type { Outbound } from "./outbound.ts";
import { parseRequestHead, parseTrailers } from "./request_head.ts";
import { inform, requestOf, respond, type ResponseOwner } from "./respond.ts";
import { Stream, type StreamOwner } from "./stream.ts";
import { Absence, StreamTable } from "./stream_table.ts";
import type { Http2Handler, Http2Request } from "./types.ts";
import { ReceiveWindow, type WindowBounds } from "./windows.ts";

/** How full the memory budget is when windows begin to shrink. */
const PRESSURE = 0.75;

/** The requests of one connection: what arrives for them, the handlers that run, and the windows we grant. */
/** One for all requests, for it comes with each: an error costs what its stack costs. */
const COMPLETE = new RequestAborted("server", ErrorCode.NO_ERROR, "the response is complete");

export class Requests implements RequestFrames, StreamOwner, ResponseOwner {
  readonly streams = new StreamTable();
  /** Handlers that run. */
  handlers = 0;
  total = 0;
  /** New requests get REFUSED_STREAM: the last GOAWAY is sent. */
  refusing = false;
  /** The connection's window (RFC 9113 section 5.2). */
  readonly window: ReceiveWindow;
  readonly handler: Http2Handler;
  readonly #bounds: WindowBounds;
  /** The stream of the DATA frame that is being read; undefined: its data is dropped. */
  #target: Stream | undefined;
  /** Data of one stream in the reader's buffer, pushed together so that it is copied once and is one chunk. */
  #run: Stream | undefined;
  #runStart = 0;
  #runEnd = 0;

  constructor(
    readonly context: ServerContext,
    readonly outbound: Outbound,
    readonly reader: FrameReader,
    readonly conduct: Conduct,
    readonly remoteAddr: Deno.Addr,
    readonly fallbackAuthority: string,
    /** Called when the last request has ended. */
    readonly onIdle: () => void,
  ) {
    const { limits, clock } = context;
    this.handler = context.handler;
    this.#bounds = {
      initial: limits.initialStreamWindowBytes,
      min: limits.minStreamWindowBytes,
      max: limits.maxStreamWindowBytes,
    };
    const connectionBounds = {
      initial: limits.initialConnectionWindowBytes,
      min: limits.minConnectionWindowBytes,
      max: limits.maxConnectionWindowBytes,
    };
    this.window = new ReceiveWindow(connectionBounds, clock.now());
  }

  date(): string {
    return this.context.date();
  }

  report(error: unknown, request: Http2Request): void {
    this.context.onError?.(error, request);
  }

  requestReceived(streamId: number, fields: readonly string[], endStream: boolean, tooLarge: boolean): void {
    const { limits, budget, clock } = this.context;
    if (this.refusing || this.handlers >= limits.maxConcurrentStreams || budget.pressure >= 1) {
      throw new StreamError(ErrorCode.REFUSED_STREAM, "Cannot accept another request now");
    }
    const now = clock.now();
    const head = tooLarge ? undefined : parseRequestHead(fields, this.fallbackAuthority);
    const stream = new Stream(streamId, this, this.outbound.peer.initialWindowSize, this.#bounds, now);
    this.streams.add(stream);
    this.total++;
    if (!head) {
      // RFC 9113 section 10.5.1.
      this.conduct.reset(now);
      return this.#answer(stream, 431, endStream);
    }
    // RFC 9113 section 8.5: this is no proxy.
    if (head.method === "CONNECT") return this.#answer(stream, 501, endStream);
    stream.expectedBytes = head.contentLength;
    stream.expectsContinue = head.expectsContinue;
    if (endStream) stream.endReceiving();
    this.handlers++;
    const request = requestOf(this.outbound, stream, head, this.remoteAddr);
    void respond(this, stream, request).then(this.#handlerDone);
  }

  trailersReceived(stream: Stream, fields: readonly string[], tooLarge: boolean): void {
    if (tooLarge) throw new StreamError(ErrorCode.ENHANCE_YOUR_CALM, "Cannot accept trailers over maxHeaderListBytes");
    parseTrailers(fields, stream.trailer);
    this.flush();
    if (!stream.closed) stream.endReceiving();
  }

  dataBegun(streamId: number, bytes: number, overhead: number): void {
    this.#target = undefined;
    if (!this.window.receive(bytes)) {
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, `Cannot accept ${bytes} bytes: over the window`);
    }
    const stream = this.streams.get(streamId);
    if (!stream?.receiving || !stream.receiveWindow.receive(bytes)) {
      // It counts for the connection all the same (RFC 9113 section 6.9).
      this.window.consume(bytes);
      this.#grantConnection();
      return this.#refuseData(streamId, stream);
    }
    if (overhead > 0) {
      stream.receiveWindow.consume(overhead);
      this.window.consume(overhead);
      this.#grant(stream);
    }
    this.#target = stream;
  }

  #refuseData(streamId: number, stream: Stream | undefined): void {
    if (stream?.receiving) {
      throw new StreamError(ErrorCode.FLOW_CONTROL_ERROR, "Cannot accept DATA: it is over the window");
    }
    if (stream) throw new StreamError(ErrorCode.STREAM_CLOSED, "Cannot accept DATA after END_STREAM");
    const absence = this.streams.absence(streamId);
    if (absence === Absence.RESET) return;
    throw absence === Absence.IDLE
      ? new ConnectionError(ErrorCode.PROTOCOL_ERROR, `Cannot accept DATA: stream ${streamId} is idle`)
      : new ConnectionError(ErrorCode.STREAM_CLOSED, `Cannot accept DATA: stream ${streamId} is closed`);
  }

  dataReceived(start: number, end: number, endStream: boolean): void {
    const stream = this.#target;
    if (!stream) return;
    const bytes = end - start;
    if (bytes > 0) {
      stream.count(bytes);
      if (this.#run === stream) {
        // Closes the gap that the frame's header made; what is overwritten has been read.
        this.reader.buffer.copyWithin(this.#runEnd, start, end);
        this.#runEnd += bytes;
      } else {
        this.flush();
        this.#run = stream;
        this.#runStart = start;
        this.#runEnd = end;
      }
    }
    if (endStream) {
      this.flush();
      if (!stream.closed) stream.endReceiving();
    }
  }

  /** Hands on the data that stands in the reader's buffer, which is about to be reused. */
  flush(): void {
    const stream = this.#run;
    if (!stream) return;
    this.#run = undefined;
    try {
      this.context.budget.consume(this.#runEnd - this.#runStart);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      return this.streamErred(stream.id, new StreamError(ErrorCode.ENHANCE_YOUR_CALM, message));
    }
    stream.body.push(this.reader.buffer.slice(this.#runStart, this.#runEnd));
  }

  resetReceived(stream: Stream, code: number): void {
    this.conduct.reset(this.context.clock.now());
    stream.fail(new RequestAborted("client", code, `the client reset the stream: ${errorCodeName(code)}`));
    this.#remove(stream);
  }

  windowUpdateReceived(stream: Stream, increment: number): void {
    if (this.outbound.streamWindowUpdated(stream, increment)) return;
    throw new StreamError(ErrorCode.FLOW_CONTROL_ERROR, `Cannot grow a stream's window to ${stream.sendWindow}`);
  }

  streamErred(streamId: number, error: StreamError): void {
    // RFC 9113 section 5.1: an idle stream cannot be reset.
    if (this.streams.absence(streamId) === Absence.IDLE) throw new ConnectionError(error.code, error.message);
    // What the client provokes counts as if it had done it (CVE-2025-8671).
    this.conduct.reset(this.context.clock.now());
    this.#reset(streamId, error.code, error.message);
  }

  responseEnded(stream: Stream): void {
    if (stream.receiving) {
      // RFC 9113 section 8.1: the client need not send the rest.
      this.outbound.rstStream(stream.id, ErrorCode.NO_ERROR);
      this.streams.remember(stream.id);
    }
    stream.close(COMPLETE);
    this.#remove(stream);
  }

  responseFailed(stream: Stream, code: ErrorCode, message: string): void {
    this.#reset(stream.id, code, message);
  }

  consumed(stream: Stream, bytes: number): void {
    this.context.budget.release(bytes);
    stream.receiveWindow.consume(bytes);
    this.window.consume(bytes);
    this.#grant(stream);
  }

  sendContinue(stream: Stream): void {
    inform(this.outbound, stream, 100);
  }

  /** Ends all requests before their time; `code` undefined: the client is not told. */
  failAll(reason: RequestAborted, code?: ErrorCode): void {
    for (const stream of this.streams) {
      if (code !== undefined) this.outbound.rstStream(stream.id, code);
      stream.fail(reason);
      this.#remove(stream);
    }
  }

  /** Refuses clients that hold a request or a response up. */
  sweep(now: number): void {
    const { limits } = this.context;
    const socketFull = this.outbound.output.length >= limits.maxOutputBytes;
    for (const stream of this.streams) {
      const bodyDue = stream.receiving && stream.body.waiting;
      const windowDue = (stream.pending?.length ?? 0) > 0 && !socketFull;
      if (stream.received.tooSlow(bodyDue, now, limits.bodyPeriodMs, limits.minBodyBytesPerPeriod)) {
        this.#erred(stream, "the request body is too slow (minBodyBytesPerPeriod)");
      } else if (stream.sent.tooSlow(windowDue, now, limits.responsePeriodMs, limits.minResponseBytesPerPeriod)) {
        this.#erred(stream, "the windows hold the response up (minResponseBytesPerPeriod)");
      }
    }
  }

  #erred(stream: Stream, message: string): void {
    this.streamErred(stream.id, new StreamError(ErrorCode.ENHANCE_YOUR_CALM, message));
  }

  #reset(streamId: number, code: ErrorCode, message: string): void {
    this.outbound.rstStream(streamId, code);
    this.streams.remember(streamId);
    const stream = this.streams.get(streamId);
    if (!stream) return;
    stream.fail(new RequestAborted("server", code, message));
    this.#remove(stream);
  }

  #remove(stream: Stream): void {
    if (this.#target === stream) this.#target = undefined;
    if (this.#run === stream) this.#run = undefined;
    this.streams.remove(stream.id);
    // What was charged and never reached the body.
    const left = stream.receiveWindow.buffered;
    if (left > 0) {
      stream.receiveWindow.consume(left);
      this.window.consume(left);
      this.#grantConnection();
    }
    if (this.streams.size === 0) this.onIdle();
  }

  #grant(stream: Stream): void {
    if (stream.receiving) {
      const pressed = this.context.budget.pressure > PRESSURE;
      const credit = stream.receiveWindow.grant(this.context.clock.now(), pressed);
      if (credit > 0) this.outbound.windowUpdate(stream.id, credit);
    }
    this.#grantConnection();
  }

  #grantConnection(): void {
    const credit = this.window.grant(this.context.clock.now(), this.context.budget.pressure > PRESSURE);
    if (credit > 0) this.outbound.windowUpdate(0, credit);
  }

  #answer(stream: Stream, status: number, endStream: boolean): void {
    if (endStream) stream.endReceiving();
    stream.headersSent = true;
    this.outbound.headers(stream, [[":status", String(status)], ["date", this.date()]], true);
    this.responseEnded(stream);
  }

  readonly #handlerDone = (): void => {
    this.handlers--;
  };
}
