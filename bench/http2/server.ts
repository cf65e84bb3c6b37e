/**
 * A server for the bench: `deno run -A bench/http2/server.ts ours|serve|node`. It counts the bytes of a body and answers
 * with a few bytes. Prints its port.
 */
import { serveHttp2 } from "../../http2/mod.ts";
import { createServer } from "node:http2";

const kind = Deno.args[0];
const answer = new TextEncoder().encode("ok\n");
const hostname = "127.0.0.1";

if (kind === "ours") {
  const listener = Deno.listen({ hostname, port: 0 });
  serveHttp2(listener, async (request) => {
    if (request.method === "POST") { for await (const chunk of request.body) void chunk.length; }
    return {
      status: 200,
      header: new Headers({ "content-type": "text/plain" }),
      body: (async function* () {
        yield answer;
      })(),
    };
  });
  console.log(listener.addr.port);
} else if (kind === "serve") {
  Deno.serve({ hostname, port: 0, onListen: ({ port }) => console.log(port) }, async (request) => {
    if (request.body) { for await (const chunk of request.body) void chunk.length; }
    return new Response(answer, { headers: { "content-type": "text/plain" } });
  });
} else {
  const server = createServer((request, response) => {
    request.on("data", () => {});
    request.on("end", () => {
      response.writeHead(200, { "content-type": "text/plain" });
      response.end(answer);
    });
  });
  server.listen(0, hostname, () => console.log((server.address() as { port: number }).port));
}
