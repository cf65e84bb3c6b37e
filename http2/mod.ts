/**
 * An HTTP/2 server (RFC 9113, RFC 7541) on `Deno.listen` and `Deno.listenTls`, with trailers, flow control in both
 * directions, and a bound on whatever a client can make it hold or do. It needs nothing but Deno.
 *
 * @module
 */
export { createMemoryBudget, type MemoryBudget, MemoryBudgetError } from "./budget.ts";
export { type Clock, systemClock } from "./clock.ts";
export type { Socket } from "./connection.ts";
export { ErrorCode, errorCodeName, RequestAborted } from "./errors.ts";
export { PREFACE } from "./frames/constants.ts";
export { defaultLimits, type Http2Limits } from "./limits.ts";
export { createHttp2Server, Http2Server, serveHttp2 } from "./server.ts";
export type {
  ConnectionEvent,
  ConnectionInfo,
  ConnectionStats,
  Http2Handler,
  Http2Options,
  Http2Request,
  Http2Response,
  ServerStats,
} from "./types.ts";
