/** The long attacks by connections: `deno test -A tests/attack/http2_connections.suite.ts`. */
import { assertEquals, assertLess } from "@std/assert";
import { hangUpWhileUploading, openIdle, startServer, until } from "./http2_support.ts";

const MiB = 1_048_576;

Deno.test("10,000 idle connections are held in less than 32 KiB each", async () => {
  await using server = await startServer();
  const before = await server.stats();
  const idle = await openIdle(server.port, 10_000);
  const held = await server.stats();
  assertEquals(held.connections, 10_001);
  console.log(`${(held.rss - before.rss) / 10_000 | 0} bytes of memory a connection`);
  assertLess(held.rss - before.rss, 10_000 * 32 * 1_024);
  for (const conn of idle) conn.close();
  await until(async () => (await server.stats()).connections === 1);
});

Deno.test("100,000 clients that hang up during an upload leave nothing behind", async () => {
  await using server = await startServer();
  await hangUpWhileUploading(server.port, 20_000);
  const before = await server.stats();
  await hangUpWhileUploading(server.port, 80_000);
  await until(async () => (await server.stats()).connections === 1);
  const { streams, handlers, bufferedBytes, rss, heapUsed, totalConnections } = await server.stats();
  // The request that asks is the one in flight.
  assertEquals([streams, handlers, bufferedBytes, totalConnections], [1, 1, 0, 100_001]);
  console.log(`memory after 20,000: ${before.rss / MiB | 0} MiB, after 100,000: ${rss / MiB | 0} MiB`);
  assertLess(rss, before.rss + 100 * MiB);
  assertLess(heapUsed, before.heapUsed + 5 * MiB);
});
