import { ConnectionError, ErrorCode } from "./errors.ts";
import { DEFAULT_WINDOW_BYTES, PREFACE, Setting } from "./frames/constants.ts";
import type { FrameReader } from "./frames/reader.ts";
import type { Http2Limits } from "./limits.ts";
import type { Outbound } from "./outbound.ts";

/** RFC 9113 section 3.4: what a server says first, and the connection's window, which SETTINGS cannot set. */
export function sendPreface(outbound: Outbound, limits: Http2Limits): void {
  outbound.sendSettings(0, [
    [Setting.HEADER_TABLE_SIZE, limits.headerTableBytes],
    [Setting.MAX_CONCURRENT_STREAMS, limits.maxConcurrentStreams],
    [Setting.INITIAL_WINDOW_SIZE, limits.initialStreamWindowBytes],
    [Setting.MAX_FRAME_SIZE, limits.maxFrameBytes],
    [Setting.MAX_HEADER_LIST_SIZE, limits.maxHeaderListBytes],
  ]);
  const more = limits.initialConnectionWindowBytes - DEFAULT_WINDOW_BYTES;
  if (more > 0) outbound.windowUpdate(0, more);
}

/** Takes the client's preface; false: more bytes are needed. Whatever is none is refused at its first wrong byte. */
export function takePreface(reader: FrameReader): boolean {
  const bytes = reader.peek();
  const count = Math.min(bytes.length, PREFACE.length);
  for (let i = 0; i < count; i++) {
    if (bytes[i] !== PREFACE[i]) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, "this is no HTTP/2 preface");
  }
  return reader.take(PREFACE.length);
}
