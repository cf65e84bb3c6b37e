import type { MemoryBudget } from "../http2/budget.ts";
import type { Clock } from "../http2/clock.ts";
import type { Http2Request, Http2Response } from "../http2/types.ts";
import type { Http1Limits } from "./limits.ts";

/** A request, in the shape of the HTTP/2 server's, so that one handler serves both. */
export interface Http1Request extends Omit<Http2Request, "httpVersion"> {
  readonly httpVersion: "1.0" | "1.1";
}

export type Http1Response = Http2Response;

export type Http1Handler = (request: Http1Request) => Promise<Http1Response> | Http1Response;

/** A request of either server. */
export type HttpRequest = Http1Request | Http2Request;

/** A handler for both servers: it is an `Http1Handler` and an `Http2Handler`. */
export type HttpHandler = (request: HttpRequest) => Promise<Http1Response> | Http1Response;

/** The socket under a connection: what is used of `Deno.Conn`. */
export interface Http1Socket {
  /** Bytes read into `buffer`, or null at the end. */
  read(buffer: Uint8Array<ArrayBuffer>): Promise<number | null>;
  write(bytes: Uint8Array<ArrayBuffer>): Promise<number>;
  close(): void;
  closeWrite?(): Promise<void>;
  setNoDelay?(noDelay?: boolean): void;
  readonly remoteAddr: Deno.Addr;
}

/** What a connection has done and holds; the object's numbers move while it lives. */
export interface Http1Stats {
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Requests so far. */
  readonly requests: number;
  /** Handlers that run, or whose response is being sent: 0 or 1. */
  readonly handlers: number;
  /** Bytes that have arrived and that nobody has taken yet. */
  readonly bufferedBytes: number;
}

export interface Http1Options {
  limits?: Partial<Http1Limits>;
  clock?: Clock;
  /**
   * Bounds what is read of bodies before their handlers ask for it, over all connections. Without room in it nothing is
   * read ahead; a body that its handler waits for goes on in any case.
   */
  budget?: MemoryBudget;
  /** Told what a handler, its body or its response did wrong; the client learns only that it failed. */
  onError?: (error: unknown, request: Http1Request) => void;
  /** What was read of the connection already. */
  initialBytes?: Uint8Array;
  /** For `request.url`; "http" by default. */
  scheme?: "http" | "https";
}

export interface Http1Connection {
  /** Resolves when the connection has ended; never rejects. */
  readonly finished: Promise<void>;
  readonly stats: Http1Stats;
  /** Finishes the request in flight, answers it with `connection: close`, and takes no other. */
  shutdown(): void;
}
