import { ConnectionError, ErrorCode } from "../errors.ts";
import {
  DEFAULT_HEADER_TABLE_BYTES,
  DEFAULT_MAX_FRAME_BYTES,
  DEFAULT_WINDOW_BYTES,
  FrameType,
  MAX_MAX_FRAME_BYTES,
  MAX_WINDOW_BYTES,
  Setting,
} from "./constants.ts";
import { writeFrameHeader, writeUint32 } from "./writer.ts";

/** RFC 9113 section 6.5.1: an identifier of 16 bits and a value of 32. */
export const SETTING_BYTES = 6;

/** What the peer's SETTINGS say of what we may send to it, with the initial values of RFC 9113 section 6.5.2. */
export class PeerSettings {
  headerTableSize = DEFAULT_HEADER_TABLE_BYTES;
  initialWindowSize = DEFAULT_WINDOW_BYTES;
  maxFrameSize = DEFAULT_MAX_FRAME_BYTES;

  /**
   * Applies the settings in `buffer[start, end)`, in order. Others are ignored: unknown ones as RFC 9113 section 6.5.2
   * asks, MAX_CONCURRENT_STREAMS since this server pushes nothing, and MAX_HEADER_LIST_SIZE, which is advice.
   */
  apply(buffer: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; at += SETTING_BYTES) {
      const id = buffer[at] << 8 | buffer[at + 1];
      const value = (buffer[at + 2] << 24 | buffer[at + 3] << 16 | buffer[at + 4] << 8 | buffer[at + 5]) >>> 0;
      this.#set(id, value);
    }
  }

  #set(id: number, value: number): void {
    switch (id) {
      case Setting.HEADER_TABLE_SIZE:
        this.headerTableSize = value;
        break;
      case Setting.ENABLE_PUSH:
        if (value > 1) refuse(ErrorCode.PROTOCOL_ERROR, "SETTINGS_ENABLE_PUSH", value);
        break;
      case Setting.INITIAL_WINDOW_SIZE:
        if (value > MAX_WINDOW_BYTES) refuse(ErrorCode.FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE", value);
        this.initialWindowSize = value;
        break;
      case Setting.MAX_FRAME_SIZE:
        if (value < DEFAULT_MAX_FRAME_BYTES || value > MAX_MAX_FRAME_BYTES) {
          refuse(ErrorCode.PROTOCOL_ERROR, "SETTINGS_MAX_FRAME_SIZE", value);
        }
        this.maxFrameSize = value;
        break;
    }
  }
}

function refuse(code: ErrorCode, name: string, value: number): never {
  throw new ConnectionError(code, `Cannot apply ${name}: its value is ${value}`);
}

/** Writes a SETTINGS frame; see the writers for the shape. */
export function writeSettings(
  buffer: Uint8Array,
  at: number,
  flags: number,
  settings: readonly (readonly [id: number, value: number])[],
): number {
  let end = writeFrameHeader(buffer, at, settings.length * SETTING_BYTES, FrameType.SETTINGS, flags, 0);
  for (const [id, value] of settings) {
    buffer[end] = id >>> 8;
    buffer[end + 1] = id;
    end = writeUint32(buffer, end + 2, value);
  }
  return end;
}
