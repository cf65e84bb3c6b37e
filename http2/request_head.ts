import { ErrorCode, StreamError } from "./errors.ts";

/** The head of a request, checked. */
export interface RequestHead {
  readonly method: string;
  readonly url: string;
  readonly header: Headers;
  /** -1 if `content-length` was not given. */
  readonly contentLength: number;
  readonly expectsContinue: boolean;
}

/** RFC 9113 section 8.2.2: fields of HTTP/1.1 connections, which make a message malformed. */
export const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/** RFC 9110 section 5.6.2, without upper case, which RFC 9113 section 8.2.1 forbids. */
const FIELD_NAME = /^[a-z0-9!#$%&'*+\-.^_`|~]+$/;
const METHOD = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/;
/** RFC 3986 section 3.1. */
const SCHEME = /^[A-Za-z][A-Za-z0-9+.\-]*$/;
/** RFC 9113 section 8.3.1 forbids user information; `/?#` and the like would make another URL of it. */
const AUTHORITY = /^[A-Za-z0-9\-._~%!$&'()*+,;=:[\]]+$/;
/** RFC 9113 section 8.3.1: a path and query, or `*` for OPTIONS. */
// deno-lint-ignore no-control-regex
const PATH = /^\/[^\x00-\x20\x7f#]*$/;
const DIGITS = /^[0-9]{1,15}$/;

/** RFC 9113 section 8.2.1: not allowed anywhere in a value; nor is white space at its ends. */
// deno-lint-ignore no-control-regex
const BAD_VALUE = /[\x00\r\n]|^[ \t]|[ \t]$/;

function malformed(what: string): StreamError {
  return new StreamError(ErrorCode.PROTOCOL_ERROR, `Cannot accept a malformed request: ${what}`);
}

function checkField(name: string, value: string): void {
  if (!FIELD_NAME.test(name)) throw malformed("a field name has a character that is not allowed");
  if (BAD_VALUE.test(value)) throw malformed(`the value of ${name} has a character that is not allowed`);
  if (CONNECTION_FIELDS.has(name)) throw malformed(`${name} belongs to HTTP/1.1`);
  if (name === "te" && value !== "trailers") throw malformed(`te is "${value}", and only "trailers" is allowed`);
}

/** The pseudo-header fields of a request (RFC 9113 section 8.3.1). */
interface Pseudo {
  ":method"?: string;
  ":scheme"?: string;
  ":authority"?: string;
  ":path"?: string;
}

/** Fields -> the head of a request. Throws a `StreamError` if it is malformed (RFC 9113 section 8.1.1). */
export function parseRequestHead(fields: readonly string[], fallbackAuthority: string): RequestHead {
  const pseudo: Pseudo = {};
  const header = new Headers();
  let cookies: string | undefined;
  let at = 0;
  // They come before all others, each once (section 8.3).
  for (; at < fields.length && fields[at].charCodeAt(0) === 0x3a; at += 2) {
    const name = fields[at];
    if (name !== ":method" && name !== ":scheme" && name !== ":authority" && name !== ":path") {
      throw malformed("it has an unknown pseudo-header field");
    }
    if (pseudo[name] !== undefined) throw malformed(`it has ${name} twice`);
    pseudo[name] = fields[at + 1];
  }
  for (; at < fields.length; at += 2) {
    const name = fields[at];
    const value = fields[at + 1];
    if (name.charCodeAt(0) === 0x3a) throw malformed("a pseudo-header field comes after another field");
    checkField(name, value);
    // Crumbs are put together again (section 8.2.3).
    if (name === "cookie") cookies = cookies === undefined ? value : `${cookies}; ${value}`;
    else header.append(name, value);
  }
  if (cookies !== undefined) header.set("cookie", cookies);
  return {
    method: pseudo[":method"] ?? "",
    url: requestUrl(pseudo, header.get("host"), fallbackAuthority),
    header,
    contentLength: contentLength(header),
    expectsContinue: header.get("expect")?.toLowerCase() === "100-continue",
  };
}

function requestUrl(pseudo: Pseudo, host: string | null, fallbackAuthority: string): string {
  const { ":method": method, ":scheme": scheme, ":path": path } = pseudo;
  if (method === undefined || !METHOD.test(method)) throw malformed("it has no valid :method");
  const authority = pseudo[":authority"] ?? host ?? fallbackAuthority;
  if (!AUTHORITY.test(authority)) throw malformed("it has no valid :authority");
  if (host !== null && host.toLowerCase() !== authority.toLowerCase()) {
    throw malformed("host is another than :authority");
  }
  if (method === "CONNECT") {
    // Section 8.5: it names an authority only.
    if (scheme !== undefined || path !== undefined || pseudo[":authority"] === undefined) {
      throw malformed("CONNECT takes :authority and neither :scheme nor :path");
    }
    return `http://${authority}/`;
  }
  if (scheme === undefined || !SCHEME.test(scheme)) throw malformed("it has no valid :scheme");
  if (path === undefined || !(PATH.test(path) || (path === "*" && method === "OPTIONS"))) {
    throw malformed("it has no valid :path");
  }
  return `${scheme}://${authority}${path === "*" ? "/*" : path}`;
}

function contentLength(header: Headers): number {
  const value = header.get("content-length");
  if (value === null) return -1;
  // RFC 9110 section 8.6: several equal values may be taken as one; `Headers` joins them with ", ".
  const values = value.split(",").map((part) => part.trim());
  if (!DIGITS.test(values[0]) || values.some((part) => part !== values[0])) {
    throw malformed(`content-length is "${value}"`);
  }
  return Number(values[0]);
}

/** Adds trailers to `trailer` (RFC 9113 section 8.1): fields, and no pseudo-header fields. */
export function parseTrailers(fields: readonly string[], trailer: Headers): void {
  for (let at = 0; at < fields.length; at += 2) {
    if (fields[at].charCodeAt(0) === 0x3a) throw malformed("its trailers have a pseudo-header field");
    checkField(fields[at], fields[at + 1]);
    trailer.append(fields[at], fields[at + 1]);
  }
}
