import { assert, assertLess } from "@std/assert";
import { Flag, FrameType } from "../../http2/frames/constants.ts";
import { defaultLimits, ErrorCode } from "../../http2/mod.ts";
import { concat, EMPTY, frameBytes, settled, utf8, word } from "../http2/support.ts";
import { underAttack } from "./http2_support.ts";

const { controlBurst, resetBurst } = defaultLimits;

/** Many copies of some frames. */
function flood(count: number, ...frames: Uint8Array[]): Uint8Array {
  const once = concat(frames);
  return concat(Array.from({ length: count }, () => once));
}

Deno.test("rapid reset (CVE-2023-44487) exceeds resetBurst", async () => {
  let started = 0;
  await underAttack(async (client) => {
    for (let i = 0; i <= resetBurst; i++) {
      await client.request(2 * i + 1);
      await client.reset(2 * i + 1, ErrorCode.CANCEL);
    }
    await client.expectGoaway(ErrorCode.ENHANCE_YOUR_CALM, "resetBurst");
  }, {
    handler: async (request) => {
      started++;
      for await (const _ of request.body);
      return { status: 200 };
    },
  });
  assertLess(started, resetBurst + 3);
});

Deno.test("handlers that outlive their reset requests count for maxConcurrentStreams", async () => {
  let running = 0;
  let most = 0;
  const release = Promise.withResolvers<void>();
  await underAttack(async (client) => {
    for (let i = 0; i < 40; i++) {
      await client.request(2 * i + 1, [], true);
      await client.reset(2 * i + 1, ErrorCode.CANCEL);
    }
    await client.expectReset(21, ErrorCode.REFUSED_STREAM);
    release.resolve();
    await settled();
  }, {
    limits: { maxConcurrentStreams: 10 },
    handler: async () => {
      running++;
      most = Math.max(most, running);
      await release.promise;
      running--;
      return { status: 200 };
    },
  });
  assertLess(most, 12);
});

Deno.test("MadeYouReset (CVE-2025-8671) exceeds resetBurst: resets that the client provokes count", async () => {
  await underAttack(async (client) => {
    for (let i = 0; i <= resetBurst; i++) {
      await client.request(2 * i + 1);
      await client.windowUpdate(2 * i + 1, 0);
    }
    await client.expectGoaway(ErrorCode.ENHANCE_YOUR_CALM, "resetBurst");
  });
});

Deno.test("malformed requests exceed resetBurst", async () => {
  await underAttack(async (client) => {
    for (let i = 0; i <= resetBurst; i++) await client.request(2 * i + 1, [["te", "gzip"]], true);
    await client.expectGoaway(ErrorCode.ENHANCE_YOUR_CALM, "resetBurst");
  });
});

const floods: [name: string, frame: Uint8Array][] = [
  ["SETTINGS (CVE-2019-9515)", frameBytes(FrameType.SETTINGS, 0, 0)],
  ["SETTINGS with ACK", frameBytes(FrameType.SETTINGS, Flag.ACK, 0)],
  ["PING with ACK", frameBytes(FrameType.PING, Flag.ACK, 0, new Uint8Array(8))],
  ["PRIORITY (CVE-2019-9513)", frameBytes(FrameType.PRIORITY, 0, 5, concat([word(3), new Uint8Array([1])]))],
  ["empty DATA (CVE-2019-9518)", frameBytes(FrameType.DATA, 0, 1)],
  ["DATA of padding", frameBytes(FrameType.DATA, Flag.PADDED, 1, new Uint8Array([3, 0, 0, 0]))],
  ["WINDOW_UPDATE", frameBytes(FrameType.WINDOW_UPDATE, 0, 0, word(1))],
  ["unknown frames", frameBytes(0x77, 0, 0, utf8("x"))],
];

for (const [name, frame] of floods) {
  Deno.test(`a flood of ${name} exceeds controlBurst`, async () => {
    await underAttack(async (client) => {
      await client.request(1);
      await client.raw(flood(controlBurst + 10, frame));
      await client.expectGoaway(ErrorCode.ENHANCE_YOUR_CALM, "controlBurst");
    });
  });
}

Deno.test("a flood of PING (CVE-2019-9512) exceeds maxPingStrikes", async () => {
  await underAttack(async (client) => {
    await client.raw(flood(5, frameBytes(FrameType.PING, 0, 0, new Uint8Array(8))));
    await client.expectGoaway(ErrorCode.ENHANCE_YOUR_CALM, "too_many_pings");
  });
});

Deno.test("PINGs at pingMinIntervalMs are no strikes", async () => {
  await underAttack(async (client, bench) => {
    for (let i = 0; i < 20; i++) {
      await bench.clock.advance(defaultLimits.pingMinIntervalMs);
      await client.frame(FrameType.PING, 0, 0, new Uint8Array(8));
      assert((await client.expect(FrameType.PING)).flags & Flag.ACK);
    }
  }, { limits: { minBodyBytesPerPeriod: 0, keepaliveIntervalMs: Infinity } });
});

Deno.test("frames for streams that were reset exceed controlBurst", async () => {
  await underAttack(async (client) => {
    await client.request(1, [["te", "gzip"]]);
    await client.expectReset(1, ErrorCode.PROTOCOL_ERROR);
    await client.raw(flood(controlBurst + 10, frameBytes(FrameType.RST_STREAM, 0, 1, word(8))));
    await client.expectGoaway(ErrorCode.ENHANCE_YOUR_CALM, "controlBurst");
  });
});

Deno.test("a client that does not read is not read beyond maxControlOutputBytes", async () => {
  await underAttack(async (_, bench) => {
    const { client, down, socket } = bench.connect();
    await client.open();
    down.blocked = true;
    let taken = 0;
    const read = socket.read.bind(socket);
    socket.read = async (buffer) => {
      const count = await read(buffer);
      taken += count ?? 0;
      return count;
    };
    const settings = flood(500, frameBytes(FrameType.SETTINGS, 0, 0));
    for (let i = 0; i < 30; i++) await client.raw(settings);
    await settled(50);
    assertLess(taken, 20 * settings.length);
    // minResponseBytesPerPeriod ends it.
    await bench.clock.advance(defaultLimits.responsePeriodMs + 2_000);
    await settled();
  }, {
    limits: { maxOutputBytes: 16_384, maxControlOutputBytes: 16_384, controlBurst: 1e9, minBodyBytesPerPeriod: 0 },
  });
});

Deno.test("frames on closed streams are STREAM_CLOSED, on idle ones PROTOCOL_ERROR", async () => {
  await underAttack(async (_, bench) => {
    const attempts: [(id: number) => Uint8Array, number, number][] = [
      [(id) => frameBytes(FrameType.DATA, 0, id, utf8("x")), 1, ErrorCode.STREAM_CLOSED],
      [(id) => frameBytes(FrameType.HEADERS, Flag.END_HEADERS, id, EMPTY), 1, ErrorCode.STREAM_CLOSED],
      [(id) => frameBytes(FrameType.DATA, 0, id, utf8("x")), 9, ErrorCode.PROTOCOL_ERROR],
      [(id) => frameBytes(FrameType.RST_STREAM, 0, id, word(8)), 9, ErrorCode.PROTOCOL_ERROR],
      [(id) => frameBytes(FrameType.WINDOW_UPDATE, 0, id, word(8)), 9, ErrorCode.PROTOCOL_ERROR],
      [(id) => frameBytes(FrameType.HEADERS, Flag.END_HEADERS, id, EMPTY), 2, ErrorCode.PROTOCOL_ERROR],
    ];
    for (const [frame, id, code] of attempts) {
      const client = await bench.open();
      await client.request(1, [], true);
      await client.response(1);
      await client.raw(frame(id));
      await client.expectGoaway(code);
      client.close();
    }
  });
});
