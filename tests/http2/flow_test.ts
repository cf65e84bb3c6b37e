import { assert, assertEquals } from "@std/assert";
import { Flag, FrameType, Setting } from "../../http2/frames/constants.ts";
import { type Http2Request } from "../../http2/mod.ts";
import { Bench, bytesOf, concat, EMPTY, readWord, settled, textBody, word } from "./support.ts";

Deno.test("a response waits for the windows of the stream and of the connection", async () => {
  await using bench = new Bench(() => ({ status: 200, body: textBody("0123456789".repeat(10)) }));
  const client = await bench.open([[Setting.INITIAL_WINDOW_SIZE, 10]]);
  await client.request(1, [], true);
  assertEquals((await client.expect(FrameType.DATA, 1)).payload.length, 10);
  await client.windowUpdate(1, 30);
  assertEquals((await client.expect(FrameType.DATA, 1)).payload.length, 30);
  // Smaller than what is used: the window is below zero (RFC 9113 section 6.9.2).
  await client.frame(FrameType.SETTINGS, 0, 0, concat([new Uint8Array([0, 4]), word(0)]));
  await client.expect(FrameType.SETTINGS);
  await client.windowUpdate(1, 10);
  await client.windowUpdate(1, 5);
  assertEquals((await client.expect(FrameType.DATA, 1)).payload.length, 5);
  await client.windowUpdate(1, 1_000);
  assertEquals((await client.expect(FrameType.DATA, 1)).payload.length, 55);
  assertEquals((await client.expect(FrameType.DATA, 1)).flags, Flag.END_STREAM);
});

Deno.test("streams take turns at the connection's window", async () => {
  await using bench = new Bench(() => ({ status: 200, body: textBody("x".repeat(100_000)) }));
  const client = await bench.open([[Setting.INITIAL_WINDOW_SIZE, 1_000_000]]);
  await client.request(1, [], true);
  await client.request(3, [], true);
  let received = 0;
  while (received < 65_535) received += (await client.expect(FrameType.DATA)).payload.length;
  await client.windowUpdate(0, 32_768);
  const next = [await client.expect(FrameType.DATA), await client.expect(FrameType.DATA)];
  assertEquals(next.map((frame) => frame.streamId).sort(), [1, 3]);
  await client.windowUpdate(0, 1_000_000);
  for (let ended = 0; ended < 2;) if ((await client.expect(FrameType.DATA)).flags & Flag.END_STREAM) ended++;
});

Deno.test("a response body waits while the socket takes nothing", async () => {
  let produced = 0;
  await using bench = new Bench(() => ({
    status: 200,
    body: (async function* () {
      for (; produced < 1_000; produced++) yield new Uint8Array(16_384);
    })(),
  }), { limits: { maxOutputBytes: 65_536 } });
  const { client, down } = bench.connect();
  await client.open([[Setting.INITIAL_WINDOW_SIZE, 2 ** 31 - 1]]);
  await client.windowUpdate(0, 2 ** 31 - 1 - 65_535);
  down.blocked = true;
  await client.request(1, [], true);
  await settled(50);
  assert(produced < 12, `${produced} chunks were taken`);
  down.unblock();
  while (!((await client.expect(FrameType.DATA)).flags & Flag.END_STREAM));
  assertEquals(produced, 1_000);
});

Deno.test("window credit goes back when the handler consumes, and a stalled handler bounds what is buffered", async () => {
  let request: Http2Request | undefined;
  const finish = Promise.withResolvers<void>();
  await using bench = new Bench(async (r) => {
    request = r;
    await finish.promise;
    await bytesOf(r.body);
    return { status: 204 };
  }, { limits: { initialStreamWindowBytes: 100_000, minStreamWindowBytes: 50_000 } });
  const client = await bench.open();
  await client.request(1);
  for (let i = 0; i < 10; i++) await client.data(1, new Uint8Array(10_000));
  await settled();
  assertEquals(bench.server.stats.bufferedBytes, 100_000);
  assert(request);
  finish.resolve();
  assert(readWord((await client.expect(FrameType.WINDOW_UPDATE, 1)).payload) >= 50_000);
  await client.data(1, EMPTY, true);
  assertEquals((await client.response(1)).header[":status"], "204");
});
