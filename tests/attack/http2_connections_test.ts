import { assertEquals } from "@std/assert";
import { serveClear, serveTls } from "../http2/network.ts";
import { echo, MockClient, settled, socketTransport } from "../http2/support.ts";
import { hangUpWhileUploading, openIdle, until } from "./http2_support.ts";

Deno.test("2,000 idle connections are held, and a request among them is served", async () => {
  const { server, port } = serveClear(echo);
  const idle = await openIdle(port, 2_000);
  assertEquals(server.stats.connections, 2_000);
  const client = await new MockClient(socketTransport(await Deno.connect({ hostname: "127.0.0.1", port }))).open();
  await client.request(1);
  await client.data(1, "hello", true);
  assertEquals((await client.response(1)).body, "hello");
  client.close();
  for (const conn of idle) conn.close();
  await until(() => server.stats.connections === 0);
  await server.shutdown();
});

Deno.test("connections over maxConnections are closed at once", async () => {
  const { server, port } = serveClear(echo, { limits: { maxConnections: 10 } });
  const idle = await openIdle(port, 10);
  const more = await Deno.connect({ hostname: "127.0.0.1", port });
  assertEquals(await more.read(new Uint8Array(1)).catch(() => null), null);
  more.close();
  assertEquals(server.stats.connections, 10);
  for (const conn of idle) conn.close();
  await until(() => server.stats.connections === 0);
  await server.shutdown();
});

Deno.test("2,000 clients that hang up during an upload leave nothing behind", async () => {
  let clean = 0;
  const { server, port } = serveClear(async (request) => {
    for await (const _ of request.body);
    clean++;
    return { status: 200 };
  });
  await hangUpWhileUploading(port, 2_000);
  await until(() => server.stats.connections === 0);
  await settled();
  const { streams, handlers, bufferedBytes, totalRequests } = server.stats;
  assertEquals([streams, handlers, bufferedBytes, clean], [0, 0, 0, 0]);
  assertEquals(totalRequests > 1_900, true);
  await server.shutdown();
});

Deno.test("half-open TLS exceeds prefaceTimeoutMs", async () => {
  const { server, port } = serveTls(echo, { limits: { prefaceTimeoutMs: 200 } });
  const conns = await Promise.all(
    Array.from({ length: 20 }, () => Deno.connect({ hostname: "127.0.0.1", port })),
  );
  await until(() => server.stats.connections === 20);
  for (const conn of conns) await conn.write(new Uint8Array([0x16, 0x03, 0x01]));
  await until(() => server.stats.connections === 0);
  for (const conn of conns) conn.close();
  await server.shutdown();
});
