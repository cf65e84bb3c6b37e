/**
 * Every limit of the server: its value, its unit, and the attack or failure that it stops. All can be set by
 * `options.limits`. What is over a limit is refused with an error, never cut silently.
 */
export interface Http1Limits {
  /** Bytes of a request line; a longer one is answered 414. Stops: endless targets. */
  maxRequestLineBytes: number;
  /** Bytes of a head, request line included; a longer one is answered 431. Stops: endless headers. */
  maxHeadBytes: number;
  /** Header fields of a request; more are answered 431. Stops: many tiny fields, which cost more than their bytes. */
  maxHeaders: number;
  /** Bytes of a chunk's size line, extensions included. Stops: endless chunk extensions and leading zeros. */
  maxChunkLineBytes: number;
  /**
   * Bytes of chunk extensions beyond the bytes of data that came with them, per request. Stops: a body that is nothing
   * but extensions (CVE-2023-39326).
   */
  maxChunkExtensionBytes: number;
  /** Bytes of a request's trailers. Stops: endless trailers after a body that is over. */
  maxTrailerBytes: number;
  /** Trailer fields of a request. Stops: many tiny trailers. */
  maxTrailers: number;

  /** Bytes of the read buffer while a body arrives; without one it has 4 KiB. All that is read ahead of a handler. */
  readBufferBytes: number;
  /** Bytes of one write to the socket. Stops: large response chunks held twice. */
  writeBufferBytes: number;

  /**
   * Milliseconds from a request's first byte (of the first: from the connection's start) to the end of its head. Stops:
   * slowloris.
   */
  headTimeoutMs: number;
  /** Milliseconds without a request after which a connection is closed. Stops: idle connections piling up. */
  keepAliveTimeoutMs: number;
  /** Milliseconds over which a body's rate is measured while its handler waits for it. */
  bodyPeriodMs: number;
  /** Bytes that a body must bring in such a period; 0 permits any pause. Stops: slow bodies. */
  minBodyBytesPerPeriod: number;
  /** Milliseconds in which one write (`writeBufferBytes` at most) must be taken. Stops: clients that do not read. */
  writeStallMs: number;
  /**
   * Requests of one connection; the last is answered with `connection: close`. Stops: one client holding on for ever.
   */
  maxRequests: number;

  /**
   * Bytes of an unread body that are read and dropped, so that the client gets to read its answer. Stops: uploads
   * without end to nobody.
   */
  maxDrainBytes: number;
  /** Milliseconds for that, and for the client to close after the last answer. Stops: clients that never close. */
  maxDrainMs: number;
}

const KiB = 1024;
const MiB = 1024 * KiB;

export const defaultLimits: Readonly<Http1Limits> = Object.freeze({
  maxRequestLineBytes: 8 * KiB,
  maxHeadBytes: 32 * KiB,
  maxHeaders: 128,
  maxChunkLineBytes: 4 * KiB,
  maxChunkExtensionBytes: 16 * KiB,
  maxTrailerBytes: 8 * KiB,
  maxTrailers: 64,
  readBufferBytes: 64 * KiB,
  writeBufferBytes: 64 * KiB,
  headTimeoutMs: 10_000,
  keepAliveTimeoutMs: 75_000,
  bodyPeriodMs: 60_000,
  minBodyBytesPerPeriod: 64,
  writeStallMs: 30_000,
  maxRequests: 1_000_000,
  maxDrainBytes: 4 * MiB,
  maxDrainMs: 2_000,
});
