/**
 * Every limit of the server: its value, its unit, and the attack or failure that it stops. All can be set by
 * `options.limits`. What is over a limit is refused with an error, never cut silently.
 */
export interface Http2Limits {
  /** Connections at a time. Stops: running out of file descriptors and memory by connecting again and again. */
  maxConnections: number;
  /**
   * Requests at a time on one connection (SETTINGS_MAX_CONCURRENT_STREAMS). Handlers that still run after their
   * request was reset are counted, so that a client cannot pile them up. Stops: rapid reset (CVE-2023-44487).
   */
  maxConcurrentStreams: number;
  /** Bytes of a frame's payload (SETTINGS_MAX_FRAME_SIZE). Stops: making the server buffer large frames. */
  maxFrameBytes: number;
  /**
   * Bytes of a decoded header list, 32 more for each field (SETTINGS_MAX_HEADER_LIST_SIZE). A request over it is
   * answered 431. Stops: HPACK bombs and endless headers.
   */
  maxHeaderListBytes: number;
  /** Bytes of an encoded header block, over all its frames. Stops: CONTINUATION flood (CVE-2024-27316). */
  maxHeaderBlockBytes: number;
  /** CONTINUATION frames of one header block. Stops: a flood of empty ones. */
  maxContinuationFrames: number;
  /** Bytes of the decoder's dynamic table (SETTINGS_HEADER_TABLE_SIZE). Stops: holding memory per connection. */
  headerTableBytes: number;
  /** Bytes of the encoder's dynamic table, whatever the peer permits. Stops: a peer that asks for a vast one. */
  encoderTableBytes: number;

  /** Bytes a request body may have in flight at first (SETTINGS_INITIAL_WINDOW_SIZE). */
  initialStreamWindowBytes: number;
  /** Bytes that a body's window shrinks to, for a slow handler or when memory is short. */
  minStreamWindowBytes: number;
  /** Bytes that a body's window grows to, for a fast handler. Stops: a handler that stalls making the server buffer more. */
  maxStreamWindowBytes: number;
  /**
   * Bytes that all bodies of a connection may have in flight, at first. It is many streams' windows, for what stalled
   * handlers hold of it the other requests of the connection must do without.
   */
  initialConnectionWindowBytes: number;
  /** Bytes that a connection's window shrinks to. */
  minConnectionWindowBytes: number;
  /** Bytes that a connection's window grows to. Stops: many stalled handlers of one client adding up. */
  maxConnectionWindowBytes: number;
  /**
   * Bytes of request bodies held for slow handlers, over all connections, if no budget is passed. From 3/4 on windows
   * shrink; when it is full, new requests get REFUSED_STREAM and more data ENHANCE_YOUR_CALM. Stops: running out of
   * memory by many uploads to slow handlers.
   */
  memoryBudgetBytes: number;

  /** Bytes of the read buffer of a busy connection; an idle one holds 4 KiB. */
  readBufferBytes: number;
  /** Bytes of frames that wait for the socket before response bodies must wait. Stops: clients that do not read. */
  maxOutputBytes: number;
  /**
   * Bytes beyond `maxOutputBytes` that answers to control frames may take before reading stops. Stops: SETTINGS and
   * PING floods (CVE-2019-9512, CVE-2019-9515) by a client that does not read the answers.
   */
  maxControlOutputBytes: number;
  /** Bytes of one DATA frame that we send, if the peer takes such frames: small enough that streams take turns. */
  maxSendFrameBytes: number;

  /**
   * Resets at once: RST_STREAM from the client, and those that the client's faults provoke the server to send. Stops:
   * rapid reset (CVE-2023-44487) and MadeYouReset (CVE-2025-8671).
   */
  resetBurst: number;
  /** Resets a second, in the long run. */
  resetsPerSecond: number;
  /**
   * Frames at once that carry nothing: SETTINGS, PING, PRIORITY, WINDOW_UPDATE, empty DATA, unknown types, and frames
   * for streams that are over. Stops: floods of them (CVE-2019-9512, -9513, -9515, -9518).
   */
  controlBurst: number;
  /** Such frames a second, in the long run; each DATA frame that we send allows one WINDOW_UPDATE or two more. */
  controlPerSecond: number;
  /**
   * Milliseconds between PINGs of a client; one that comes sooner is a strike, unless we sent headers or data in
   * between (as grpc-go's enforcement policy). Stops: clients that keep servers busy by keepalive.
   */
  pingMinIntervalMs: number;
  /** Strikes that are forgiven. */
  maxPingStrikes: number;

  /** Milliseconds for the TLS handshake, and again for the preface and the first SETTINGS. Stops: slow openings. */
  prefaceTimeoutMs: number;
  /** Milliseconds until our SETTINGS are acknowledged. Stops: peers that ignore them. */
  settingsAckTimeoutMs: number;
  /** Milliseconds from the first byte of a header block, or of any frame but DATA, to its last. Stops: slow headers. */
  headersTimeoutMs: number;
  /** Milliseconds over which a body's rate is measured while its handler waits for it. */
  bodyPeriodMs: number;
  /** Bytes that a body must bring in such a period; 0 permits any pause. Stops: slow bodies (slowloris). */
  minBodyBytesPerPeriod: number;
  /** Milliseconds over which a rate is measured while the client's windows, or its socket, hold responses up. */
  responsePeriodMs: number;
  /**
   * Bytes that a client must accept in such a period, of each response by its windows and of them all by its socket.
   * Stops: tiny windows that pin responses, and clients that hardly read.
   */
  minResponseBytesPerPeriod: number;

  /** Milliseconds without a byte from the client after which the server sends a PING. */
  keepaliveIntervalMs: number;
  /** Milliseconds for the answer to that PING. Stops: dead connections being kept. */
  keepaliveTimeoutMs: number;
  /** Milliseconds without a request after which a connection is closed. Stops: idle connections piling up. */
  maxIdleMs: number;
  /** Milliseconds after which a connection is asked to end, so that load spreads. Infinity: never. */
  maxAgeMs: number;
  /** Share by which `maxAgeMs` varies at random, up and down. Stops: all connections ending at once. */
  ageJitter: number;
  /** Milliseconds that requests in flight have when a connection reached its age. */
  ageGraceMs: number;
  /** Milliseconds between the two GOAWAYs of a graceful end, if the client does not answer the PING between them. */
  drainPingTimeoutMs: number;
  /** Milliseconds that `shutdown()` gives to requests in flight; `lingerMs`, and half a second at most, come on top. */
  shutdownDeadlineMs: number;
  /** Milliseconds in which a client may read the last frames before its socket is closed. */
  lingerMs: number;
}

const KiB = 1024;
const MiB = 1024 * KiB;

export const defaultLimits: Readonly<Http2Limits> = Object.freeze({
  maxConnections: 16_384,
  maxConcurrentStreams: 256,
  maxFrameBytes: 16 * KiB,
  maxHeaderListBytes: 64 * KiB,
  maxHeaderBlockBytes: 64 * KiB,
  maxContinuationFrames: 16,
  headerTableBytes: 4 * KiB,
  encoderTableBytes: 4 * KiB,
  initialStreamWindowBytes: 256 * KiB,
  minStreamWindowBytes: 64 * KiB,
  maxStreamWindowBytes: 4 * MiB,
  initialConnectionWindowBytes: 4 * MiB,
  minConnectionWindowBytes: MiB,
  maxConnectionWindowBytes: 16 * MiB,
  memoryBudgetBytes: 256 * MiB,
  readBufferBytes: 256 * KiB,
  maxOutputBytes: 256 * KiB,
  maxControlOutputBytes: 64 * KiB,
  maxSendFrameBytes: 64 * KiB,
  resetBurst: 500,
  resetsPerSecond: 50,
  controlBurst: 10_000,
  controlPerSecond: 1_000,
  pingMinIntervalMs: 5_000,
  maxPingStrikes: 2,
  prefaceTimeoutMs: 10_000,
  settingsAckTimeoutMs: 20_000,
  headersTimeoutMs: 10_000,
  bodyPeriodMs: 60_000,
  minBodyBytesPerPeriod: 64,
  responsePeriodMs: 30_000,
  minResponseBytesPerPeriod: KiB,
  keepaliveIntervalMs: 60_000,
  keepaliveTimeoutMs: 20_000,
  maxIdleMs: 300_000,
  maxAgeMs: Infinity,
  ageJitter: 0.1,
  ageGraceMs: 300_000,
  drainPingTimeoutMs: 1_000,
  shutdownDeadlineMs: 3_000,
  lingerMs: 1_000,
});
