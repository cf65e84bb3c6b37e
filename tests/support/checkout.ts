/**
 * A file server over the checkout, as anybody may have one, to import the client from by URL.
 *
 * @module
 */
import { ROOT } from "./server.ts";

export interface Checkout extends AsyncDisposable {
  readonly url: string;
}

export function serveCheckout(): Checkout {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    try {
      const text = await Deno.readTextFile(ROOT + new URL(request.url).pathname.slice(1));
      return new Response(text, { headers: { "content-type": "text/typescript" } });
    } catch {
      return new Response("not found", { status: 404 });
    }
  });
  return { url: `http://127.0.0.1:${server.addr.port}`, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}
