import { FRAMING_FIELDS } from "./chunked.ts";
import type { Http1Response } from "./types.ts";

/** What of a response decides how it is sent. */
export interface ResponseHead {
  /** The handler's fields, each with its line end. */
  readonly fields: string;
  readonly hasDate: boolean;
  /** -1 if it was not given. */
  readonly contentLength: number;
  /** The handler said `connection: close`. */
  readonly close: boolean;
}

/** RFC 9110 section 15, for people who look at the wire; RFC 9112 section 4 has clients ignore it. */
const REASONS: Readonly<Record<number, string>> = {
  100: "Continue",
  103: "Early Hints",
  200: "OK",
  201: "Created",
  202: "Accepted",
  204: "No Content",
  206: "Partial Content",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  412: "Precondition Failed",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  417: "Expectation Failed",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};

/** What is not allowed in a value (RFC 9110 section 5.5): with a line end, a handler's input could become a field. */
const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
const BAD_NAME = /[^A-Za-z0-9!#$%&'*+\-.^_`|~]/;
const NO_FIELDS: ResponseHead = { fields: "", hasDate: false, contentLength: -1, close: false };

export function statusLine(status: number): string {
  return `HTTP/1.1 ${status} ${REASONS[status] ?? ""}\r\n`;
}

/** Throws if the handler's response cannot be sent as it is. */
export function responseHead(response: Http1Response): ResponseHead {
  const { status, header } = response;
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError(`Cannot send a response: its status is ${status}`);
  }
  if (!header) return NO_FIELDS;
  let fields = "";
  let hasDate = false;
  let contentLength = -1;
  let close = false;
  header.forEach((value, name) => {
    switch (name) {
      case "connection":
        close ||= value.toLowerCase().split(",").some((option) => option.trim() === "close");
        return;
      case "content-length":
        contentLength = contentLengthOf(value);
        return;
      // How the message is framed is our affair.
      case "keep-alive":
      case "proxy-connection":
      case "transfer-encoding":
      case "upgrade":
        return;
      case "date":
        hasDate = true;
    }
    fields += fieldLine(name, value);
  });
  return { fields, hasDate, contentLength, close };
}

/** The fields of trailers (RFC 9110 section 6.5.1), each with its line end. */
export function trailerFields(trailer: Headers): string {
  let fields = "";
  trailer.forEach((value, name) => {
    if (!FRAMING_FIELDS.has(name)) fields += fieldLine(name, value);
  });
  return fields;
}

/** The fields of an interim response. */
export function interimFields(header: Headers | undefined): string {
  return header ? trailerFields(header) : "";
}

function fieldLine(name: string, value: string): string {
  if (BAD_NAME.test(name) || BAD_VALUE.test(value)) {
    throw new TypeError(`Cannot send the field ${JSON.stringify(name)}: its value is ${JSON.stringify(value)}`);
  }
  return `${name}: ${value}\r\n`;
}

function contentLengthOf(value: string): number {
  if (!/^[0-9]{1,15}$/.test(value)) {
    throw new RangeError(`Cannot send a response: its content-length is ${JSON.stringify(value)}`);
  }
  return Number(value);
}
