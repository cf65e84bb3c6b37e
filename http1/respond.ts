import type { RequestBody } from "./body.ts";
import type { Output } from "./output.ts";
import type { RequestHead } from "./request_head.ts";
import { type ResponseHead, responseHead, statusLine, trailerFields } from "./response_head.ts";
import type { Http1Response } from "./types.ts";

/** RFC 9110 section 6.4.1: these statuses have no content, whatever the handler gave; nor has an answer to HEAD. */
const BODILESS: ReadonlySet<number> = new Set([204, 304]);
/** Turns of the microtask queue that the first bytes of a body have to come along with the head. */
const GATHER_TURNS = 12;
/** Bytes of a body beyond which nothing more is gathered. */
const GATHER_BYTES = 65_536;

/** What a response needs of its connection. */
export interface ResponseOwner {
  readonly output: Output;
  readonly date: string;
  /** Whether the server wants the connection to end with this response. */
  readonly closing: boolean;
  /** The final head is about to be sent. */
  headSent(): void;
}

/** A response that failed when its head was not sent yet, so that another can be sent in its place. */
export class UnsentResponse extends Error {
  override readonly name = "Http1UnsentResponse";
}

/** How the end of a body is told (RFC 9112 section 6.3). */
type Framing = "none" | "length" | "chunked" | "close";

/** Sends a response. True: the connection may go on. Throws `UnsentResponse`, or what made it stop half-way. */
export async function sendResponse(
  owner: ResponseOwner,
  request: RequestHead,
  requestBody: RequestBody,
  response: Http1Response,
): Promise<boolean> {
  let head: ResponseHead;
  try {
    head = responseHead(response);
  } catch (cause) {
    void cancel(response.body);
    throw new UnsentResponse("the response is not valid", { cause });
  }
  const bodiless = request.method === "HEAD" || BODILESS.has(response.status);
  const { body } = response;
  const trailers = request.acceptsTrailers ? response.trailer : undefined;
  const reader = body && !bodiless ? new BodyReader(body) : undefined;
  if (bodiless) void cancel(body);
  await reader?.gather();
  let length = head.contentLength;
  // All of it is known, so the client may know its length too.
  if (length < 0 && (!reader || reader.done) && !(trailers && reader)) length = reader?.bytes ?? 0;
  const framing = framingOf(request, response.status, bodiless, length);
  const keepAlive = framing !== "close" && request.keepAlive && !owner.closing && !head.close &&
    (requestBody.complete || requestBody.pulling) && !requestBody.failed;
  writeHead(owner, request, response.status, head, framing, length, bodiless, keepAlive);
  owner.headSent();
  try {
    if (reader) await sendBody(owner.output, reader, framing, length);
    if (framing === "chunked") owner.output.text(`0\r\n${trailers ? trailerFields(trailers) : ""}\r\n`);
    await owner.output.flush();
  } catch (error) {
    void reader?.cancel();
    throw error;
  }
  return keepAlive;
}

function framingOf(request: RequestHead, status: number, bodiless: boolean, length: number): Framing {
  if (bodiless) return "none";
  if (length >= 0) return "length";
  return request.httpVersion === "1.1" && status >= 200 ? "chunked" : "close";
}

function writeHead(
  owner: ResponseOwner,
  request: RequestHead,
  status: number,
  head: ResponseHead,
  framing: Framing,
  length: number,
  bodiless: boolean,
  keepAlive: boolean,
): void {
  let text = statusLine(status) + head.fields;
  if (!head.hasDate) text += `date: ${owner.date}\r\n`;
  // RFC 9110 section 8.6: never with 204; with 304 and HEAD what it would have been, if the handler knows that.
  const told = bodiless ? (status === 204 ? -1 : head.contentLength) : length;
  if (told >= 0) text += `content-length: ${told}\r\n`;
  if (framing === "chunked") text += "transfer-encoding: chunked\r\n";
  if (!keepAlive) text += "connection: close\r\n";
  else if (request.httpVersion === "1.0") text += "connection: keep-alive\r\n";
  owner.output.text(`${text}\r\n`);
}

async function sendBody(output: Output, reader: BodyReader, framing: Framing, length: number): Promise<void> {
  let sent = 0;
  for (;;) {
    for (const chunk of reader.gathered.splice(0)) {
      sent += chunk.length;
      if (framing === "length" && sent > length) {
        throw new RangeError(`Cannot send a response: its body is longer than its content-length of ${length}`);
      }
      if (framing === "chunked") await output.chunks(chunk);
      else await output.bytes(chunk);
    }
    if (reader.done) break;
    await output.flush();
    await reader.read();
  }
  if (framing === "length" && sent < length) {
    throw new RangeError(`Cannot send a response: its body has ${sent} bytes, and its content-length is ${length}`);
  }
}

/** Pulls a response's body. */
class BodyReader {
  readonly gathered: Uint8Array[] = [];
  /** Bytes so far. */
  bytes = 0;
  done = false;
  readonly #iterator: AsyncIterator<Uint8Array>;
  #pending: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(body: AsyncIterable<Uint8Array>) {
    this.#iterator = body[Symbol.asyncIterator]();
  }

  /**
   * Pulls what is there at once, so that a small response is one write and its length is known; what takes longer is
   * not waited for.
   */
  async gather(): Promise<void> {
    for (let turn = 0; turn < GATHER_TURNS && !this.done && !this.#failure && this.bytes < GATHER_BYTES; turn++) {
      this.#pending ??= this.#pull();
      await undefined;
    }
    if (this.#failure) throw new UnsentResponse("the body of the response failed", { cause: this.#failure.error });
  }

  /** Pulls once more. */
  async read(): Promise<void> {
    this.#pending ??= this.#pull();
    await this.#pending;
    if (this.#failure) throw this.#failure.error;
  }

  /** Tells the body that nobody will read it, so that it can let go of what it holds. Never rejects. */
  async cancel(): Promise<void> {
    if (this.done || this.#failure) return;
    try {
      await this.#iterator.return?.();
    } catch {
      // Nobody is left to be told.
    }
  }

  /** Never rejects. */
  async #pull(): Promise<void> {
    try {
      const { done, value } = await this.#iterator.next();
      if (done) this.done = true;
      else if (value.length > 0) {
        this.gathered.push(value);
        this.bytes += value.length;
      }
    } catch (error) {
      this.#failure = { error };
    }
    this.#pending = undefined;
  }
}

async function cancel(body: AsyncIterable<Uint8Array> | undefined): Promise<void> {
  try {
    await body?.[Symbol.asyncIterator]().return?.();
  } catch {
    // Nobody is left to be told.
  }
}
