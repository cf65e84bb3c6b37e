/**
 * `GET` and `HEAD /client.js`: the client as one ES module, which a page or a script imports from the server that it talks
 * to, so that both always fit. `/client.d.ts` has its types, which Deno finds by the header X-TypeScript-Types. They are
 * public, and open to pages of any origin.
 *
 * @module
 */
import {
  createAsyncIterable,
  type UniversalServerRequest,
  type UniversalServerResponse,
} from "@connectrpc/connect/protocol";
import { CLIENT_DTS, CLIENT_DTS_ETAG, CLIENT_JS, CLIENT_JS_ETAG } from "../gen/client/module.ts";
import { listsTag, plain } from "./responses.ts";

interface Served {
  readonly bytes: Uint8Array;
  readonly etag: string;
  readonly header: Readonly<Record<string, string>>;
}

const encoder = new TextEncoder();

const SERVED: ReadonlyMap<string, Served> = new Map<string, Served>([
  ["/client.js", {
    bytes: encoder.encode(CLIENT_JS),
    etag: CLIENT_JS_ETAG,
    header: { "content-type": "text/javascript; charset=utf-8", "x-typescript-types": "/client.d.ts" },
  }],
  ["/client.d.ts", {
    bytes: encoder.encode(CLIENT_DTS),
    etag: CLIENT_DTS_ETAG,
    header: { "content-type": "application/typescript; charset=utf-8" },
  }],
]);

/** The answer; undefined for other paths. */
export function serveClientModule(path: string, request: UniversalServerRequest): UniversalServerResponse | undefined {
  const served = SERVED.get(path);
  if (served === undefined) return undefined;
  if (request.method !== "GET" && request.method !== "HEAD") {
    return plain(405, "method not allowed", { allow: "GET, HEAD" });
  }
  const header = new Headers({
    ...served.header,
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "etag, x-typescript-types",
    // It changes with the server, and asking whether it has costs little.
    "cache-control": "public, no-cache",
    "cross-origin-resource-policy": "cross-origin",
    etag: served.etag,
    "x-content-type-options": "nosniff",
  });
  if (listsTag(request.header.get("if-none-match")?.replaceAll("W/", "") ?? null, served.etag)) {
    return { status: 304, header };
  }
  header.set("content-length", String(served.bytes.length));
  return { status: 200, header, body: request.method === "HEAD" ? undefined : createAsyncIterable([served.bytes]) };
}
