import { ConnectionError, ErrorCode } from "../errors.ts";
import { Flag, FRAME_HEADER_BYTES, FrameType } from "./constants.ts";

/** What a connection without traffic holds: small, so that ten thousand idle connections cost 40 MB. */
const IDLE_BUFFER_BYTES = 4096;

/**
 * Bytes -> frames, incrementally. Pull style, so that no object is made per frame: after `next()` returned true, the
 * fields describe the frame and `buffer[start, end)` is its payload, valid until the next call of `space()`.
 *
 * A DATA frame is handed on in pieces as its bytes arrive (`first` and `last` mark them), without its padding; any other
 * frame only when it is complete. The buffer grows with what arrived, never with what a length field claims.
 */
export class FrameReader {
  buffer = new Uint8Array(IDLE_BUFFER_BYTES);
  /** Payload length of the current frame as the peer stated it; padding included. */
  length = 0;
  type = 0;
  flags = 0;
  streamId = 0;
  start = 0;
  end = 0;
  first = true;
  last = true;
  /** Of a DATA frame: bytes that count for flow control but are no data (RFC 9113 section 6.1). */
  overhead = 0;

  #read = 0;
  #filled = 0;
  #dataLeft = 0;
  #paddingLeft = 0;
  #inData = false;
  #tight = false;

  constructor(readonly maxFrameBytes: number, readonly maxBufferBytes: number) {}

  /** Where the next bytes of the connection go. A buffer that the last read filled is replaced with a larger one. */
  space(): Uint8Array<ArrayBuffer> {
    const rest = this.#filled - this.#read;
    let size = this.buffer.length;
    if (this.#tight || rest === size) {
      const most = Math.max(this.maxBufferBytes, this.maxFrameBytes + FRAME_HEADER_BYTES);
      size = Math.min(size * 4, most);
      this.#tight = false;
    }
    if (size !== this.buffer.length) {
      const larger = new Uint8Array(size);
      larger.set(this.buffer.subarray(this.#read, this.#filled));
      this.buffer = larger;
    } else if (rest > 0 && this.#read > 0) {
      this.buffer.copyWithin(0, this.#read, this.#filled);
    }
    this.#read = 0;
    this.#filled = rest;
    return rest === 0 ? this.buffer : this.buffer.subarray(rest);
  }

  /** Says that `count` bytes were written to what `space()` returned. */
  filled(count: number): void {
    this.#filled += count;
    this.#tight = this.#filled === this.buffer.length;
  }

  /** Gives a large buffer back while the connection has nothing to do. */
  shrink(): void {
    if (this.#read !== this.#filled || this.buffer.length === IDLE_BUFFER_BYTES) return;
    this.buffer = new Uint8Array(IDLE_BUFFER_BYTES);
    this.#read = this.#filled = 0;
    this.#tight = false;
  }

  /** Whether a frame other than DATA has begun and is not complete. */
  get partial(): boolean {
    return !this.#inData && this.#paddingLeft === 0 && this.#filled > this.#read;
  }

  /** Passes over `count` bytes that are no frame: the connection preface. False: they have not all arrived. */
  take(count: number): boolean {
    if (this.#filled - this.#read < count) return false;
    this.#read += count;
    return true;
  }

  /** The bytes that have arrived and are not taken yet. */
  peek(): Uint8Array {
    return this.buffer.subarray(this.#read, this.#filled);
  }

  /** Moves on to the next frame, or piece of a DATA frame. False: more bytes are needed. */
  next(): boolean {
    if (this.#inData) {
      if (this.#read === this.#filled) return false;
      this.first = false;
      this.#takeData();
      return true;
    }
    if (this.#paddingLeft > 0) {
      const skipped = Math.min(this.#paddingLeft, this.#filled - this.#read);
      this.#read += skipped;
      this.#paddingLeft -= skipped;
      if (this.#paddingLeft > 0) return false;
    }
    const available = this.#filled - this.#read;
    if (available < FRAME_HEADER_BYTES) return false;
    const b = this.buffer;
    const at = this.#read;
    this.length = b[at] << 16 | b[at + 1] << 8 | b[at + 2];
    this.type = b[at + 3];
    this.flags = b[at + 4];
    // The reserved bit is ignored (RFC 9113 section 4.1).
    this.streamId = (b[at + 5] & 0x7f) << 24 | b[at + 6] << 16 | b[at + 7] << 8 | b[at + 8];
    if (this.length > this.maxFrameBytes) {
      throw new ConnectionError(
        ErrorCode.FRAME_SIZE_ERROR,
        `Cannot read a frame of ${this.length} bytes: SETTINGS_MAX_FRAME_SIZE is ${this.maxFrameBytes}`,
      );
    }
    this.first = true;
    if (this.type === FrameType.DATA) return this.#beginData(available);
    const whole = FRAME_HEADER_BYTES + this.length;
    if (available < whole) return false;
    this.start = at + FRAME_HEADER_BYTES;
    this.end = at + whole;
    this.last = true;
    this.#read += whole;
    return true;
  }

  #beginData(available: number): boolean {
    let head = FRAME_HEADER_BYTES;
    let padding = 0;
    if (this.flags & Flag.PADDED) {
      if (this.length === 0) {
        throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, "Cannot read padded DATA: it has no pad length field");
      }
      if (available <= head) return false;
      padding = this.buffer[this.#read + head];
      head++;
      // RFC 9113 section 6.1: the padding may not be the length of the payload or more.
      if (padding >= this.length) {
        throw new ConnectionError(
          ErrorCode.PROTOCOL_ERROR,
          `Cannot read padded DATA: ${padding} bytes of padding in a payload of ${this.length}`,
        );
      }
    }
    this.#read += head;
    this.overhead = head - FRAME_HEADER_BYTES + padding;
    this.#dataLeft = this.length - this.overhead;
    this.#paddingLeft = padding;
    this.#inData = true;
    this.#takeData();
    return true;
  }

  #takeData(): void {
    const count = Math.min(this.#dataLeft, this.#filled - this.#read);
    this.start = this.#read;
    this.end = this.#read += count;
    this.#dataLeft -= count;
    this.last = this.#dataLeft === 0;
    this.#inData = !this.last;
  }
}
