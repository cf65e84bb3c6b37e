import { Conduct } from "./conduct.ts";
import type { ServerContext } from "./context.ts";
import { ConnectionError, ErrorCode, RequestAborted } from "./errors.ts";
import { Flag, MAX_STREAM_ID } from "./frames/constants.ts";
import { FrameReader } from "./frames/reader.ts";
import { type ConnectionFrames, Inbound } from "./inbound.ts";
import { Outbound } from "./outbound.ts";
import { Output } from "./output.ts";
import { Phase } from "./phase.ts";
import { sendPreface, takePreface } from "./preface.ts";
import { Requests } from "./requests.ts";
import { RateMark } from "./rate_mark.ts";
import type { ConnectionInfo, ConnectionStats } from "./types.ts";

/** RFC 9113 section 6.7: a PING carries what its sender likes. */
const [KEEPALIVE_PING, DRAIN_PING] = ["keepaliv", "draining"].map((text) => new TextEncoder().encode(text));

/** The socket under a connection: what is used of `Deno.Conn`. */
export type Socket = Pick<Deno.Conn, "read" | "write" | "close" | "closeWrite" | "localAddr" | "remoteAddr"> & {
  setNoDelay?(noDelay?: boolean): void;
};

/** One HTTP/2 connection from its first byte to its last. */
export class Connection implements ConnectionFrames, ConnectionInfo, ConnectionStats {
  readonly requestsInFlight: Requests;
  bytesReceived = 0;
  /** Why it ended, if it was for a fault. */
  error: Error | undefined;
  readonly #reader: FrameReader;
  readonly #inbound: Inbound;
  readonly #output: Output;
  readonly #outbound: Outbound;
  readonly #conduct: Conduct;
  readonly #openedAt: number;
  readonly #endsAt: number;
  #phase = Phase.OPENING;
  #prefaceTaken = false;
  #lastRead: number;
  #idleSince: number;
  #partialSince: number | undefined;
  #settingsAcked = false;
  /** When the keepalive PING that waits for its answer was sent. */
  #pingedAt: number | undefined;
  #drainingSince = 0;
  /** When requests in flight are given up, in a drain. */
  #deadline = Infinity;
  #lingerUntil = Infinity;
  /** What the socket takes while it has much to take. */
  readonly #written = new RateMark();
  #writtenBefore = 0;

  constructor(readonly socket: Socket, readonly id: number, readonly context: ServerContext) {
    const { limits, clock } = context;
    const now = clock.now();
    this.#openedAt = this.#lastRead = this.#idleSince = now;
    this.#endsAt = now + limits.maxAgeMs * (1 + limits.ageJitter * (2 * context.random() - 1));
    this.#reader = new FrameReader(limits.maxFrameBytes, limits.readBufferBytes);
    this.#conduct = new Conduct(limits, now);
    this.#output = new Output(socket, () => this.#outbound.pump(), (error) => this.#abandon(error));
    this.#outbound = new Outbound(this.#output, limits, () => this.#conduct.responded());
    const { remoteAddr, localAddr } = socket;
    const authority = "port" in localAddr ? `localhost:${localAddr.port}` : "localhost";
    this.requestsInFlight = new Requests(
      context,
      this.#outbound,
      this.#reader,
      this.#conduct,
      remoteAddr,
      authority,
      () => this.#becameIdle(),
    );
    this.#inbound = new Inbound(this.#reader, this.requestsInFlight, this, this.#conduct, clock.now, limits);
  }

  get remoteAddr(): Deno.Addr {
    return this.socket.remoteAddr;
  }

  get stats(): ConnectionStats {
    return this;
  }

  get bytesSent(): number {
    return this.#output.bytesSent;
  }

  get requests(): number {
    return this.requestsInFlight.total;
  }

  get streams(): number {
    return this.requestsInFlight.streams.size;
  }

  get handlers(): number {
    return this.requestsInFlight.handlers;
  }

  get bufferedBytes(): number {
    return this.requestsInFlight.window.buffered;
  }

  get windowBytes(): number {
    return this.requestsInFlight.window.size;
  }

  /** Serves it to its end. Never rejects. */
  async run(initialBytes: Uint8Array): Promise<void> {
    try {
      this.socket.setNoDelay?.(true);
      sendPreface(this.#outbound, this.context.limits);
      for (let rest = initialBytes; rest.length > 0;) {
        const space = this.#reader.space();
        const count = Math.min(rest.length, space.length);
        space.set(rest.subarray(0, count));
        this.#received(count);
        rest = rest.subarray(count);
      }
      const { maxOutputBytes, maxControlOutputBytes } = this.context.limits;
      for (;;) {
        while (this.#output.length > maxOutputBytes + maxControlOutputBytes) await this.#output.relieved();
        const count = await this.socket.read(this.#reader.space());
        if (count === null) break;
        this.#received(count);
      }
    } catch (error) {
      this.#abandon(error);
    }
    this.requestsInFlight.failAll(new RequestAborted("connection", ErrorCode.CANCEL, "the connection is closed"));
    this.#close();
  }

  /** Asks the client to end the connection, and ends it when its requests are done or at `deadline`. */
  drain(deadline: number): void {
    this.#deadline = Math.min(this.#deadline, deadline);
    if (this.#phase === Phase.OPENING) return this.#end();
    if (this.#phase !== Phase.ACTIVE) return;
    // RFC 9113 section 6.8: requests that are under way to us when we decide to stop shall not be lost.
    this.#phase = Phase.DRAINING;
    this.#drainingSince = this.context.clock.now();
    this.#outbound.goaway(MAX_STREAM_ID, ErrorCode.NO_ERROR, "");
    this.#outbound.ping(0, DRAIN_PING);
  }

  /** Looks after whatever takes too long. */
  sweep(now: number): void {
    const { limits } = this.context;
    if (now >= this.#lingerUntil) return this.#close();
    const { bytesSent, writing } = this.#output;
    this.#written.bytes += bytesSent - this.#writtenBefore;
    this.#writtenBefore = bytesSent;
    if (this.#written.tooSlow(writing, now, limits.responsePeriodMs, limits.minResponseBytesPerPeriod)) {
      return this.#abandon(new Error("the client does not read (minResponseBytesPerPeriod)"));
    }
    if (this.#phase === Phase.LINGERING) return;
    try {
      this.#checkDeadlines(now);
      this.requestsInFlight.sweep(now);
    } catch (error) {
      this.#fail(error);
    }
  }

  #checkDeadlines(now: number): void {
    const { limits } = this.context;
    if (this.#phase === Phase.OPENING && now - this.#openedAt > limits.prefaceTimeoutMs) {
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, "the preface is too slow (prefaceTimeoutMs)");
    }
    if (!this.#settingsAcked && now - this.#openedAt > limits.prefaceTimeoutMs + limits.settingsAckTimeoutMs) {
      throw new ConnectionError(ErrorCode.SETTINGS_TIMEOUT, "SETTINGS are not acknowledged (settingsAckTimeoutMs)");
    }
    const { block } = this.#inbound;
    const since = block.open ? block.beganAt : this.#partialSince;
    if (since !== undefined && now - since > limits.headersTimeoutMs) {
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, "a frame is too slow (headersTimeoutMs)");
    }
    if (this.#pingedAt !== undefined && now - this.#pingedAt > limits.keepaliveTimeoutMs) {
      throw new ConnectionError(ErrorCode.NO_ERROR, "a PING is not answered (keepaliveTimeoutMs)");
    }
    if (this.#pingedAt === undefined && now - this.#lastRead > limits.keepaliveIntervalMs) {
      this.#pingedAt = now;
      this.#outbound.ping(0, KEEPALIVE_PING);
    }
    if (this.#phase === Phase.ACTIVE) {
      if (now >= this.#endsAt) this.drain(now + limits.ageGraceMs);
      else if (this.streams === 0 && now - this.#idleSince > limits.maxIdleMs) this.drain(now);
    } else if (this.#phase === Phase.DRAINING && now - this.#drainingSince > limits.drainPingTimeoutMs) {
      this.#drainEnds();
    }
    if (now >= this.#deadline && this.#phase === Phase.LAST) {
      this.requestsInFlight.failAll(
        new RequestAborted("server", ErrorCode.CANCEL, "the server shuts down"),
        ErrorCode.CANCEL,
      );
      this.#end();
    }
  }

  settingsReceived(buffer: Uint8Array, start: number, end: number): void {
    if (this.#phase === Phase.OPENING) this.#phase = Phase.ACTIVE;
    this.#outbound.settings(buffer, start, end, this.requestsInFlight.streams);
  }

  settingsAcknowledged(): void {
    this.#settingsAcked = true;
  }

  pingReceived(opaque: Uint8Array): void {
    this.#outbound.ping(Flag.ACK, opaque);
  }

  pingAcknowledged(opaque: Uint8Array): void {
    if (this.#phase === Phase.DRAINING && opaque.every((byte, i) => byte === DRAIN_PING[i])) this.#drainEnds();
  }

  goawayReceived(): void {
    if (this.#phase < Phase.LAST) this.#drainEnds();
  }

  windowUpdateReceived(increment: number): void {
    this.#outbound.connectionWindowUpdated(increment);
  }

  /** `count` bytes are in the reader's space. */
  #received(count: number): void {
    this.bytesReceived += count;
    if (this.#phase === Phase.LINGERING) return;
    const now = this.context.clock.now();
    this.#lastRead = now;
    this.#pingedAt = undefined;
    const reader = this.#reader;
    reader.filled(count);
    let frames = 0;
    try {
      this.#prefaceTaken ||= takePreface(reader);
      if (this.#prefaceTaken) {
        while (reader.next()) {
          frames++;
          this.#inbound.frame();
        }
        this.requestsInFlight.flush();
      }
    } catch (error) {
      this.#fail(error);
    }
    if (!reader.partial) this.#partialSince = undefined;
    else if (frames > 0 || this.#partialSince === undefined) this.#partialSince = now;
    if (this.streams === 0) {
      reader.shrink();
      this.#output.shrink();
    }
  }

  #becameIdle(): void {
    this.#idleSince = this.context.clock.now();
    if (this.#phase === Phase.LAST) this.#end();
  }

  /** The client knows that it shall send no more requests. */
  #drainEnds(): void {
    this.#phase = Phase.LAST;
    this.requestsInFlight.refusing = true;
    this.#outbound.goaway(this.requestsInFlight.streams.lastId, ErrorCode.NO_ERROR, "");
    if (this.streams === 0) this.#end();
  }

  /** A fault: of the client if it is a `ConnectionError`, else of this server. */
  #fail(error: unknown): void {
    if (this.#phase === Phase.LINGERING) return;
    const known = error instanceof ConnectionError;
    this.error = error instanceof Error ? error : new Error(String(error));
    const code = known ? error.code : ErrorCode.INTERNAL_ERROR;
    this.#outbound.goaway(this.requestsInFlight.streams.lastId, code, known ? error.message : "internal error");
    this.#end(new RequestAborted("connection", code, this.error.message));
  }

  /** Sends what is to be sent, and lets the client read it before the socket is closed. */
  #end(reason = new RequestAborted("connection", ErrorCode.NO_ERROR, "the connection is closed")): void {
    if (this.#phase === Phase.LINGERING) return;
    this.#phase = Phase.LINGERING;
    this.#lingerUntil = this.context.clock.now() + this.context.limits.lingerMs;
    this.requestsInFlight.failAll(reason);
    void this.#output.drained().then(() => this.socket.closeWrite()).catch(() => this.#close());
  }

  /** The socket failed. */
  #abandon(error: unknown): void {
    if (this.#phase !== Phase.LINGERING) this.error ??= error instanceof Error ? error : new Error(String(error));
    this.#close();
  }

  #close(): void {
    this.#phase = Phase.LINGERING;
    try {
      this.socket.close();
    } catch {
      // It is closed already.
    }
  }
}
