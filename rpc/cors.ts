/**
 * Cross-origin requests (the Fetch standard, section 3.2): which pages' scripts may call this server and read what it
 * answers. Requests carry a bearer token or nothing, never cookies, so credentials are never allowed.
 *
 * @module
 */
import type { UniversalServerRequest, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { CORS_MAX_AGE_SECONDS } from "../limits.ts";
import type { HttpHandler } from "./http_handler.ts";
import { plain } from "./responses.ts";

/** The origins whose pages may call, such as `https://example.com`; or all. */
export type CorsOrigins = readonly string[] | "*";

const METHODS = "GET, HEAD, POST";

/** What Connect, gRPC-Web, streams and downloads ask with. */
const REQUEST_HEADERS = [
  "authorization",
  "connect-accept-encoding",
  "connect-content-encoding",
  "connect-protocol-version",
  "connect-timeout-ms",
  "content-encoding",
  "content-type",
  "grpc-accept-encoding",
  "grpc-encoding",
  "grpc-timeout",
  "if-match",
  "if-none-match",
  "if-range",
  "range",
  "sluice-end",
  "sluice-start",
  "sluice-stream-id",
  "x-grpc-web",
  "x-user-agent",
].join(", ");

/** What they are answered with, beyond the few headers that a script may always read. */
const RESPONSE_HEADERS = [
  "accept-ranges",
  "connect-accept-encoding",
  "connect-content-encoding",
  "content-disposition",
  "content-encoding",
  "content-range",
  "date",
  "etag",
  "grpc-encoding",
  "grpc-message",
  "grpc-status",
  "grpc-status-details-bin",
  "retry-after",
  "x-typescript-types",
].join(", ");

/** The handler, for pages of these origins too. Without any, it is left as it is. */
export function withCors(handler: HttpHandler, origins: CorsOrigins): HttpHandler {
  if (origins.length === 0) return handler;
  return async (request) => {
    const origin = request.header.get("origin");
    const allowed = origins === "*" ? "*" : origin !== null && origins.includes(origin) ? origin : undefined;
    const response = origin !== null && isPreflight(request)
      ? preflight(allowed !== undefined)
      : await handler(request);
    return withOrigin(response, allowed, origins !== "*");
  };
}

function isPreflight({ method, header }: UniversalServerRequest): boolean {
  return method === "OPTIONS" && header.has("access-control-request-method");
}

function preflight(isAllowed: boolean): UniversalServerResponse {
  if (!isAllowed) return plain(403, "this origin is not allowed");
  return {
    status: 204,
    header: new Headers({
      "access-control-allow-methods": METHODS,
      "access-control-allow-headers": REQUEST_HEADERS,
      "access-control-max-age": String(CORS_MAX_AGE_SECONDS),
    }),
  };
}

/** What the handler itself says of an origin stays: what is open to all is open to these. */
function withOrigin(
  response: UniversalServerResponse,
  origin: string | undefined,
  varies: boolean,
): UniversalServerResponse {
  const header = new Headers(response.header);
  // Even where no origin was named: a cache must not give that answer to a page.
  if (varies) header.append("vary", "origin");
  if (origin !== undefined && !header.has("access-control-allow-origin")) {
    header.set("access-control-allow-origin", origin);
    header.set("access-control-expose-headers", RESPONSE_HEADERS);
  }
  return { ...response, header };
}
