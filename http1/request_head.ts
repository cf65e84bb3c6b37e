import { allOf, AUTHORITY, CLASSES, isWord, SP, stringOf, TARGET, TOKEN } from "./bytes.ts";
import { Http1RequestError } from "./errors.ts";
import { FieldLines } from "./field_lines.ts";
import type { Input } from "./input.ts";
import type { Http1Limits } from "./limits.ts";

/** The head of a request, checked. */
export interface RequestHead {
  readonly method: string;
  readonly url: string;
  readonly httpVersion: "1.0" | "1.1";
  /** Whether the client lets the connection go on. */
  readonly keepAlive: boolean;
  /** -1 if it was not given. */
  readonly contentLength: number;
  readonly chunked: boolean;
  readonly expectsContinue: boolean;
  /** RFC 9110 section 10.1.4: it said `TE: trailers`. */
  readonly acceptsTrailers: boolean;
  /** All of its bytes, and where the fields are in them. */
  readonly bytes: Uint8Array;
  readonly fields: readonly number[];
  /** RFC 9112 section 3.2.2: the authority of an absolute target, which takes the place of `Host`. */
  readonly authority: string | undefined;
}

const DIGITS = /^[0-9]{1,15}$/;
const ABSOLUTE = /^https?:\/\/([^/?]*)(.*)$/is;
/** RFC 9112 section 2.3; case counts. */
const HTTP_SLASH = "HTTP/";

const enum Version {
  HTTP_1_0,
  HTTP_1_1,
}

/** Finds the heads of a connection's requests in its input (RFC 9112 sections 2 to 6). */
export class RequestParser {
  readonly #lines = new FieldLines();
  readonly #fieldLimits;
  #method = "";
  #target = "";
  #version = Version.HTTP_1_1;
  #started = false;
  #blankLines = 0;
  #host: string | undefined;
  #contentLength = -1;
  #chunked = false;
  #hasTransferEncoding = false;
  #connection = "";
  #expectsContinue = false;
  #te = "";
  /** Where the head begins in the buffer, while fields are taken. */
  #buffer: Uint8Array = new Uint8Array(0);

  constructor(readonly limits: Http1Limits, readonly scheme: "http" | "https") {
    this.#fieldLimits = { maxBytes: limits.maxHeadBytes, maxFields: limits.maxHeaders, what: "the head" };
  }

  /** Whether part of a request has arrived. */
  partial(input: Input): boolean {
    return this.#started || input.length > 0;
  }

  /** The next head, then taken from `input`; undefined if there is not all of it. Throws `Http1RequestError`. */
  parse(input: Input): RequestHead | undefined {
    const { buffer, end } = input;
    if (!this.#started && !this.#requestLine(input)) return undefined;
    const { start } = input;
    this.#buffer = buffer;
    if (!this.#lines.takeFields(buffer, start, end, this.#fieldLimits, this.#onField)) return undefined;
    const head = this.#finish(buffer.slice(start, start + this.#lines.taken), this.#lines.fields);
    input.start += this.#lines.taken;
    this.#reset();
    return head;
  }

  #reset(): void {
    this.#lines.reset();
    this.#started =
      this.#chunked =
      this.#hasTransferEncoding =
      this.#expectsContinue =
        false;
    this.#blankLines = 0;
    this.#contentLength = -1;
    this.#host = undefined;
    this.#connection = this.#te = "";
  }

  #requestLine(input: Input): boolean {
    const { maxRequestLineBytes } = this.limits;
    for (;;) {
      const { buffer, start, end } = input;
      const lineEnd = this.#lines.next(buffer, start, end, maxRequestLineBytes);
      if (lineEnd < 0) return false;
      if (lineEnd + 2 > maxRequestLineBytes) {
        throw new Http1RequestError(414, `the request line has more than ${maxRequestLineBytes} bytes`);
      }
      if (lineEnd > 0) {
        this.#parseRequestLine(buffer, start, start + lineEnd);
        this.#lines.take(lineEnd);
        this.#started = true;
        return true;
      }
      // RFC 9112 section 2.2: an empty line before the request is a known fault of clients, and harmless once.
      if (++this.#blankLines > 1) throw new Http1RequestError(400, "there are empty lines before the request");
      input.start += 2;
      this.#lines.reset();
    }
  }

  /** RFC 9112 section 3: exactly one space between the parts. */
  #parseRequestLine(buffer: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end && (CLASSES[buffer[at]] & TOKEN) !== 0) at++;
    if (at === start || at === end || buffer[at] !== SP) throw new Http1RequestError(400, "the method is malformed");
    this.#method = methodOf(buffer, start, at);
    const target = ++at;
    while (at < end && (CLASSES[buffer[at]] & TARGET) !== 0) at++;
    if (at === target || at === end || buffer[at] !== SP) {
      throw new Http1RequestError(400, "the request target is malformed");
    }
    this.#target = stringOf(buffer, target, at);
    this.#version = versionOf(buffer, at + 1, end);
  }

  readonly #onField = (name: number, nameEnd: number, value: number, valueEnd: number): void => {
    const buffer = this.#buffer;
    switch (nameEnd - name) {
      case 2:
        if (isWord(buffer, name, nameEnd, "te")) this.#te += `,${stringOf(buffer, value, valueEnd)}`;
        break;
      case 4:
        if (isWord(buffer, name, nameEnd, "host")) this.#takeHost(value, valueEnd);
        break;
      case 6:
        if (isWord(buffer, name, nameEnd, "expect")) this.#takeExpect(value, valueEnd);
        break;
      case 10:
        if (isWord(buffer, name, nameEnd, "connection")) this.#connection += `,${stringOf(buffer, value, valueEnd)}`;
        break;
      case 14:
        if (isWord(buffer, name, nameEnd, "content-length")) this.#takeContentLength(value, valueEnd);
        break;
      case 17:
        if (isWord(buffer, name, nameEnd, "transfer-encoding")) this.#takeTransferEncoding(value, valueEnd);
        break;
    }
  };

  #takeHost(start: number, end: number): void {
    if (this.#host !== undefined) throw new Http1RequestError(400, "there is more than one host field");
    if (!allOf(this.#buffer, start, end, AUTHORITY)) throw new Http1RequestError(400, "the host field is malformed");
    this.#host = stringOf(this.#buffer, start, end);
  }

  /** RFC 9110 section 10.1.1. */
  #takeExpect(start: number, end: number): void {
    if (stringOf(this.#buffer, start, end).toLowerCase() !== "100-continue") {
      throw new Http1RequestError(417, "the expect field asks for something other than 100-continue");
    }
    this.#expectsContinue = true;
  }

  /** RFC 9112 section 6.3: even equal values, if there are two, come from something that is confused. */
  #takeContentLength(start: number, end: number): void {
    const text = stringOf(this.#buffer, start, end);
    if (this.#contentLength >= 0 || !DIGITS.test(text)) {
      throw new Http1RequestError(400, "content-length is not one number");
    }
    this.#contentLength = Number(text);
  }

  #takeTransferEncoding(start: number, end: number): void {
    if (this.#hasTransferEncoding) throw new Http1RequestError(400, "there is more than one transfer-encoding field");
    this.#hasTransferEncoding = true;
    if (stringOf(this.#buffer, start, end).toLowerCase() !== "chunked") {
      throw new Http1RequestError(501, "the transfer-encoding is not chunked");
    }
    this.#chunked = true;
  }

  #finish(bytes: Uint8Array, fields: readonly number[]): RequestHead {
    const old = this.#version === Version.HTTP_1_0;
    // RFC 9112 section 6.1: both together are how requests are smuggled, and 1.0 does not know the first.
    if (this.#chunked && this.#contentLength >= 0) {
      throw new Http1RequestError(400, "there are both transfer-encoding and content-length");
    }
    if (this.#chunked && old) throw new Http1RequestError(400, "there is a transfer-encoding in HTTP/1.0");
    // RFC 9112 section 3.2.
    if (this.#host === undefined && !old) throw new Http1RequestError(400, "there is no host field");
    const options = this.#connection === "" ? [] : listOf(this.#connection);
    const { url, authority } = this.#url();
    return {
      method: this.#method,
      url,
      authority,
      httpVersion: old ? "1.0" : "1.1",
      // RFC 9112 section 9.3.
      keepAlive: !options.includes("close") && (!old || options.includes("keep-alive")),
      contentLength: this.#contentLength,
      chunked: this.#chunked,
      expectsContinue: this.#expectsContinue && !old,
      acceptsTrailers: !old && this.#te !== "" && listOf(this.#te).includes("trailers"),
      bytes,
      fields,
    };
  }

  /** RFC 9112 sections 3.2 and 3.3: the forms of a target, and the URL they mean. */
  #url(): { url: string; authority: string | undefined } {
    const target = this.#target;
    const base = `${this.scheme}://${this.#host || "localhost"}`;
    if (this.#method === "CONNECT") throw new Http1RequestError(501, "CONNECT is not served");
    if (target.charCodeAt(0) === 0x2f) return { url: base + target, authority: undefined };
    if (target === "*" && this.#method === "OPTIONS") return { url: `${base}/*`, authority: undefined };
    const parts = ABSOLUTE.exec(target);
    const authority = parts?.[1] ?? "";
    if (!parts || !/^[A-Za-z0-9\-._~%!$&'()*+,;=:[\]]+$/.test(authority)) {
      throw new Http1RequestError(400, "the request target is malformed");
    }
    return { url: parts[2] === "" ? `${target}/` : target, authority };
  }
}

function methodOf(buffer: Uint8Array, start: number, end: number): string {
  if (end - start === 3 && buffer[start] === 0x47 && buffer[start + 1] === 0x45 && buffer[start + 2] === 0x54) {
    return "GET";
  }
  return stringOf(buffer, start, end);
}

function versionOf(buffer: Uint8Array, start: number, end: number): Version {
  const malformed = new Http1RequestError(400, "the HTTP version is malformed");
  if (end - start !== 8) throw malformed;
  for (let i = 0; i < HTTP_SLASH.length; i++) if (buffer[start + i] !== HTTP_SLASH.charCodeAt(i)) throw malformed;
  const major = buffer[start + 5] - 0x30;
  const minor = buffer[start + 7] - 0x30;
  if (buffer[start + 6] !== 0x2e || major < 0 || major > 9 || minor < 0 || minor > 9) throw malformed;
  if (major === 1 && minor === 1) return Version.HTTP_1_1;
  if (major === 1 && minor === 0) return Version.HTTP_1_0;
  throw new Http1RequestError(505, "the HTTP version is neither 1.0 nor 1.1");
}

/** RFC 9110 section 5.6.1; parameters are dropped. */
function listOf(text: string): string[] {
  return text.toLowerCase().split(",").map((part) => part.split(";", 1)[0].trim());
}
