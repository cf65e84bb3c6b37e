/** Error codes and the two ways in which a peer can be in the wrong (RFC 9113 section 5.4). */

/** RFC 9113 section 7. */
export const ErrorCode = {
  NO_ERROR: 0x0,
  PROTOCOL_ERROR: 0x1,
  INTERNAL_ERROR: 0x2,
  FLOW_CONTROL_ERROR: 0x3,
  SETTINGS_TIMEOUT: 0x4,
  STREAM_CLOSED: 0x5,
  FRAME_SIZE_ERROR: 0x6,
  REFUSED_STREAM: 0x7,
  CANCEL: 0x8,
  COMPRESSION_ERROR: 0x9,
  CONNECT_ERROR: 0xa,
  ENHANCE_YOUR_CALM: 0xb,
  INADEQUATE_SECURITY: 0xc,
  HTTP_1_1_REQUIRED: 0xd,
} as const;
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

const names = new Map<number, string>(Object.entries(ErrorCode).map(([name, code]) => [code, name]));

/** The name of an error code; a code that RFC 9113 does not know is shown as a number. */
export function errorCodeName(code: number): string {
  return names.get(code) ?? `0x${code.toString(16)}`;
}

/** The whole connection is in the wrong: it ends with GOAWAY and this code (RFC 9113 section 5.4.1). */
export class ConnectionError extends Error {
  override readonly name = "Http2ConnectionError";
  constructor(readonly code: ErrorCode, message: string) {
    super(message);
  }
}

/** One request is in the wrong: its stream ends with RST_STREAM and this code (RFC 9113 section 5.4.2). */
export class StreamError extends Error {
  override readonly name = "Http2StreamError";
  constructor(readonly code: ErrorCode, message: string) {
    super(message);
  }
}

/**
 * Why a request ended before its time. A handler sees it as the reason of `request.signal` and as what the request
 * body throws.
 */
export class RequestAborted extends Error {
  override readonly name = "Http2RequestAborted";
  constructor(
    /** Who ended it: the client reset the stream, this server did, or the connection is gone. */
    readonly by: "client" | "server" | "connection",
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}
