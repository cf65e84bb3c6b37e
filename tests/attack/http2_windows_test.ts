import { assert, assertEquals } from "@std/assert";
import { FrameType, Setting } from "../../http2/frames/constants.ts";
import { createMemoryBudget, defaultLimits, ErrorCode, type Http2Handler } from "../../http2/mod.ts";
import { Bench, bytesOf, echo, settingsPayload, settled, textBody } from "../http2/support.ts";
import { underAttack } from "./http2_support.ts";

const { initialStreamWindowBytes, initialConnectionWindowBytes, responsePeriodMs } = defaultLimits;

/** Answers `/large` with a large body, and else echoes. */
const large: Http2Handler = (request) =>
  request.url.endsWith("/large") ? { status: 200, body: textBody("x".repeat(100_000)) } : echo(request);

/** A handler that takes nothing of the body until the request ends. */
const stalled: Http2Handler = async (request) => {
  if (!request.url.endsWith("/stalled")) return await echo(request);
  await new Promise((resolve) => request.signal.addEventListener("abort", resolve));
  return { status: 200 };
};

Deno.test("WINDOW_UPDATE of 0 on the connection is PROTOCOL_ERROR", async () => {
  await underAttack(async (client) => {
    await client.windowUpdate(0, 0);
    await client.expectGoaway(ErrorCode.PROTOCOL_ERROR);
  });
});

Deno.test("a window over 2^31-1 is FLOW_CONTROL_ERROR, on a stream, on the connection, and by SETTINGS", async () => {
  await underAttack(async (client) => {
    await client.request(1);
    await client.windowUpdate(1, 2 ** 31 - 1);
    await client.expectReset(1, ErrorCode.FLOW_CONTROL_ERROR);
    await client.request(3);
    await client.windowUpdate(3, 2 ** 31 - 1 - 65_535);
    await client.frame(FrameType.SETTINGS, 0, 0, settingsPayload([[Setting.INITIAL_WINDOW_SIZE, 65_536]]));
    await client.expectGoaway(ErrorCode.FLOW_CONTROL_ERROR);
  });
  await underAttack(async (client) => {
    await client.windowUpdate(0, 2 ** 31 - 1);
    await client.expectGoaway(ErrorCode.FLOW_CONTROL_ERROR);
  });
  await underAttack(async (client) => {
    await client.frame(FrameType.SETTINGS, 0, 0, settingsPayload([[Setting.INITIAL_WINDOW_SIZE, 2 ** 31]]));
    await client.expectGoaway(ErrorCode.FLOW_CONTROL_ERROR);
  });
});

Deno.test("DATA over the stream's window (initialStreamWindowBytes) resets it", async () => {
  await underAttack(async (client) => {
    await client.request(1, [[":path", "/stalled"]]);
    for (let sent = 0; sent <= initialStreamWindowBytes; sent += 16_384) await client.data(1, new Uint8Array(16_384));
    await client.expectReset(1, ErrorCode.FLOW_CONTROL_ERROR);
  }, { handler: stalled });
});

Deno.test("DATA over the connection's window (initialConnectionWindowBytes) is FLOW_CONTROL_ERROR", async () => {
  await underAttack(async (client) => {
    let sent = 0;
    for (let id = 1; sent <= initialConnectionWindowBytes; id += 2) {
      await client.request(id, [[":path", "/stalled"]]);
      for (let i = 0; i < 15; i++, sent += 16_384) await client.data(id, new Uint8Array(16_384));
    }
    await client.expectGoaway(ErrorCode.FLOW_CONTROL_ERROR);
  }, { handler: stalled });
});

Deno.test("tiny windows that pin responses fall below minResponseBytesPerPeriod", async () => {
  await underAttack(async (client, bench) => {
    await client.frame(FrameType.SETTINGS, 0, 0, settingsPayload([[Setting.INITIAL_WINDOW_SIZE, 1]]));
    for (let id = 1; id < 20; id += 2) await client.request(id, [[":path", "/large"]], true);
    for (let second = 0; second < responsePeriodMs / 1_000 + 2; second++) {
      await bench.clock.advance(1_000);
      for (let id = 1; id < 20; id += 2) await client.windowUpdate(id, 1);
      await settled(2);
    }
    for (let id = 1; id < 20; id += 2) await client.expectReset(id, ErrorCode.ENHANCE_YOUR_CALM);
  }, { handler: large, limits: { minBodyBytesPerPeriod: 0 } });
});

Deno.test("uploads to stalled handlers do not exceed memoryBudgetBytes", async () => {
  const budget = createMemoryBudget(200_000);
  await using bench = new Bench(stalled, { budget });
  const client = await bench.open();
  for (let id = 1; id < 20; id += 2) {
    await client.request(id, [[":path", "/stalled"]]);
    for (let i = 0; i < 4; i++) await client.data(id, new Uint8Array(16_000));
  }
  await settled();
  assert(budget.used <= 200_000);
  await client.expectReset(7, ErrorCode.ENHANCE_YOUR_CALM);
  for (let id = 1; id < 7; id += 2) await client.reset(id, ErrorCode.CANCEL);
  await settled();
  assertEquals(budget.used, 0);
  await client.request(31);
  await client.data(31, "free again", true);
  assertEquals((await client.response(31)).body, "free again");
});

Deno.test("windows shrink to minStreamWindowBytes when memory is short", async () => {
  const budget = createMemoryBudget(2_000_000);
  const take = Promise.withResolvers<void>();
  await using bench = new Bench(async (request) => {
    await take.promise;
    await bytesOf(request.body);
    return { status: 204 };
  }, { budget });
  const client = await bench.open();
  budget.consume(1_600_000);
  await client.request(1);
  for (let i = 0; i < 16; i++) await client.data(1, new Uint8Array(16_000));
  await settled();
  take.resolve();
  await settled();
  // 6,144 bytes were left of the first window; it is filled up to 64 KiB, not to 256.
  const update = await client.expect(FrameType.WINDOW_UPDATE, 1);
  assertEquals(new DataView(update.payload.buffer).getUint32(0) <= defaultLimits.minStreamWindowBytes, true);
  await client.data(1, "", true);
  await client.response(1);
  budget.release(1_600_000);
});

Deno.test("a client that hardly reads its socket falls below minResponseBytesPerPeriod", async () => {
  await underAttack(async (_, bench) => {
    const { client, down, socket } = bench.connect();
    await client.open([[Setting.INITIAL_WINDOW_SIZE, 1_000_000]]);
    // The socket takes ten bytes a second.
    const write = socket.write.bind(socket);
    socket.write = async (bytes) => {
      await new Promise<void>((resolve) => bench.clock.setTimer(resolve, 1_000));
      return await write(bytes.subarray(0, 10));
    };
    await client.request(1, [[":path", "/large"]], true);
    await settled();
    assertEquals(bench.server.stats.connections, 3);
    await bench.clock.advance(responsePeriodMs + 2_000);
    assertEquals(bench.server.stats.connections, 2);
    down.end();
    await bench.clock.advance(2_000);
  }, { handler: large, limits: { minBodyBytesPerPeriod: 0 } });
});
