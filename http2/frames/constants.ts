/** Numbers of the framing layer. */

/** RFC 9113 section 3.4: what a client sends first. */
export const PREFACE = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** RFC 9113 section 4.1: length (24 bits), type (8), flags (8), reserved (1) and stream identifier (31). */
export const FRAME_HEADER_BYTES = 9;

/** RFC 9113 section 6. */
export const FrameType = {
  DATA: 0x0,
  HEADERS: 0x1,
  PRIORITY: 0x2,
  RST_STREAM: 0x3,
  SETTINGS: 0x4,
  PUSH_PROMISE: 0x5,
  PING: 0x6,
  GOAWAY: 0x7,
  WINDOW_UPDATE: 0x8,
  CONTINUATION: 0x9,
} as const;

/** RFC 9113 sections 6.1, 6.2, 6.5, 6.7 and 6.10. */
export const Flag = {
  ACK: 0x1,
  END_STREAM: 0x1,
  END_HEADERS: 0x4,
  PADDED: 0x8,
  PRIORITY: 0x20,
} as const;

/** RFC 9113 section 6.5.2. */
export const Setting = {
  HEADER_TABLE_SIZE: 0x1,
  ENABLE_PUSH: 0x2,
  MAX_CONCURRENT_STREAMS: 0x3,
  INITIAL_WINDOW_SIZE: 0x4,
  MAX_FRAME_SIZE: 0x5,
  MAX_HEADER_LIST_SIZE: 0x6,
} as const;

/** RFC 9113 section 6.5.2: the initial value of SETTINGS_MAX_FRAME_SIZE, and the least it may be. */
export const DEFAULT_MAX_FRAME_BYTES = 16_384;
/** RFC 9113 section 6.5.2: the most SETTINGS_MAX_FRAME_SIZE may be. */
export const MAX_MAX_FRAME_BYTES = 16_777_215;
/** RFC 9113 section 6.9.2: the initial flow-control window of streams and of the connection. */
export const DEFAULT_WINDOW_BYTES = 65_535;
/** RFC 9113 section 6.9.1: the most a flow-control window may be. */
export const MAX_WINDOW_BYTES = 2_147_483_647;
/** RFC 9113 section 5.1.1: stream identifiers have 31 bits. */
export const MAX_STREAM_ID = 2_147_483_647;
/** RFC 7541 section 4.2: the size of a dynamic table until SETTINGS_HEADER_TABLE_SIZE says otherwise. */
export const DEFAULT_HEADER_TABLE_BYTES = 4096;
