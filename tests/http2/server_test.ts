import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { Flag, FrameType } from "../../http2/frames/constants.ts";
import { serveHttp2 } from "../../http2/mod.ts";
import { certificate, findProgram, run, serveClear, serveTls } from "./network.ts";
import { bytesOf, echo, MockClient, socketTransport, textBody } from "./support.ts";

Deno.test("serveHttp2() serves Deno's fetch over TLS, both ways at length", async () => {
  const { server, port } = serveTls(echo);
  const client = Deno.createHttpClient({ caCerts: [certificate], http1: false, http2: true });
  const sent = crypto.getRandomValues(new Uint8Array(65_536));
  const large = new Uint8Array(8 * 1_048_576);
  for (let at = 0; at < large.length; at += sent.length) large.set(sent, at);
  const sum = async (bytes: Uint8Array<ArrayBuffer>) =>
    new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  const answers = await Promise.all([large, sent, new Uint8Array(0)].map(async (body) => {
    const response = await fetch(`https://localhost:${port}/x`, { method: "POST", body, client });
    assertEquals(response.status, 200);
    return await sum(new Uint8Array(await response.arrayBuffer())) === await sum(body);
  }));
  assertEquals(answers, [true, true, true]);
  client.close();
  await server.shutdown();
  await server.finished;
  assertEquals(server.stats.totalRequests, 3);
});

Deno.test("serveHttp2() closes a TLS connection that did not choose h2", async () => {
  const { server, port } = serveTls(echo);
  const conn = await Deno.connectTls({
    hostname: "localhost",
    port,
    caCerts: [certificate],
    alpnProtocols: ["http/1.1"],
  });
  await conn.handshake();
  assertEquals(await conn.read(new Uint8Array(10)).catch(() => null), null);
  conn.close();
  await server.shutdown();
});

Deno.test({
  name: "serveHttp2() serves curl by prior knowledge",
  ignore: !(await findProgram("curl")),
  async fn() {
    const { server, port } = serveClear(echo);
    const url = `http://127.0.0.1:${port}/`;
    const { success, text } = await run("curl", ["-sSi", "--http2-prior-knowledge", "-d", "from curl", url]);
    assert(success, text);
    assertStringIncludes(text, "HTTP/2 200");
    assertStringIncludes(text, "from curl");
    await server.shutdown();
  },
});

Deno.test({
  name: "serveHttp2() serves h2load without a failure",
  ignore: !(await findProgram("h2load")),
  async fn() {
    const { server, port } = serveClear(() => ({ status: 200, body: textBody("ok") }));
    const { text } = await run("h2load", ["-n20000", "-c10", "-m50", `http://127.0.0.1:${port}/`]);
    assertStringIncludes(text, "20000 succeeded, 0 failed, 0 errored");
    await server.shutdown();
    assertEquals(server.stats.totalRequests, 20_000);
  },
});

Deno.test("receive windows grow while a handler keeps up", async () => {
  let largest = 0;
  const { server, port } = serveClear(async (request) => {
    await bytesOf(request.body);
    return { status: 204 };
  }, { onConnection: ({ connection }) => largest = Math.max(largest, connection.stats.windowBytes) });
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const client = await new MockClient(socketTransport(conn)).open();
  await client.request(1);
  const received = async () =>
    new DataView((await client.expect(FrameType.WINDOW_UPDATE, 1)).payload.buffer).getUint32(0);
  let window = 262_144;
  for (let i = 0; i < 12; i++) {
    for (; window >= 16_384; window -= 16_384) await client.data(1, new Uint8Array(16_384));
    window += await received();
  }
  assertGreater(window, 1_000_000);
  await client.frame(FrameType.DATA, Flag.END_STREAM, 1);
  await client.response(1);
  client.close();
  await server.shutdown();
  assertGreater(largest, 1_048_576);
});

Deno.test("finished resolves when someone else closes the listener and connections end", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const server = serveHttp2(listener, echo);
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  const client = await new MockClient(socketTransport(conn)).open();
  listener.close();
  await client.request(1, [], true);
  await client.response(1);
  client.close();
  await server.finished;
});
