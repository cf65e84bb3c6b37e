/**
 * Everything that is served, in connect-es's universal shape: RPC, downloads, the client, health. Each host feeds it, so that they
 * cannot drift apart.
 *
 * @module
 */
import { ConnectError } from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerRequest, UniversalServerResponse } from "@connectrpc/connect/protocol";
import type { FileUploadService } from "../services/file_upload.ts";
import { brokenOff, callerGone } from "./broken_off.ts";
import { serveClientModule } from "./client_module.ts";
import { serveFile } from "./downloads.ts";
import { logEvent } from "./log.ts";
import { plain } from "./responses.ts";

export interface HttpHandlerOptions {
  readonly router: ReadonlyMap<string, UniversalHandler>;
  readonly files: Pick<FileUploadService, "openFile">;
  /** Whether the server takes work: stores answer, and it is not stopping. */
  isReady(): Promise<boolean>;
}

export type HttpHandler = (request: UniversalServerRequest) => Promise<UniversalServerResponse>;

export function createHttpHandler({ router, files, isReady }: HttpHandlerOptions): HttpHandler {
  return async (request) => {
    const path = pathOf(request.url);
    try {
      const handler = router.get(path);
      if (handler) return await serveRpc(handler, request);
      if (path.startsWith("/files/")) return await serveFile(files, path.slice("/files/".length), request);
      const module = serveClientModule(path, request);
      if (module) return module;
      if (request.method !== "GET" && request.method !== "HEAD") return plain(404, "not found");
      if (path === "/healthz") return plain(200, "ok");
      if (path === "/readyz") return await isReady() ? plain(200, "ready") : plain(503, "not ready");
      return plain(404, "not found");
    } catch (error) {
      logEvent("error", "a request failed", { path, error });
      return plain(500, "internal error");
    }
  };
}

async function serveRpc(handler: UniversalHandler, request: UniversalServerRequest): Promise<UniversalServerResponse> {
  if (!handler.allowedMethods.includes(request.method)) {
    return plain(405, "method not allowed", { allow: handler.allowedMethods.join(", ") });
  }
  const contentType = request.header.get("content-type") ?? "";
  if (!handler.supportedContentType(contentType) && request.method !== "GET") {
    if (isNativeGrpc(contentType)) return grpcUnimplemented();
    return plain(415, `unsupported media type ${JSON.stringify(contentType)}`, {
      "accept-post": "application/connect+proto, application/connect+json, application/grpc-web+proto",
    });
  }
  // connect-es refuses two-way streams on HTTP/1.1, for Node's sake. Here they work, if not at the same time; reflection
  // is one.
  const httpVersion = request.httpVersion.startsWith("1.") ? "" : request.httpVersion;
  return await handler({ ...request, httpVersion, body: callersBody(request.body) });
}

/** A body that breaks off is the caller's doing, on every host: it went away, or does not keep to the protocol. */
function callersBody(body: UniversalServerRequest["body"]): UniversalServerRequest["body"] {
  if (typeof body !== "object" || body === null || !(Symbol.asyncIterator in body)) return body;
  return {
    [Symbol.asyncIterator]() {
      const iterator = body[Symbol.asyncIterator]();
      return {
        next: () =>
          iterator.next().catch((error) => {
            throw brokenOff(error) ?? (error instanceof ConnectError ? error : callerGone());
          }),
        return: () => iterator.return?.() ?? Promise.resolve({ done: true, value: undefined }),
      };
    },
  };
}

/** The path of an absolute URL, without its query. */
function pathOf(url: string): string {
  const begin = url.indexOf("/", url.indexOf("//") + 2);
  const query = url.indexOf("?", begin);
  return begin === -1 ? "/" : url.slice(begin, query === -1 ? undefined : query);
}

function isNativeGrpc(contentType: string): boolean {
  return /^application\/grpc($|[+;])/.test(contentType);
}

/**
 * Where trailers cannot be sent, a native gRPC client gets an answer of headers alone ("Trailers-Only" in gRPC over
 * HTTP2), which can say what to use instead.
 */
function grpcUnimplemented(): UniversalServerResponse {
  return {
    status: 200,
    header: new Headers({
      "content-type": "application/grpc",
      "grpc-status": "12",
      "grpc-message": "native gRPC is not served here: use gRPC-Web or Connect",
    }),
  };
}
