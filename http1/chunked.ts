import { CLASSES, CR, LF, VALUE } from "./bytes.ts";
import { Http1RequestError } from "./errors.ts";
import { FieldLines } from "./field_lines.ts";
import type { Input } from "./input.ts";
import type { Http1Limits } from "./limits.ts";

/**
 * Where in a chunked body the decoder is (RFC 9112 section 7.1):
 *
 * SIZE -> [EXTENSION ->] SIZE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE
 *                              \-> TRAILERS (after the last chunk, of size 0) -> DONE
 */
const enum At {
  SIZE,
  EXTENSION,
  SIZE_LF,
  DATA,
  DATA_CR,
  DATA_LF,
  TRAILERS,
  DONE,
}

/** More digits than any size that a number holds exactly; zeros in front do not count. */
const MAX_SIZE = Number.MAX_SAFE_INTEGER;
/** Up to this length a loop moves bytes sooner than a call. */
const SHORT = 48;

/** What a decoder found: the body's bytes are `from` to `to` in the buffer, and it has gone up to `next`. */
export interface Found {
  from: number;
  to: number;
  next: number;
}

/**
 * Decodes a chunked body in place: the data of all chunks of one read is moved together, so that many small chunks cost
 * one copy and are handed out as one.
 */
export class ChunkedDecoder {
  #at = At.SIZE;
  #size = 0;
  #digits = 0;
  #lineBytes = 0;
  #extensionBytes = 0;
  readonly #lines = new FieldLines();
  readonly #trailerLimits;

  constructor(readonly limits: Http1Limits) {
    this.#trailerLimits = {
      maxBytes: limits.maxTrailerBytes,
      maxFields: limits.maxTrailers,
      what: "the trailer section",
    };
  }

  get done(): boolean {
    return this.#at === At.DONE;
  }

  /** Offsets of the trailers' fields, in the bytes that end at what was found last. */
  get trailerFields(): readonly number[] {
    return this.#lines.fields;
  }

  get trailerBytes(): number {
    return this.#lines.taken;
  }

  /** Decodes what `input` holds, and does not take it. Throws `Http1RequestError`. */
  decode(input: Input): Found {
    const { buffer, start, end } = input;
    let at = start;
    let from = start;
    let to = start;
    while (at < end) {
      switch (this.#at) {
        case At.DATA: {
          const count = Math.min(this.#size, end - at);
          if (to === from) from = to = at;
          else move(buffer, to, at, count);
          to += count;
          at += count;
          this.#size -= count;
          if (this.#size === 0) this.#at = At.DATA_CR;
          break;
        }
        case At.DATA_CR:
          expectByte(buffer[at++], CR);
          this.#at = At.DATA_LF;
          break;
        case At.DATA_LF:
          expectByte(buffer[at++], LF);
          this.#at = At.SIZE;
          break;
        case At.TRAILERS: {
          const over = this.#lines.takeFields(buffer, at, end, this.#trailerLimits, refuseFraming(buffer));
          if (!over) return { from, to, next: at };
          this.#at = At.DONE;
          return { from, to, next: at + this.#lines.taken };
        }
        case At.DONE:
          return { from, to, next: at };
        default:
          at = this.#sizeLine(buffer, at, end);
      }
    }
    return { from, to, next: at };
  }

  #sizeLine(buffer: Uint8Array, start: number, end: number): number {
    for (let at = start; at < end;) {
      const byte = buffer[at++];
      if (++this.#lineBytes > this.limits.maxChunkLineBytes) {
        throw new Http1RequestError(400, `a chunk's size line has more than ${this.limits.maxChunkLineBytes} bytes`);
      }
      if (this.#at === At.SIZE_LF) {
        expectByte(byte, LF);
        this.#endSizeLine();
        return at;
      }
      if (this.#at === At.SIZE) {
        const digit = hexDigit(byte);
        if (digit >= 0) {
          this.#digits++;
          this.#size = this.#size * 16 + digit;
          if (this.#size > MAX_SIZE) throw new Http1RequestError(400, "a chunk's size is too large");
          continue;
        }
        // RFC 9112 section 7.1.1 allows "bad white space" here; who sends it is up to no good.
        if (this.#digits === 0 || (byte !== CR && byte !== 0x3b)) {
          throw new Http1RequestError(400, "a chunk's size is malformed");
        }
        this.#at = At.EXTENSION;
      }
      if (byte === CR) this.#at = At.SIZE_LF;
      else if ((CLASSES[byte] & VALUE) === 0) throw new Http1RequestError(400, "a chunk's extension is malformed");
    }
    return end;
  }

  #endSizeLine(): void {
    const { maxChunkExtensionBytes } = this.limits;
    this.#extensionBytes += this.#lineBytes - this.#digits - 2;
    if (this.#extensionBytes > maxChunkExtensionBytes) {
      throw new Http1RequestError(400, `chunk extensions have more than ${maxChunkExtensionBytes} bytes`);
    }
    this.#extensionBytes = Math.max(0, this.#extensionBytes - this.#size);
    this.#at = this.#size > 0 ? At.DATA : At.TRAILERS;
    this.#lineBytes = this.#digits = 0;
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function expectByte(byte: number, expected: number): void {
  if (byte !== expected) throw new Http1RequestError(400, "a chunk does not end with CRLF");
}

function move(buffer: Uint8Array, to: number, from: number, count: number): void {
  if (count > SHORT) buffer.copyWithin(to, from, from + count);
  else for (let i = 0; i < count; i++) buffer[to + i] = buffer[from + i];
}

/** RFC 9110 section 6.5.1: fields that frame or route a message have no place behind it. */
function refuseFraming(buffer: Uint8Array): (name: number, nameEnd: number) => void {
  return (name, nameEnd) => {
    const text = String.fromCharCode(...buffer.subarray(name, Math.min(nameEnd, name + 18))).toLowerCase();
    if (FRAMING_FIELDS.has(text)) throw new Http1RequestError(400, `${text} is not allowed in trailers`);
  };
}

export const FRAMING_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
