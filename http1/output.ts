import { RequestAborted } from "./errors.ts";
import type { Http1Socket } from "./types.ts";

const INITIAL_BYTES = 1_024;
const encoder = new TextEncoder();
/** RFC 9112 section 7.1: eight digits hold any chunk of a write buffer. */
const MAX_SIZE_LINE_BYTES = 10;
const CRLF_BYTES = 2;

/** What is to be sent, gathered into few writes. Bytes are copied, so that whoever gave them may use them again. */
export class Output {
  bytesSent = 0;
  /** Since when a write has been under way. */
  stalledSince: number | undefined;
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(INITIAL_BYTES);
  #length = 0;
  #interim: Promise<void> | undefined;

  constructor(readonly socket: Http1Socket, readonly maxBytes: number, readonly now: () => number) {}

  /** Characters up to 0xff, a byte each, as `Headers` has them (ISO 8859-1). */
  text(text: string): void {
    this.#reserve(text.length);
    const { read, written } = encoder.encodeInto(text, this.#buffer.subarray(this.#length));
    if (read !== text.length || written !== text.length) {
      for (let i = 0; i < text.length; i++) this.#buffer[this.#length + i] = text.charCodeAt(i);
    }
    this.#length += text.length;
  }

  /** Sends all of `bytes`; what does not fill the buffer waits for `flush()`. */
  async bytes(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const count = Math.min(bytes.length - at, Math.max(1, this.maxBytes - this.#length));
      this.#copy(bytes, at, count);
      at += count;
      if (this.#length >= this.maxBytes) await this.flush();
    }
  }

  /** Sends `bytes` as chunks (RFC 9112 section 7.1); what does not fill the buffer waits for `flush()`. */
  async chunks(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const room = this.maxBytes - this.#length - MAX_SIZE_LINE_BYTES - CRLF_BYTES;
      if (room <= 0) {
        await this.flush();
        continue;
      }
      const count = Math.min(bytes.length - at, room);
      this.text(`${count.toString(16)}\r\n`);
      this.#copy(bytes, at, count);
      this.text("\r\n");
      at += count;
      if (at < bytes.length) await this.flush();
    }
  }

  /** Sends an interim response, ahead of all that has not been flushed. It must not be called during `flush()`. */
  interim(text: string): Promise<void> {
    const before = this.#interim;
    return this.#interim = (async () => {
      await before;
      await this.#write(encoder.encode(text));
    })();
  }

  /** Resolves when the socket has taken all. Throws `RequestAborted` if it fails. */
  async flush(): Promise<void> {
    if (this.#interim) {
      await this.#interim;
      this.#interim = undefined;
    }
    const length = this.#length;
    this.#length = 0;
    await this.#write(this.#buffer.subarray(0, length));
  }

  async #write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) {
        this.stalledSince ??= this.now();
        const count = await this.socket.write(at === 0 ? bytes : bytes.subarray(at));
        at += count;
        this.bytesSent += count;
      }
    } catch (cause) {
      throw new RequestAborted("connection", "the client went away before it had the whole response", { cause });
    } finally {
      this.stalledSince = undefined;
    }
  }

  /** A large buffer is given back when a connection is idle. */
  shrink(): void {
    if (this.#buffer.length > INITIAL_BYTES && this.#length === 0) this.#buffer = new Uint8Array(INITIAL_BYTES);
  }

  #copy(bytes: Uint8Array, start: number, count: number): void {
    this.#reserve(count);
    this.#buffer.set(bytes.length === count ? bytes : bytes.subarray(start, start + count), this.#length);
    this.#length += count;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}
