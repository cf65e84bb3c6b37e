import { assertEquals } from "@std/assert";
import { FrameType, PREFACE } from "../../http2/frames/constants.ts";
import { defaultLimits, ErrorCode } from "../../http2/mod.ts";
import { Bench, concat, EMPTY, frameBytes, settled, utf8 } from "../http2/support.ts";
import { underAttack } from "./http2_support.ts";

const { bodyPeriodMs, headersTimeoutMs, lingerMs, prefaceTimeoutMs, settingsAckTimeoutMs } = defaultLimits;

/** The bystander of these tests sends nothing for long, which is not its crime. */
const patient = { limits: { keepaliveIntervalMs: Infinity, minBodyBytesPerPeriod: 0 } };

Deno.test("bytes that are no HTTP/2 are PROTOCOL_ERROR at the first wrong one", async () => {
  for (const text of ["GET / HTTP/1.1\r\nhost: x\r\n\r\n", "PRI * HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00", "\0"]) {
    await underAttack(async (_, bench) => {
      const { client } = bench.connect();
      await client.raw(utf8(text));
      await client.expectGoaway(ErrorCode.PROTOCOL_ERROR);
      client.close();
    });
  }
});

Deno.test("a first frame other than SETTINGS is PROTOCOL_ERROR", async () => {
  await underAttack(async (_, bench) => {
    const { client } = bench.connect();
    await client.raw(concat([PREFACE, frameBytes(FrameType.PING, 0, 0, new Uint8Array(8))]));
    await client.expectGoaway(ErrorCode.PROTOCOL_ERROR, "SETTINGS");
    client.close();
  });
});

Deno.test("a slow preface exceeds prefaceTimeoutMs", async () => {
  await underAttack(async (_, bench) => {
    const { client } = bench.connect();
    for (let i = 0; i < 12; i++) {
      await client.raw(PREFACE.subarray(i, i + 1));
      await bench.clock.advance(prefaceTimeoutMs / 10);
    }
    await client.expectGoaway(ErrorCode.ENHANCE_YOUR_CALM, "prefaceTimeoutMs");
    client.close();
  }, patient);
});

Deno.test("SETTINGS that are not acknowledged exceed settingsAckTimeoutMs", async () => {
  await underAttack(async (_, bench) => {
    const { client } = bench.connect();
    await client.raw(concat([PREFACE, frameBytes(FrameType.SETTINGS, 0, 0)]));
    await settled();
    await bench.clock.advance(prefaceTimeoutMs + settingsAckTimeoutMs + 1_000);
    await client.expectGoaway(ErrorCode.SETTINGS_TIMEOUT);
    client.close();
  }, patient);
});

Deno.test("slow headers exceed headersTimeoutMs, by frames and within one", async () => {
  await underAttack(async (client, bench) => {
    await client.frame(FrameType.HEADERS, 0, 1, EMPTY);
    for (let i = 0; i < 4; i++) {
      await client.frame(FrameType.CONTINUATION, 0, 1, EMPTY);
      await bench.clock.advance(headersTimeoutMs / 3);
    }
    await client.expectGoaway(ErrorCode.ENHANCE_YOUR_CALM, "headersTimeoutMs");
  }, patient);
  await underAttack(async (client, bench) => {
    const frame = frameBytes(FrameType.HEADERS, 0, 1, new Uint8Array(100));
    for (let i = 0; i < 32; i++) {
      await client.raw(frame.subarray(i, i + 1));
      await bench.clock.advance(headersTimeoutMs / 30);
    }
    await client.expectGoaway(ErrorCode.ENHANCE_YOUR_CALM, "headersTimeoutMs");
  }, patient);
});

Deno.test("a slow body falls below minBodyBytesPerPeriod", async () => {
  await using bench = new Bench(async (request) => {
    for await (const _ of request.body);
    return { status: 200 };
  });
  const client = await bench.open();
  await client.request(1);
  await client.request(3);
  for (let second = 0; second < bodyPeriodMs / 1_000 + 2; second += 5) {
    await bench.clock.advance(5_000);
    await client.data(1, "x");
    await client.data(3, "x".repeat(100));
    await settled(2);
  }
  await client.expectReset(1, ErrorCode.ENHANCE_YOUR_CALM);
  // One that keeps to the rate goes on.
  await client.data(3, "x", true);
  assertEquals((await client.response(3)).header[":status"], "200");
});

Deno.test("a client that does not close is closed after lingerMs", async () => {
  await underAttack(async (client, bench) => {
    await client.frame(FrameType.PING, 0, 1, new Uint8Array(8));
    await client.expectGoaway(ErrorCode.PROTOCOL_ERROR);
    for (let i = 0; i < 5; i++) await client.raw(new Uint8Array(1_000)).catch(() => {});
    await bench.clock.advance(lingerMs + 1_000);
    await settled();
    assertEquals(bench.server.stats.connections, 1);
  }, patient);
});
