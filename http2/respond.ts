import { ErrorCode } from "./errors.ts";
import type { Outbound } from "./outbound.ts";
import { CONNECTION_FIELDS, type RequestHead } from "./request_head.ts";
import type { Stream } from "./stream.ts";
import type { Http2Handler, Http2Request, Http2Response } from "./types.ts";

/** RFC 9110 section 6.4.1: these statuses have no content, whatever the handler gave; nor has an answer to HEAD. */
const BODILESS: ReadonlySet<number> = new Set([204, 304]);
const EMPTY = new Uint8Array(0);

/** What a response needs of its connection. */
export interface ResponseOwner {
  readonly outbound: Outbound;
  readonly handler: Http2Handler;
  /** Value of the `date` field, which RFC 9110 section 6.6.1 asks for. */
  date(): string;
  /** The response is complete. */
  responseEnded(stream: Stream): void;
  /** The response cannot be completed. */
  responseFailed(stream: Stream, code: ErrorCode, message: string): void;
  report(error: unknown, request: Http2Request): void;
}

/** What the handler is given. */
export function requestOf(
  outbound: Outbound,
  stream: Stream,
  head: RequestHead,
  remoteAddr: Deno.Addr,
): Http2Request {
  return {
    httpVersion: "2.0",
    method: head.method,
    url: head.url,
    header: head.header,
    body: stream.body,
    trailer: stream.trailer,
    signal: stream.signal,
    remoteAddr,
    inform: (status, header) => inform(outbound, stream, status, header),
  };
}

/** Runs the handler of one request and sends what it answers. Never rejects. */
export async function respond(owner: ResponseOwner, stream: Stream, request: Http2Request): Promise<void> {
  let response: Http2Response | undefined;
  try {
    response = await owner.handler(request);
    if (!Number.isInteger(response.status) || response.status < 200 || response.status > 599) {
      throw new RangeError(`Cannot send a response: its status is ${response.status}`);
    }
    if (stream.closed) return await cancelBody(response);
    const bodiless = request.method === "HEAD" || BODILESS.has(response.status);
    if (await send(owner, stream, response, bodiless)) owner.responseEnded(stream);
    if (bodiless) await cancelBody(response);
  } catch (error) {
    // A handler that stops because its request was aborted has done nothing wrong.
    if (stream.closed && (error === stream.signal.reason || isAbort(error))) return;
    owner.report(error, request);
    if (stream.closed) return;
    if (stream.headersSent) {
      owner.responseFailed(stream, ErrorCode.INTERNAL_ERROR, "the handler failed");
    } else {
      // The client learns nothing of the error.
      stream.headersSent = true;
      owner.outbound.headers(stream, [[":status", "500"], ["date", owner.date()]], true);
      owner.responseEnded(stream);
    }
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === "AbortError" || error.name === "Http2RequestAborted");
}

/** False: the stream was closed before END_STREAM. */
async function send(
  owner: ResponseOwner,
  stream: Stream,
  response: Http2Response,
  bodiless: boolean,
): Promise<boolean> {
  const { outbound } = owner;
  const { status, header, body } = response;
  const fields: [string, string][] = [[":status", String(status)]];
  if (header) appendFields(header, fields);
  if (!header?.has("date")) fields.push(["date", owner.date()]);
  const only = bodiless || (!body && isEmpty(response.trailer));
  stream.headersSent = true;
  outbound.headers(stream, fields, only);
  if (only) return true;
  if (body) {
    const iterator = body[Symbol.asyncIterator]();
    for (;;) {
      const { done, value } = await iterator.next();
      if (done) break;
      const sent = value.length > 0 ? outbound.data(stream, value) : undefined;
      if (sent) await sent;
      if (stream.closed) {
        await iterator.return?.();
        return false;
      }
    }
    if (stream.closed) return false;
  }
  const room = outbound.data(stream, EMPTY);
  if (room) {
    await room;
    if (stream.closed) return false;
  }
  const trailers: [string, string][] = [];
  // Only now: the handler may have filled it while the body was sent.
  if (response.trailer) appendFields(response.trailer, trailers);
  if (trailers.length > 0) outbound.headers(stream, trailers, true);
  else outbound.endStream(stream);
  return true;
}

function isEmpty(headers: Headers | undefined): boolean {
  if (!headers) return true;
  for (const _ of headers) return false;
  return true;
}

/** `Headers` has names in lower case already, and values without line ends. */
function appendFields(headers: Headers, fields: [string, string][]): void {
  headers.forEach((value, name) => {
    if (!CONNECTION_FIELDS.has(name)) fields.push([name, value]);
  });
}

/** Tells a body that nobody will read it, so that it can let go of what it holds. */
async function cancelBody(response: Http2Response): Promise<void> {
  await response.body?.[Symbol.asyncIterator]().return?.();
}

/** Sends an interim response (RFC 9110 section 15.2). 101 is not of HTTP/2 (RFC 9113 section 8.6). */
export function inform(outbound: Outbound, stream: Stream, status: number, header?: Headers): void {
  if (!Number.isInteger(status) || status < 100 || status > 199 || status === 101) {
    throw new RangeError(`Cannot send an interim response: its status is ${status}`);
  }
  if (stream.closed || stream.headersSent) return;
  const fields: [string, string][] = [[":status", String(status)]];
  if (header) appendFields(header, fields);
  outbound.headers(stream, fields, false);
}
