import { assert, assertEquals } from "@std/assert";
import { Flag, FrameType, MAX_STREAM_ID, PREFACE } from "../../http2/frames/constants.ts";
import { type ConnectionEvent, ErrorCode } from "../../http2/mod.ts";
import { Bench, bytesOf, echo, frameBytes, memoryConnection, MockClient, readWord, settled, utf8 } from "./support.ts";

Deno.test("shutdown() sends GOAWAY twice, lets requests finish, and closes", async () => {
  await using bench = new Bench(echo);
  const client = await bench.open();
  await client.request(1);
  await settled();
  const done = bench.server.shutdown();
  const first = await client.expect(FrameType.GOAWAY);
  assertEquals([readWord(first.payload), readWord(first.payload, 4)], [MAX_STREAM_ID, ErrorCode.NO_ERROR]);
  const ping = await client.expect(FrameType.PING);
  // A request that crossed the first GOAWAY is served.
  await client.request(3);
  await client.frame(FrameType.PING, Flag.ACK, 0, ping.payload);
  const last = await client.expect(FrameType.GOAWAY);
  assertEquals([readWord(last.payload), readWord(last.payload, 4)], [3, ErrorCode.NO_ERROR]);
  await client.request(5);
  await client.expectReset(5, ErrorCode.REFUSED_STREAM);
  await client.data(1, "one", true);
  assertEquals((await client.response(1)).body, "one");
  await client.data(3, "three", true);
  assertEquals((await client.response(3)).body, "three");
  assertEquals(await client.next(), null);
  client.close();
  await done;
});

Deno.test("shutdown() gives requests up at its deadline", async () => {
  let aborted = false;
  await using bench = new Bench(async (request) => {
    request.signal.onabort = () => aborted = true;
    await bytesOf(request.body);
    return { status: 200 };
  });
  const client = await bench.open();
  await client.request(1);
  await settled();
  const done = bench.server.shutdown({ deadlineMs: 3_000 });
  await bench.clock.advance(4_000);
  await client.expectReset(1, ErrorCode.CANCEL);
  assert(aborted);
  // A client that does not close is closed.
  await bench.clock.advance(3_000);
  await done;
  assertEquals(bench.server.stats.connections, 0);
});

Deno.test("maxAgeMs ends a connection with grace, and maxIdleMs one without requests", async () => {
  await using bench = new Bench(echo, { limits: { maxAgeMs: 100_000, maxIdleMs: 50_000 } });
  const idle = await bench.open();
  const busy = await bench.open();
  await busy.request(1);
  await settled();
  const pump = async (ms: number) => {
    // Alive: it answers PINGs and sends now and then.
    for (let at = 0; at < ms; at += 10_000) {
      await bench.clock.advance(10_000);
      await busy.data(1, new Uint8Array(100));
      await settled();
    }
  };
  await pump(60_000);
  await idle.expect(FrameType.GOAWAY);
  while (await idle.next());
  assertEquals(bench.server.stats.connections, 1);
  await pump(50_000);
  await busy.expect(FrameType.GOAWAY);
  await busy.data(1, utf8("end"), true);
  assertEquals((await busy.response(1)).header[":status"], "200");
  assertEquals(await busy.next(), null);
});

Deno.test("keepaliveIntervalMs pings a silent client, and keepaliveTimeoutMs closes a dead one", async () => {
  await using bench = new Bench(echo, { limits: { maxIdleMs: Infinity } });
  const client = await bench.open();
  const dead = await bench.open();
  await bench.clock.advance(61_000);
  const ping = await client.expect(FrameType.PING);
  assertEquals(ping.flags, 0);
  await client.frame(FrameType.PING, Flag.ACK, 0, ping.payload);
  await settled();
  await bench.clock.advance(25_000);
  await dead.expectGoaway(ErrorCode.NO_ERROR, "keepaliveTimeoutMs");
  assertEquals(bench.server.stats.connections, 1);
});

Deno.test("onConnection is told when a connection opens and closes, with why and its figures", async () => {
  const events: ConnectionEvent[] = [];
  await using bench = new Bench(echo, { onConnection: (event) => events.push(event) });
  const client = await bench.open();
  await client.request(1);
  await client.data(1, "abc", true);
  await client.response(1);
  assertEquals(events.map((event) => event.type), ["open"]);
  const { stats } = events[0].connection;
  assertEquals([stats.requests, stats.streams, stats.handlers], [1, 0, 0]);
  assert(stats.bytesReceived > 24 && stats.bytesSent > 24);
  await client.frame(FrameType.PUSH_PROMISE, 0, 1);
  await client.expectGoaway(ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE");
  client.close();
  await settled();
  const close = events[1];
  assert(close.type === "close" && close.error?.message.includes("PUSH_PROMISE"));
});

Deno.test("serveConnection() takes the bytes that a front has read already", async () => {
  await using bench = new Bench(echo);
  const { socket, transport } = memoryConnection();
  const client = new MockClient(transport);
  const served = bench.server.serveConnection(socket, PREFACE.subarray(0, 14));
  await client.raw(PREFACE.subarray(14));
  await client.raw(frameBytes(FrameType.SETTINGS, 0, 0));
  await client.request(1);
  await client.data(1, "x", true);
  assertEquals((await client.response(1)).body, "x");
  client.close();
  await served;
});
