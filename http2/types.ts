import type { MemoryBudget } from "./budget.ts";
import type { Clock } from "./clock.ts";
import type { Http2Limits } from "./limits.ts";

/** A request, in the shape of connect-es's `UniversalServerRequest`. */
export interface Http2Request {
  readonly httpVersion: "2.0";
  readonly method: string;
  /** The absolute URL, made of `:scheme`, `:authority` and `:path`. */
  readonly url: string;
  readonly header: Headers;
  /**
   * The body as it arrives. It ends only if the client ended it: if the client cancels or goes away, the iterable
   * throws a `RequestAborted`. It can be read once.
   */
  readonly body: AsyncIterable<Uint8Array>;
  /** The client's trailers; complete when `body` has ended. */
  readonly trailer: Headers;
  /** Aborts with a `RequestAborted` when the client cancels, goes away, or is refused. */
  readonly signal: AbortSignal;
  readonly remoteAddr: Deno.Addr;
  /** Sends an interim response, such as 103 Early Hints. Without effect once the response has begun. */
  inform(status: number, header?: Headers): void;
}

/** A response, in the shape of connect-es's `UniversalServerResponse`. */
export interface Http2Response {
  readonly status: number;
  readonly header?: Headers;
  readonly body?: AsyncIterable<Uint8Array>;
  /** Read only after `body` has ended, so that a handler may fill it until then. */
  readonly trailer?: Headers;
}

export type Http2Handler = (request: Http2Request) => Promise<Http2Response> | Http2Response;

/** What a connection has done and holds; the object's numbers move while it lives. */
export interface ConnectionStats {
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Requests so far. */
  readonly requests: number;
  /** Requests in flight. */
  readonly streams: number;
  /** Handlers that run, those of requests that were reset included. */
  readonly handlers: number;
  /** Bytes of request bodies that no handler has taken yet. */
  readonly bufferedBytes: number;
  /** The flow-control window of the connection for request bodies, as it is tuned now, in bytes. */
  readonly windowBytes: number;
}

export interface ConnectionInfo {
  readonly id: number;
  readonly remoteAddr: Deno.Addr;
  readonly stats: ConnectionStats;
}

/** Sums over a server's connections. */
export interface ServerStats {
  readonly connections: number;
  readonly streams: number;
  readonly handlers: number;
  readonly bufferedBytes: number;
  /** Connections and requests since the start. */
  readonly totalConnections: number;
  readonly totalRequests: number;
}

export type ConnectionEvent =
  | { readonly type: "open"; readonly connection: ConnectionInfo }
  /** `error` says why, if it was neither the client's wish nor a shutdown. */
  | { readonly type: "close"; readonly connection: ConnectionInfo; readonly error?: Error };

export interface Http2Options {
  limits?: Partial<Http2Limits>;
  /** Bounds the request bodies in memory; by default one of `limits.memoryBudgetBytes`. */
  budget?: MemoryBudget;
  clock?: Clock;
  /** A random number from 0 to 1. */
  random?: () => number;
  onConnection?: (event: ConnectionEvent) => void;
  /** Told what a handler, its body or its response did wrong; the client learns only that it failed. */
  onError?: (error: unknown, request: Http2Request) => void;
}
