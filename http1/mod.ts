/**
 * HTTP/1.1 and HTTP/1.0 (RFC 9110, RFC 9112) on connections that were accepted already, with bodies that stream at the
 * pace of whoever reads them, and a bound on whatever a client can make it hold or do. It needs nothing but Deno.
 *
 * @module
 */
export { serveHttp1Connection } from "./connection.ts";
export { Http1RequestError, RequestAborted } from "./errors.ts";
export { defaultLimits, type Http1Limits } from "./limits.ts";
export type {
  Http1Connection,
  Http1Handler,
  Http1Options,
  Http1Request,
  Http1Response,
  Http1Socket,
  Http1Stats,
  HttpHandler,
  HttpRequest,
} from "./types.ts";
