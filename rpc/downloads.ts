/**
 * `GET` and `HEAD /files/{id}`: a file by HTTP, with ETag, conditions and a range (RFC 9110, sections 13 and 14).
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import type { UniversalServerRequest, UniversalServerResponse } from "@connectrpc/connect/protocol";
import type { FileUploadService } from "../services/file_upload.ts";
import type { ByteRange } from "../store/types.ts";
import { listsTag, plain } from "./responses.ts";
import { TENANT } from "./router.ts";

export async function serveFile(
  files: Pick<FileUploadService, "openFile">,
  id: string,
  request: UniversalServerRequest,
): Promise<UniversalServerResponse> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return plain(405, "method not allowed", { allow: "GET, HEAD" });
  }
  let opened: Awaited<ReturnType<FileUploadService["openFile"]>>;
  try {
    opened = await files.openFile(id, { tenant: TENANT, signal: request.signal });
  } catch (error) {
    const { code, rawMessage } = ConnectError.from(error);
    if (code === Code.NotFound) return plain(404, rawMessage);
    return code === Code.Unavailable
      ? plain(503, rawMessage, { "retry-after": "1" })
      : plain(500, code === Code.DataLoss ? rawMessage : "internal error");
  }
  const { file, read } = opened;
  const etag = `"${file.sha256}"`;
  const header = new Headers({
    "accept-ranges": "bytes",
    "cache-control": "private, no-cache",
    "content-disposition": `attachment; filename*=UTF-8''${encodeExtValue(file.name)}`,
    "content-type": file.contentType,
    etag,
    "last-modified": new Date(file.createdAt).toUTCString(),
    // A file is what somebody sent; a browser must not take it for more than its type says.
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
  });
  const condition = request.header.get("if-match");
  if (condition !== null && !listsTag(condition, etag)) return plain(412, "precondition failed");
  // Here a weak tag is as good as a strong one.
  const known = request.header.get("if-none-match")?.replaceAll("W/", "") ?? null;
  if (listsTag(known, etag)) return { status: 304, header };

  const ifRange = request.header.get("if-range");
  const range = request.method === "GET" && (ifRange === null || ifRange === etag)
    ? parseRange(request.header.get("range"), file.size)
    : { start: 0, end: file.size };
  if (range === "unsatisfiable") {
    return plain(416, "range not satisfiable", { "content-range": `bytes */${file.size}` });
  }
  const partial = range.end - range.start !== file.size;
  header.set("content-length", String(range.end - range.start));
  if (partial) header.set("content-range", `bytes ${range.start}-${range.end - 1}/${file.size}`);
  return { status: partial ? 206 : 200, header, body: request.method === "HEAD" ? undefined : read(range) };
}

/** The one range asked for. Several, and what cannot be understood, count as none: RFC 9110, section 14.2, allows it. */
export function parseRange(header: string | null, size: number): ByteRange | "unsatisfiable" {
  const whole = { start: 0, end: size };
  const match = /^bytes=(\d{0,16})-(\d{0,16})$/i.exec(header?.replace(/\s/g, "") ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return whole;
  if (match[1] === "") {
    const suffix = Number(match[2]);
    return suffix === 0 || size === 0 ? "unsatisfiable" : { start: Math.max(size - suffix, 0), end: size };
  }
  const start = Number(match[1]);
  const end = match[2] === "" ? size : Math.min(Number(match[2]) + 1, size);
  if (match[2] !== "" && Number(match[2]) < start) return whole;
  return start >= size ? "unsatisfiable" : { start, end };
}

/** Percent-encoded as RFC 8187, section 3.2, has it. */
function encodeExtValue(text: string): string {
  return encodeURIComponent(text).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}
