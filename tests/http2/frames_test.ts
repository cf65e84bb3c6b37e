import { assertEquals, assertThrows } from "@std/assert";
import { ConnectionError } from "../../http2/errors.ts";
import { Flag, FrameType, Setting } from "../../http2/frames/constants.ts";
import { FrameReader } from "../../http2/frames/reader.ts";
import { PeerSettings, writeSettings } from "../../http2/frames/settings.ts";
import { writeGoaway, writePing, writeRstStream, writeWindowUpdate } from "../../http2/frames/writer.ts";
import { concat, type Frame, frameBytes, readWord, seededRandom, utf8 } from "./support.ts";

/** Feeds `bytes` in pieces of at most `most()`, and puts the pieces of DATA together again. */
function readAll(reader: FrameReader, bytes: Uint8Array, most: () => number): Frame[] {
  const frames: Frame[] = [];
  let rest = bytes;
  while (rest.length > 0) {
    const space = reader.space();
    const count = Math.min(rest.length, space.length, most());
    space.set(rest.subarray(0, count));
    reader.filled(count);
    rest = rest.subarray(count);
    while (reader.next()) {
      const payload = reader.buffer.slice(reader.start, reader.end);
      if (reader.first) {
        frames.push({ type: reader.type, flags: reader.flags, streamId: reader.streamId, payload });
      } else {
        const frame = frames[frames.length - 1];
        frame.payload = concat([frame.payload, payload]);
      }
    }
  }
  return frames;
}

Deno.test("FrameReader.next() reads what was written, however it is cut", () => {
  const random = seededRandom(11);
  for (let run = 0; run < 60; run++) {
    const frames: Frame[] = Array.from({ length: 30 }, () => ({
      type: random() * 12 | 0,
      flags: random() * 256 & ~Flag.PADDED,
      streamId: random() * 0x7fffffff | 0,
      payload: new Uint8Array(random() * (random() < 0.2 ? 16_384 : 50)).fill(random() * 256),
    }));
    const bytes = concat(frames.map((f) => frameBytes(f.type, f.flags, f.streamId, f.payload)));
    const most = [() => 1 + (random() * 10 | 0), () => 70_000, () => 1 + (random() * 5_000 | 0)][run % 3];
    assertEquals(readAll(new FrameReader(16_384, 65_536), bytes, most), frames);
  }
});

Deno.test("FrameReader.next() takes the padding off DATA", () => {
  const padded = frameBytes(
    FrameType.DATA,
    Flag.PADDED,
    1,
    concat([new Uint8Array([5]), utf8("hello"), new Uint8Array(5)]),
  );
  const bytes = concat([padded, frameBytes(FrameType.PING, 0, 0, new Uint8Array(8))]);
  for (const most of [1, 3, 100]) {
    const frames = readAll(new FrameReader(16_384, 65_536), bytes, () => most);
    assertEquals(frames.map((f) => [f.type, f.payload.length]), [[FrameType.DATA, 5], [FrameType.PING, 8]]);
    assertEquals(frames[0].payload, utf8("hello"));
  }
});

Deno.test("FrameReader.next() refuses frames over the limit and padding over the payload", () => {
  const large = frameBytes(FrameType.HEADERS, 0, 1, new Uint8Array(16_385)).subarray(0, 9);
  assertThrows(() => readAll(new FrameReader(16_384, 65_536), large, () => 100), ConnectionError, "16385");
  const padded = frameBytes(FrameType.DATA, Flag.PADDED, 1, new Uint8Array([3, 0, 0]));
  assertThrows(() => readAll(new FrameReader(16_384, 65_536), padded, () => 100), ConnectionError, "padding");
});

Deno.test("FrameReader.space() grows with what arrives, and not with what a header claims", () => {
  const reader = new FrameReader(1 << 24, 65_536);
  const claim = frameBytes(FrameType.HEADERS, 0, 1);
  claim.set([0xff, 0xff, 0xff], 0);
  reader.space().set(claim);
  reader.filled(claim.length);
  assertEquals(reader.next(), false);
  assertEquals(reader.space().length + claim.length, 4096);
});

Deno.test("PeerSettings.apply() reads what writeSettings() writes", () => {
  const random = seededRandom(5);
  for (let run = 0; run < 200; run++) {
    const header = Math.floor(random() * 2 ** 32);
    const window = Math.floor(random() * 2 ** 31);
    const frame = 16_384 + Math.floor(random() * (2 ** 24 - 16_384));
    const buffer = new Uint8Array(100);
    const end = writeSettings(buffer, 0, 0, [
      [Setting.HEADER_TABLE_SIZE, header],
      [0x99, 7],
      [Setting.INITIAL_WINDOW_SIZE, window],
      [Setting.MAX_FRAME_SIZE, frame],
    ]);
    const settings = new PeerSettings();
    settings.apply(buffer, 9, end);
    assertEquals([settings.headerTableSize, settings.initialWindowSize, settings.maxFrameSize], [
      header,
      window,
      frame,
    ]);
  }
});

Deno.test("the frame writers write what a reader understands", () => {
  const buffer = new Uint8Array(200);
  let end = writeRstStream(buffer, 0, 3, 8);
  end = writeWindowUpdate(buffer, end, 5, 2 ** 31 - 1);
  end = writePing(buffer, end, Flag.ACK, utf8("12345678"));
  end = writeGoaway(buffer, end, 7, 11, utf8("why"));
  const [reset, update, ping, goaway] = readAll(new FrameReader(16_384, 65_536), buffer.slice(0, end), () => 100);
  assertEquals([reset.type, reset.streamId, readWord(reset.payload)], [FrameType.RST_STREAM, 3, 8]);
  assertEquals([update.type, update.streamId, readWord(update.payload)], [FrameType.WINDOW_UPDATE, 5, 2 ** 31 - 1]);
  assertEquals([ping.type, ping.flags, ping.payload], [FrameType.PING, Flag.ACK, utf8("12345678")]);
  assertEquals([readWord(goaway.payload), readWord(goaway.payload, 4)], [7, 11]);
  assertEquals(goaway.payload.slice(8), utf8("why"));
});
