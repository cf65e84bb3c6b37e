/**
 * Servers for tests of the client: a raw one that sees the request as it comes, and one of connect-es whose services
 * answer what the test says.
 */
import { type ConnectRouter, createConnectRouter } from "@connectrpc/connect";
import { universalServerRequestFromFetch, universalServerResponseToFetch } from "@connectrpc/connect/protocol";

/** A server and its address; disposed of at the end of the test. */
export interface FakeServer extends AsyncDisposable {
  url: string;
}

/** A server that hands each request to `handler`. */
export function serveRaw(handler: (request: Request) => Response | Promise<Response>): FakeServer {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler);
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** A server of the routes that `routes` adds. */
export function serveConnect(routes: (router: ConnectRouter) => void): FakeServer {
  const router = createConnectRouter();
  routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return serveRaw(async (request) => {
    const handler = handlers.get(new URL(request.url).pathname);
    if (handler === undefined) return new Response("not found", { status: 404 });
    return universalServerResponseToFetch(await handler(universalServerRequestFromFetch(request, {})));
  });
}

/** A message, or with flags 2 the end of the stream, as it goes over the wire. */
export function envelope(flags: number, data: Uint8Array | string): Uint8Array<ArrayBuffer> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  const out = new Uint8Array(5 + bytes.length);
  out[0] = flags;
  new DataView(out.buffer).setUint32(1, bytes.length);
  out.set(bytes, 5);
  return out;
}

/** An answer of the Connect protocol made of the given envelopes. */
export function connectAnswer(...envelopes: Uint8Array<ArrayBuffer>[]): Response {
  return new Response(new Blob(envelopes).stream(), { headers: { "content-type": "application/connect+proto" } });
}
