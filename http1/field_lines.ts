import { allOf, CLASSES, CR, HTAB, LF, SP, stringOf, TOKEN, VALUE } from "./bytes.ts";
import { Http1RequestError } from "./errors.ts";

/** How far lines may go, and what is said if they go further. */
export interface LineLimits {
  maxBytes: number;
  maxFields: number;
  /** What has the limits, for the error. */
  what: string;
}

/**
 * Lines of a head or of trailers, as they arrive: what is complete is checked at once, and no byte is looked at twice
 * however the input is split. Fields are kept as offsets from the first line's start.
 */
export class FieldLines {
  /** For each field: start and end of its name, start and end of its value. */
  fields: number[] = [];
  /** Bytes of the lines taken so far. */
  taken = 0;
  #scanned = 0;

  reset(): void {
    this.fields = [];
    this.taken = this.#scanned = 0;
  }

  /**
   * The end of the next line, without CRLF, from the start of all lines; -1 if it has not arrived. RFC 9112 section 2.2
   * would let us take a single LF for the end of a line; what reads it otherwise could then be deceived.
   */
  next(buffer: Uint8Array, start: number, end: number, maxBytes: number): number {
    const lf = buffer.indexOf(LF, start + this.#scanned);
    if (lf < 0 || lf >= end) {
      this.#scanned = end - start;
      if (this.#scanned > maxBytes) return this.#scanned;
      return -1;
    }
    const lineEnd = lf - start - 1;
    if (lineEnd + 2 > maxBytes) return lineEnd + 2;
    if (lineEnd < this.taken || buffer[lf - 1] !== CR) {
      throw new Http1RequestError(400, "a line does not end with CRLF");
    }
    this.#scanned = lineEnd + 2;
    return lineEnd;
  }

  /** Takes the line that ends at `lineEnd`. */
  take(lineEnd: number): void {
    this.taken = lineEnd + 2;
  }

  /**
   * Takes field lines up to the empty one; true if that has arrived. RFC 9112 section 5.1: no white space before the
   * colon; section 5.2: no line folding.
   */
  takeFields(
    buffer: Uint8Array,
    start: number,
    end: number,
    limits: LineLimits,
    onField: (name: number, nameEnd: number, value: number, valueEnd: number) => void,
  ): boolean {
    for (;;) {
      const lineEnd = this.next(buffer, start, end, limits.maxBytes);
      if (lineEnd < 0) return false;
      if (lineEnd + 2 > limits.maxBytes) {
        throw new Http1RequestError(431, `${limits.what} has more than ${limits.maxBytes} bytes`);
      }
      const name = start + this.taken;
      const stop = start + lineEnd;
      if (name === stop) {
        this.take(lineEnd);
        return true;
      }
      let nameEnd = name;
      while (nameEnd < stop && (CLASSES[buffer[nameEnd]] & TOKEN) !== 0) nameEnd++;
      if (nameEnd === name || nameEnd === stop || buffer[nameEnd] !== 0x3a) {
        throw new Http1RequestError(400, "a field has a name that is not allowed");
      }
      let value = nameEnd + 1;
      let valueEnd = stop;
      while (value < valueEnd && (buffer[value] === SP || buffer[value] === HTAB)) value++;
      while (valueEnd > value && (buffer[valueEnd - 1] === SP || buffer[valueEnd - 1] === HTAB)) valueEnd--;
      if (!allOf(buffer, value, valueEnd, VALUE)) {
        throw new Http1RequestError(400, "a field has a value that is not allowed");
      }
      if (this.fields.length >= limits.maxFields * 4) {
        throw new Http1RequestError(431, `${limits.what} has more than ${limits.maxFields} fields`);
      }
      this.fields.push(name - start, nameEnd - start, value - start, valueEnd - start);
      onField(name, nameEnd, value, valueEnd);
      this.take(lineEnd);
    }
  }
}

/** Adds fields to `target`; `bytes` begins where the offsets do. */
export function appendFields(target: Headers, bytes: Uint8Array, fields: readonly number[]): void {
  const text = stringOf(bytes, 0, bytes.length);
  for (let i = 0; i < fields.length; i += 4) {
    target.append(text.substring(fields[i], fields[i + 1]), text.substring(fields[i + 2], fields[i + 3]));
  }
}
