/**
 * The server of the long attacks, in a process of its own so that each side has its own descriptors. Prints its port;
 * `/stats` answers its counters and the memory of the process.
 */
import { serveClear } from "../http2/network.ts";
import { textBody } from "../http2/support.ts";

/** What is only waiting to be collected is no leak; `--expose-gc` makes this function. */
const collectGarbage = (globalThis as unknown as { gc(): void }).gc;

const { server, port } = serveClear(async (request) => {
  if (request.url.endsWith("/stats")) {
    collectGarbage();
    const { rss, heapUsed } = Deno.memoryUsage();
    return { status: 200, body: textBody(JSON.stringify({ ...server.stats, rss, heapUsed })) };
  }
  for await (const _ of request.body);
  return { status: 200 };
});
console.log(port);
