import { FRAME_HEADER_BYTES, FrameType } from "./constants.ts";

/** Frames -> bytes. Each function writes one frame at `at` and returns the offset behind it. */

export function writeUint32(buffer: Uint8Array, at: number, value: number): number {
  buffer[at] = value >>> 24;
  buffer[at + 1] = value >>> 16;
  buffer[at + 2] = value >>> 8;
  buffer[at + 3] = value;
  return at + 4;
}

/** RFC 9113 section 4.1. The payload, `length` bytes, is for the caller to write behind it. */
export function writeFrameHeader(
  buffer: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): number {
  buffer[at] = length >>> 16;
  buffer[at + 1] = length >>> 8;
  buffer[at + 2] = length;
  buffer[at + 3] = type;
  buffer[at + 4] = flags;
  return writeUint32(buffer, at + 5, streamId);
}

/** RST_STREAM and WINDOW_UPDATE: a payload of one 32-bit number. */
export const WORD_FRAME_BYTES = FRAME_HEADER_BYTES + 4;

export function writeRstStream(buffer: Uint8Array, at: number, streamId: number, code: number): number {
  return writeUint32(buffer, writeFrameHeader(buffer, at, 4, FrameType.RST_STREAM, 0, streamId), code);
}

export function writeWindowUpdate(buffer: Uint8Array, at: number, streamId: number, increment: number): number {
  return writeUint32(buffer, writeFrameHeader(buffer, at, 4, FrameType.WINDOW_UPDATE, 0, streamId), increment);
}

/** RFC 9113 section 6.7: eight opaque bytes. */
export const PING_FRAME_BYTES = FRAME_HEADER_BYTES + 8;

export function writePing(buffer: Uint8Array, at: number, flags: number, opaque: Uint8Array): number {
  const body = writeFrameHeader(buffer, at, 8, FrameType.PING, flags, 0);
  buffer.set(opaque, body);
  return body + 8;
}

/** RFC 9113 section 6.8: the last stream identifier, the error code, and debug data for people. */
export function writeGoaway(
  buffer: Uint8Array,
  at: number,
  lastStreamId: number,
  code: number,
  debug: Uint8Array,
): number {
  let end = writeFrameHeader(buffer, at, 8 + debug.length, FrameType.GOAWAY, 0, 0);
  end = writeUint32(buffer, end, lastStreamId);
  end = writeUint32(buffer, end, code);
  buffer.set(debug, end);
  return end + debug.length;
}
