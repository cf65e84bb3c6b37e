/**
 * Takes messages out of the chunks of a body. All three protocols frame them alike: a byte of flags, four of length
 * (big-endian), the message. See https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md ("Length-Prefixed-Message").
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { overLimit, overloaded } from "../../errors.ts";

const HEADER_BYTES = 5;
/** How many times what has arrived there is room for: mostly enough for the rest, so that nothing is copied twice. */
const ROOM = 4;
const NOTHING = new Uint8Array(0);

/** Bytes of messages that have arrived in part, of all calls: what a client holds back must not fill memory. */
export class CarryBudget {
  #used = 0;

  /** @param limit Bytes at once. */
  constructor(private readonly limit: number) {}

  get used(): number {
    return this.#used;
  }

  /** Throws RESOURCE_EXHAUSTED, with RetryInfo, if there is no room. */
  consume(bytes: number): void {
    if (this.#used + bytes > this.limit) throw overloaded("Too much has arrived of messages that are not complete");
    this.#used += bytes;
  }

  release(bytes: number): void {
    this.#used -= bytes;
  }
}

/**
 * Messages that lie in one chunk are read where they are; one that goes over the end of a chunk is put together in a
 * buffer that grows with what has arrived, whatever its length claims.
 */
export class EnvelopeReader {
  /** The message that `next()` found is `bytes` from `start` up to `end`. */
  bytes: Uint8Array = NOTHING;
  start = 0;
  end = 0;
  flags = 0;

  #chunk = NOTHING;
  #at = 0;
  /** The beginning of an envelope whose end has not arrived. */
  #carry = NOTHING;
  #carried = 0;

  /**
   * @param maxBytes Bytes that a message may have.
   * @param budget What all calls together may hold of messages that have not arrived whole.
   */
  constructor(private readonly maxBytes: number, private readonly budget: CarryBudget = new CarryBudget(Infinity)) {}

  /** Adds a chunk; what was in the one before must have been taken. */
  push(chunk: Uint8Array): void {
    this.#chunk = chunk as Uint8Array<ArrayBuffer>;
    this.#at = 0;
  }

  /**
   * Goes to the next message; false if its end has not arrived. Throws RESOURCE_EXHAUSTED if it is too large.
   */
  next(): boolean {
    if (this.#carried > 0) return this.#nextCarried();
    const chunk = this.#chunk;
    const at = this.#at;
    const rest = chunk.length - at;
    let needed = HEADER_BYTES;
    if (rest >= HEADER_BYTES) {
      needed += this.#lengthAt(chunk, at);
      const end = at + needed;
      if (end <= chunk.length) {
        this.flags = chunk[at];
        this.bytes = chunk;
        this.start = at + HEADER_BYTES;
        this.#at = this.end = end;
        return true;
      }
    }
    if (rest > 0) this.#take(rest, needed);
    this.#forget();
    return false;
  }

  /** No more is read. */
  close(): void {
    this.budget.release(this.#carry.length);
    this.#carry = NOTHING;
    this.#carried = 0;
    this.#forget();
  }

  /** Throws INVALID_ARGUMENT if what has arrived ends inside of a message. */
  assertEnd(): void {
    if (this.#carried > 0) throw new ConnectError("the body ends inside of a message", Code.InvalidArgument);
  }

  #nextCarried(): boolean {
    if (this.#carried < HEADER_BYTES) this.#take(HEADER_BYTES - this.#carried, HEADER_BYTES);
    if (this.#carried >= HEADER_BYTES) {
      const needed = HEADER_BYTES + this.#lengthAt(this.#carry, 0);
      this.#take(needed - this.#carried, needed);
      if (this.#carried === needed) {
        this.flags = this.#carry[0];
        this.bytes = this.#carry;
        this.start = HEADER_BYTES;
        this.end = needed;
        // It belongs to whoever reads the message.
        this.budget.release(this.#carry.length);
        this.#carry = NOTHING;
        this.#carried = 0;
        return true;
      }
    }
    this.#forget();
    return false;
  }

  /** Moves up to `count` bytes from the chunk to what is carried, which will need `needed` bytes in all. */
  #take(count: number, needed: number): void {
    const part = this.#chunk.subarray(this.#at, this.#at + count);
    this.#at += part.length;
    const length = this.#carried + part.length;
    if (length > this.#carry.length) {
      const size = Math.max(length, Math.min(needed, length * ROOM));
      this.budget.consume(size - this.#carry.length);
      const larger = new Uint8Array(size);
      larger.set(this.#carry.subarray(0, this.#carried));
      this.#carry = larger;
    }
    this.#carry.set(part, this.#carried);
    this.#carried = length;
  }

  #lengthAt(bytes: Uint8Array, at: number): number {
    const length = bytes[at + 1] * 0x1000000 + (bytes[at + 2] << 16 | bytes[at + 3] << 8 | bytes[at + 4]);
    if (length > this.maxBytes) {
      throw overLimit(`Cannot accept a message of ${length} bytes: it may have ${this.maxBytes}`);
    }
    return length;
  }

  /** All of the chunk is taken; a stream that pauses is not to hold on to it. */
  #forget(): void {
    this.#chunk = this.bytes = NOTHING;
    this.#at = 0;
  }
}
