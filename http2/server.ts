import { createMemoryBudget } from "./budget.ts";
import { systemClock } from "./clock.ts";
import { Connection, type Socket } from "./connection.ts";
import type { ServerContext } from "./context.ts";
import { defaultLimits, type Http2Limits } from "./limits.ts";
import type { ConnectionEvent, Http2Handler, Http2Options, ServerStats } from "./types.ts";

/** How often connections are looked at for what takes too long. */
const SWEEP_MS = 500;
/** How long to wait when the system has no socket to give. */
const ACCEPT_RETRY_MS = 50;
const NONE = new Uint8Array(0);

/** RFC 9113 section 3.2: what ALPN calls HTTP/2 over TLS. */
const ALPN_H2 = "h2";

/** An HTTP/2 server. Made by {@linkcode serveHttp2} or {@linkcode createHttp2Server}. */
export class Http2Server implements AsyncDisposable {
  /** Resolves after `shutdown()`, or when all listeners were closed by someone else and all connections have ended. */
  readonly finished: Promise<void>;
  readonly #finish: () => void;
  readonly #context: ServerContext;
  readonly #onConnection: ((event: ConnectionEvent) => void) | undefined;
  readonly #listeners = new Set<Deno.Listener>();
  readonly #connections = new Set<Connection>();
  /** Sockets whose TLS handshake is under way. */
  readonly #opening = new Set<Socket>();
  #stopSweep: (() => void) | undefined;
  #listened = false;
  #stopping = false;
  #lastId = 0;
  #endedRequests = 0;

  constructor(handler: Http2Handler, options: Http2Options = {}) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.finished = promise;
    this.#finish = resolve;
    this.#onConnection = options.onConnection;
    const limits: Http2Limits = { ...defaultLimits, ...options.limits };
    const clock = options.clock ?? systemClock;
    this.#context = {
      handler,
      limits,
      clock,
      budget: options.budget ?? createMemoryBudget(limits.memoryBudgetBytes),
      random: options.random ?? Math.random,
      onError: options.onError,
      date: cachedDate(clock.wallTime),
    };
  }

  /** Sums over the connections, as they are now. */
  get stats(): ServerStats {
    const sum = { streams: 0, handlers: 0, bufferedBytes: 0, totalRequests: this.#endedRequests };
    for (const connection of this.#connections) {
      sum.streams += connection.streams;
      sum.handlers += connection.handlers;
      sum.bufferedBytes += connection.bufferedBytes;
      sum.totalRequests += connection.requests;
    }
    return { ...sum, connections: this.#connections.size + this.#opening.size, totalConnections: this.#lastId };
  }

  /** Accepts connections from `listener`, which it closes at `shutdown()`. A TLS listener must offer ALPN `h2`. */
  serve(listener: Deno.Listener): void {
    this.#listened = true;
    this.#listeners.add(listener);
    void this.#accept(listener);
  }

  /**
   * Serves a connection that someone else accepted, and of which `initialBytes` were read already. Under TLS, ALPN must
   * have chosen `h2`. Resolves when the connection has ended; never rejects.
   */
  async serveConnection(socket: Socket, initialBytes: Uint8Array = NONE): Promise<void> {
    if (this.#stopping || this.#connections.size >= this.#context.limits.maxConnections) return closeQuietly(socket);
    const connection = new Connection(socket, ++this.#lastId, this.#context);
    this.#connections.add(connection);
    this.#stopSweep ??= this.#context.clock.setTimer(this.#sweep, SWEEP_MS);
    this.#onConnection?.({ type: "open", connection });
    await connection.run(initialBytes);
    this.#connections.delete(connection);
    this.#endedRequests += connection.requests;
    const { error } = connection;
    this.#onConnection?.({ type: "close", connection, ...(error && { error }) });
    this.#checkFinished();
  }

  /**
   * Stops accepting, tells all clients (GOAWAY), lets requests in flight finish for `deadlineMs`, and closes. Resolves
   * when all connections are closed.
   */
  shutdown({ deadlineMs = this.#context.limits.shutdownDeadlineMs } = {}): Promise<void> {
    this.#stopping = true;
    for (const listener of this.#listeners) closeQuietly(listener);
    for (const socket of this.#opening) closeQuietly(socket);
    const deadline = this.#context.clock.now() + deadlineMs;
    for (const connection of this.#connections) connection.drain(deadline);
    this.#checkFinished();
    return this.finished;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }

  async #accept(listener: Deno.Listener): Promise<void> {
    for (;;) {
      try {
        const socket = await listener.accept();
        if ("handshake" in socket) void this.#handshake(socket as Deno.TlsConn);
        else void this.serveConnection(socket);
      } catch (error) {
        // A closed listener ends the loop; a peer that left, or a lack of sockets, does not.
        if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) break;
        if (this.#stopping) break;
        await new Promise<void>((resolve) => void this.#context.clock.setTimer(resolve, ACCEPT_RETRY_MS));
      }
    }
    this.#listeners.delete(listener);
    this.#checkFinished();
  }

  /**
   * Learns what ALPN chose. Closing a socket whose handshake is under way ends our part in it at once; Deno itself keeps
   * the descriptor until the client sends more or leaves.
   */
  async #handshake(socket: Deno.TlsConn): Promise<void> {
    const { limits, clock } = this.#context;
    if (this.#connections.size + this.#opening.size >= limits.maxConnections) return closeQuietly(socket);
    this.#opening.add(socket);
    const cancelTimer = clock.setTimer(() => closeQuietly(socket), limits.prefaceTimeoutMs);
    let protocol: string | null = null;
    try {
      protocol = (await socket.handshake()).alpnProtocol;
    } catch {
      // The client left, or is no TLS client, or was too slow.
    }
    cancelTimer();
    this.#opening.delete(socket);
    if (protocol === ALPN_H2) return await this.serveConnection(socket);
    closeQuietly(socket);
    this.#checkFinished();
  }

  readonly #sweep = (): void => {
    this.#stopSweep = undefined;
    const now = this.#context.clock.now();
    for (const connection of this.#connections) connection.sweep(now);
    if (this.#connections.size > 0) this.#stopSweep ??= this.#context.clock.setTimer(this.#sweep, SWEEP_MS);
  };

  #checkFinished(): void {
    if (this.#connections.size > 0) return;
    this.#stopSweep?.();
    this.#stopSweep = undefined;
    const over = this.#stopping || this.#listened;
    if (over && this.#listeners.size === 0 && this.#opening.size === 0) this.#finish();
  }
}

/** A server without a listener of its own: connections are handed to it by `serveConnection()`. */
export function createHttp2Server(handler: Http2Handler, options?: Http2Options): Http2Server {
  return new Http2Server(handler, options);
}

/**
 * Serves HTTP/2 on `listener`: by prior knowledge on `Deno.listen`, by ALPN on `Deno.listenTls`.
 *
 * ```ts
 * await using server = serveHttp2(Deno.listen({ hostname: "127.0.0.1", port: 0 }), (request) => ({
 *   status: 200,
 *   header: new Headers({ "content-type": "text/plain" }),
 *   body: request.body,
 * }));
 * ```
 */
export function serveHttp2(listener: Deno.Listener, handler: Http2Handler, options?: Http2Options): Http2Server {
  const server = new Http2Server(handler, options);
  server.serve(listener);
  return server;
}

function closeQuietly(resource: { close(): void }): void {
  try {
    resource.close();
  } catch {
    // It is closed already.
  }
}

/** RFC 9110 section 6.6.1, made once a second. */
function cachedDate(wallTime: () => number): () => string {
  let second = -1;
  let text = "";
  return () => {
    const now = Math.floor(wallTime() / 1000);
    if (now !== second) {
      second = now;
      text = new Date(now * 1000).toUTCString();
    }
    return text;
  };
}
