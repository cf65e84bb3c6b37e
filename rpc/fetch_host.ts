/**
 * The host on Deno.serve: Connect and gRPC-Web over HTTP/1.1 and HTTP/2, downloads, health.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { type UniversalHandler, universalServerResponseToFetch } from "@connectrpc/connect/protocol";
import { MAX_DRAIN_BYTES, MAX_DRAIN_MS } from "../limits.ts";
import type { FileUploadService } from "../services/file_upload.ts";
import { serveFile } from "./downloads.ts";
import { logEvent } from "./log.ts";

export interface FetchHostOptions {
  readonly router: ReadonlyMap<string, UniversalHandler>;
  readonly files: FileUploadService;
  /** Whether the server takes work: stores answer, and it is not stopping. */
  isReady(): Promise<boolean>;
}

/** The handler for Deno.serve. */
export function createFetchHandler(options: FetchHostOptions): (request: Request) => Promise<Response> {
  return async (request) => {
    const { pathname } = new URL(request.url);
    const handler = options.router.get(pathname);
    if (handler) return await serveRpc(handler, request);
    if (pathname.startsWith("/files/")) {
      return await serveFile(options.files, pathname.slice("/files/".length), request);
    }
    if (pathname === "/healthz") return text(200, "ok");
    if (pathname === "/readyz") return await options.isReady() ? text(200, "ready") : text(503, "not ready");
    return text(404, "not found");
  };
}

async function serveRpc(handler: UniversalHandler, request: Request): Promise<Response> {
  if (!handler.allowedMethods.includes(request.method)) {
    return text(405, "method not allowed", { allow: handler.allowedMethods.join(", ") });
  }
  const contentType = request.headers.get("content-type") ?? "";
  if (/^application\/grpc($|[+;])/.test(contentType)) return grpcUnimplemented();
  if (!handler.supportedContentType(contentType) && request.method !== "GET") {
    return text(415, `unsupported media type ${JSON.stringify(contentType)}`, {
      "accept-post": "application/connect+proto, application/connect+json, application/grpc-web+proto",
    });
  }
  const body = new RequestBody(request);
  try {
    const response = await handler({
      // Not known here, and what is not "1.1" lets connect-es stream.
      httpVersion: "",
      method: request.method,
      url: request.url,
      header: request.headers,
      signal: request.signal,
      body,
    });
    return universalServerResponseToFetch({ ...response, body: response.body && body.drainAfter(response.body) });
  } catch (error) {
    logEvent("error", "a handler failed", { path: handler.requestPath, error });
    return text(500, "internal error");
  }
}

/**
 * The body of a request, which may be left half read by a handler that has seen enough. On HTTP/1.1 the rest would then
 * block the connection, and closing it could take the answer with it; so the rest is read and dropped, within limits.
 */
class RequestBody implements AsyncIterable<Uint8Array> {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #done: boolean;

  constructor(request: Request) {
    this.#reader = request.body?.getReader();
    this.#done = !this.#reader;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: async () => {
        if (!this.#reader || this.#done) return { done: true, value: undefined };
        const result = await this.#reader.read().catch(() => {
          throw new ConnectError("the caller is gone", Code.Canceled);
        });
        if (result.done) this.#done = true;
        return result.done ? { done: true, value: undefined } : result;
      },
    };
  }

  /** The answer's body; before it, the rest of the request is drained. */
  async *drainAfter(answer: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const bytes of answer) {
      if (!this.#done) await this.#drain();
      yield bytes;
    }
  }

  async #drain(): Promise<void> {
    const deadline = performance.now() + MAX_DRAIN_MS;
    const timer = setTimeout(() => this.#reader?.cancel().catch(() => {}), MAX_DRAIN_MS);
    try {
      let bytes = 0;
      while (!this.#done && bytes < MAX_DRAIN_BYTES && performance.now() < deadline) {
        const result = await this.#reader?.read();
        if (!result || result.done) this.#done = true;
        else bytes += result.value.length;
      }
    } catch {
      // The client is gone; so is whoever would have read the answer.
    } finally {
      clearTimeout(timer);
      this.#done = true;
    }
  }
}

/**
 * Native gRPC needs trailers, which Deno.serve cannot send. An answer of headers alone is allowed ("Trailers-Only" in
 * gRPC over HTTP2), and can say what to use instead.
 */
function grpcUnimplemented(): Response {
  return new Response(null, {
    status: 200,
    headers: {
      "content-type": "application/grpc",
      "grpc-status": "12",
      "grpc-message": "native gRPC is not served here: use gRPC-Web or Connect",
    },
  });
}

function text(status: number, body: string, headers: Record<string, string> = {}): Response {
  return new Response(`${body}\n`, { status, headers: { "content-type": "text/plain; charset=utf-8", ...headers } });
}
