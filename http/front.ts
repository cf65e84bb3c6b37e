/**
 * The front: one port for everything. It looks at the first bytes of a connection, under TLS at what ALPN chose, and
 * hands it to the HTTP/2 or the HTTP/1.1 server. Both feed the same handler, on the same socket: nothing is copied.
 *
 * @module
 */
import { type Http1Connection, type HttpHandler, serveHttp1Connection } from "../http1/mod.ts";
import { createHttp2Server, createMemoryBudget, type MemoryBudget, PREFACE } from "../http2/mod.ts";
import { ACCEPT_RETRY_MS, FIRST_BYTES_MS, MAX_CONNECTIONS, MEMORY_BUDGET_BYTES, QUIET_BODY_MS } from "../limits.ts";
import type { Clock } from "../clock.ts";

/** Bytes of the HTTP/2 preface (RFC 9113, section 3.4) that are enough: no method of HTTP/1.1 is called PRI. */
const PREFACE_BEGINNING = PREFACE.subarray(0, 4);

export interface FrontOptions {
  readonly clock: Clock;
  /** How old a connection of HTTP/2 may become before its client is asked for a new one, ms: so that load spreads. */
  readonly maxConnectionAge?: number;
  /** Connections that are open at once: MAX_CONNECTIONS, or this worker's share of them. */
  readonly maxConnections?: number;
  /** What all clients together may have in memory; by default MEMORY_BUDGET_BYTES of its own. */
  readonly budget?: MemoryBudget;
  /** What a handler, or the body of its answer, did wrong. */
  onError(error: unknown): void;
}

export interface Front {
  /** Accepts connections from a listener. Resolves when that has been closed. */
  serve(listener: Deno.Listener, scheme: "http" | "https"): Promise<void>;
  /** Closes the listeners, lets requests in flight finish for `deadlineMs`, and closes all connections. */
  shutdown(deadlineMs: number): Promise<void>;
  /** Connections that are open. */
  readonly connections: number;
}

export function createFront(handler: HttpHandler, options: FrontOptions): Front {
  const { clock, maxConnectionAge = Infinity, maxConnections = MAX_CONNECTIONS, onError } = options;
  // One budget: what all clients together may have in memory, whichever protocol they speak.
  const budget = options.budget ?? createMemoryBudget(MEMORY_BUDGET_BYTES);
  const limits = { bodyPeriodMs: QUIET_BODY_MS };
  const http2 = createHttp2Server(handler, {
    budget,
    onError,
    limits: { ...limits, maxConnections, maxAgeMs: maxConnectionAge },
  });
  const http1 = new Set<Http1Connection>();
  /** Connections of which it is not known yet what they speak. */
  const opening = new Set<Deno.Conn>();
  const listeners = new Set<Deno.Listener>();
  let stopping = false;

  const count = () => opening.size + http1.size + http2.stats.connections;

  async function accept(listener: Deno.Listener, scheme: "http" | "https"): Promise<void> {
    while (!stopping) {
      try {
        void sort(await listener.accept(), scheme);
      } catch (error) {
        // A closed listener ends the loop; a peer that left, or a lack of sockets, does not.
        if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) break;
        await new Promise<void>((resolve) => clock.setTimer(ACCEPT_RETRY_MS, resolve));
      }
    }
    listeners.delete(listener);
  }

  async function sort(conn: Deno.Conn, scheme: "http" | "https"): Promise<void> {
    if (stopping || count() >= maxConnections) return closeQuietly(conn);
    opening.add(conn);
    const cancelTimer = clock.setTimer(FIRST_BYTES_MS, () => closeQuietly(conn));
    try {
      // Answers are written in one piece, so there is nothing for the kernel to gather. A TLS connection has no such call.
      (conn as Partial<Deno.TcpConn>).setNoDelay?.();
      const spoken = scheme === "https" ? await negotiated(conn as Deno.TlsConn) : undefined;
      const { isHttp2, bytes } = spoken ?? await sniffed(conn);
      cancelTimer();
      if (isHttp2) void http2.serveConnection(conn, bytes);
      else await serveHttp1(conn, bytes, scheme);
    } catch {
      // It went away, was too slow, or never spoke TLS: nobody is there to be told.
      closeQuietly(conn);
    } finally {
      cancelTimer();
      opening.delete(conn);
    }
  }

  async function serveHttp1(conn: Deno.Conn, initialBytes: Uint8Array, scheme: "http" | "https"): Promise<void> {
    const connection = serveHttp1Connection(conn, handler, { initialBytes, scheme, budget, limits, onError });
    opening.delete(conn);
    http1.add(connection);
    await connection.finished;
    http1.delete(connection);
  }

  return {
    serve(listener, scheme) {
      listeners.add(listener);
      return accept(listener, scheme);
    },
    async shutdown(deadlineMs) {
      stopping = true;
      for (const listener of listeners) closeQuietly(listener);
      for (const conn of opening) closeQuietly(conn);
      for (const connection of http1) connection.shutdown();
      await Promise.all([http2.shutdown({ deadlineMs }), ...[...http1].map(({ finished }) => finished)]);
    },
    get connections() {
      return count();
    },
  };
}

interface Sorted {
  readonly isHttp2: boolean;
  /** What was read to find out. */
  readonly bytes: Uint8Array;
}

async function negotiated(conn: Deno.TlsConn): Promise<Sorted> {
  const { alpnProtocol } = await conn.handshake();
  return { isHttp2: alpnProtocol === "h2", bytes: new Uint8Array(0) };
}

/** Reads until the first bytes tell HTTP/2 with prior knowledge from HTTP/1.1. */
async function sniffed(conn: Deno.Conn): Promise<Sorted> {
  const buffer = new Uint8Array(4096);
  let length = 0;
  for (;;) {
    const n = await conn.read(buffer.subarray(length));
    if (n === null) throw new Error("the connection ended before it said what it speaks");
    length += n;
    const bytes = buffer.subarray(0, length);
    if (PREFACE_BEGINNING.subarray(0, length).some((byte, i) => byte !== bytes[i])) return { isHttp2: false, bytes };
    if (length >= PREFACE_BEGINNING.length) return { isHttp2: true, bytes };
  }
}

function closeQuietly(closer: { close(): void }): void {
  try {
    closer.close();
  } catch {
    // It is closed already.
  }
}
