/**
 * The hosts under test: our own front with HTTP/1.1 and HTTP/2, and Deno.serve alone. Each with the options, the
 * compression and the handler that the real server has.
 *
 * @module
 */
import type { Registry } from "@bufbuild/protobuf";
import { type ConnectRouter, type ConnectRouterOptions, createConnectRouter } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { systemClock } from "../../clock.ts";
import { notFound } from "../../errors.ts";
import { createFront } from "../../http/front.ts";
import { createFetchHandler } from "../../rpc/fetch_host.ts";
import { createHttpHandler, type HttpHandler } from "../../rpc/http_handler.ts";
import { routerOptions } from "../../rpc/router.ts";

export const HOSTS = ["front", "deno-serve"] as const;
export type HostName = typeof HOSTS[number];

export interface HostOptions {
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** Bytes that a message may have. */
  readonly readMaxBytes: number;
  /** Messages that a google.protobuf.Any may have in it; JSON needs their descriptors. */
  readonly registry: Registry;
  /** Adds the services. */
  routes(router: ConnectRouter): void;
  /** Handlers of the ingest path; each takes the place of the router's own for the same method. */
  ingest(options: ConnectRouterOptions): readonly UniversalHandler[];
}

const hostname = "127.0.0.1";

/** Starts a host on a free port, which it returns. It runs until the process ends. */
export function startHost(name: HostName, options: HostOptions): number {
  const handler = createHandler(name, options);
  const { tls } = options;
  if (name === "deno-serve") {
    const server = Deno.serve({ hostname, port: 0, onListen() {}, ...tls }, createFetchHandler(handler));
    return server.addr.port;
  }
  const front = createFront(handler, { clock: systemClock, onError: console.error });
  const listener = tls
    ? Deno.listenTls({ hostname, port: 0, ...tls, alpnProtocols: ["h2", "http/1.1"] })
    : Deno.listen({ hostname, port: 0 });
  front.serve(listener, tls ? "https" : "http");
  return listener.addr.port;
}

function createHandler(name: HostName, { readMaxBytes, registry, routes, ingest }: HostOptions): HttpHandler {
  const { signal } = new AbortController();
  const real = routerOptions({ grpc: name === "front", shutdownSignal: signal });
  const options = { ...real, jsonOptions: { ...real.jsonOptions, registry }, readMaxBytes };
  const router = createConnectRouter(options);
  routes(router);
  const handlers = [...router.handlers, ...ingest(options)];
  return createHttpHandler({
    // Of two with the same path the last counts.
    router: new Map(handlers.map((handler) => [handler.requestPath, handler])),
    files: { openFile: (id) => Promise.reject(notFound(id)) },
    isReady: () => Promise.resolve(true),
  });
}
