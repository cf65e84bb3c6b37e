import { assertEquals } from "@std/assert";
import { Flag, FrameType, Setting } from "../../http2/frames/constants.ts";
import { defaultLimits, ErrorCode } from "../../http2/mod.ts";
import { concat, EMPTY, settingsPayload, utf8 } from "../http2/support.ts";
import { underAttack } from "./http2_support.ts";

const { maxContinuationFrames, maxHeaderBlockBytes } = defaultLimits;

Deno.test("CONTINUATION flood (CVE-2024-27316) exceeds maxHeaderBlockBytes", async () => {
  await underAttack(async (client) => {
    await client.frame(FrameType.HEADERS, 0, 1, client.block([[":method", "GET"]]));
    const filler = concat([
      new Uint8Array([0x00, 0x01]),
      utf8("x"),
      new Uint8Array([0x7f, 0xe1, 0x7e]),
      new Uint8Array(16_000),
    ]);
    for (let i = 0; i * filler.length < maxHeaderBlockBytes; i++) {
      await client.frame(FrameType.CONTINUATION, 0, 1, filler);
    }
    await client.expectGoaway(ErrorCode.ENHANCE_YOUR_CALM, "maxHeaderBlockBytes");
  });
});

Deno.test("a flood of empty CONTINUATION exceeds maxContinuationFrames", async () => {
  await underAttack(async (client) => {
    await client.frame(FrameType.HEADERS, 0, 1, EMPTY);
    for (let i = 0; i <= maxContinuationFrames; i++) await client.frame(FrameType.CONTINUATION, 0, 1, EMPTY);
    await client.expectGoaway(ErrorCode.ENHANCE_YOUR_CALM, "maxContinuationFrames");
  });
});

Deno.test("a header list over maxHeaderListBytes is answered 431, and the connection goes on", async () => {
  await underAttack(async (client) => {
    const large = Array.from({ length: 20 }, (_, i): [string, string] => [`x-${i}`, "v".repeat(200)]);
    await client.request(1, large, true);
    assertEquals((await client.response(1)).header[":status"], "431");
    await client.request(3, [], true);
    assertEquals((await client.response(3)).header[":status"], "200");
  }, { limits: { maxHeaderListBytes: 2_048 } });
});

Deno.test("an HPACK bomb exceeds maxHeaderListBytes and costs no memory", async () => {
  await underAttack(async (client) => {
    await client.request(1, [["x-bomb", "v".repeat(900)]], true);
    await client.response(1);
    // Each byte names the entry of nearly 1 KB: 15 MB in one frame.
    const bomb = new Uint8Array(16_000).fill(0x80 | 62);
    await client.frame(FrameType.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 3, bomb);
    assertEquals((await client.response(3)).header[":status"], "431");
  });
});

Deno.test("trailers over maxHeaderListBytes reset the stream", async () => {
  await underAttack(async (client) => {
    await client.request(1);
    await client.headers(1, Array.from({ length: 20 }, (_, i) => [`x-${i}`, "v".repeat(200)]), true);
    await client.expectReset(1, ErrorCode.ENHANCE_YOUR_CALM);
  }, { limits: { maxHeaderListBytes: 2_048 } });
});

Deno.test("a dynamic table over headerTableBytes is COMPRESSION_ERROR", async () => {
  await underAttack(async (client) => {
    await client.frame(FrameType.HEADERS, Flag.END_HEADERS, 1, new Uint8Array([0x3f, 0xe2, 0x1f]));
    await client.expectGoaway(ErrorCode.COMPRESSION_ERROR, "SETTINGS_HEADER_TABLE_SIZE");
  });
});

Deno.test("size updates again and again are COMPRESSION_ERROR", async () => {
  await underAttack(async (client) => {
    await client.frame(FrameType.HEADERS, Flag.END_HEADERS, 1, new Uint8Array(1_000).fill(0x20));
    await client.expectGoaway(ErrorCode.COMPRESSION_ERROR, "out of place");
  });
});

Deno.test("SETTINGS_HEADER_TABLE_SIZE of 4 GiB does not exceed encoderTableBytes", async () => {
  await underAttack(async (client) => {
    const payload = settingsPayload([[Setting.HEADER_TABLE_SIZE, 0], [Setting.HEADER_TABLE_SIZE, 2 ** 32 - 1]]);
    await client.frame(FrameType.SETTINGS, 0, 0, payload);
    // The mock's decoder has a table of 4096 bytes and would refuse a larger one.
    for (let id = 1; id < 400; id += 2) {
      await client.request(id, [["x-value", `${id}`.repeat(30)]], true);
      assertEquals((await client.response(id)).header["x-value"], `${id}`.repeat(30));
    }
  }, {
    handler: (request) => ({ status: 200, header: new Headers({ "x-value": request.header.get("x-value") ?? "" }) }),
  });
});
