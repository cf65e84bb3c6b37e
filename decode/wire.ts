/**
 * Reading the protobuf wire format, strictly: what runs past its end is refused, whatever length it claims, and nothing
 * is allocated by a claim. See https://protobuf.dev/programming-guides/encoding/.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";

export const VARINT = 0;
export const I64 = 1;
export const LEN = 2;
const START_GROUP = 3;
const END_GROUP = 4;
const I32 = 5;

/** A varint of so many bytes is exact as a double. */
export const MAX_EXACT_VARINT_BYTES = 7;

/** Groups inside of groups that are skipped: protobuf's usual limit. Each is a call on the stack. */
const MAX_GROUP_DEPTH = 100;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Up to this length a loop over bytes beats a call of TextDecoder. */
const SHORT_TEXT = 24;

/** The bytes are no message of the type that they were sent as. */
export function malformed(reason: string): ConnectError {
  return new ConnectError(`malformed message: ${reason}`, Code.InvalidArgument);
}

/** Text from UTF-8. Throws INVALID_ARGUMENT if it is none. */
export function decodeText(bytes: Uint8Array, from: number, to: number): string {
  if (to - from <= SHORT_TEXT) {
    let text = "";
    let at = from;
    for (; at < to && bytes[at] < 0x80; at++) text += String.fromCharCode(bytes[at]);
    if (at === to) return text;
  }
  try {
    return decoder.decode(bytes.subarray(from, to));
  } catch {
    throw malformed("a string is not valid UTF-8");
  }
}

/** A place in a message. Every method throws INVALID_ARGUMENT where the bytes do not go on as they must. */
export class WireReader {
  /** Of the tag that was read last. */
  field = 0;
  wireType = 0;

  /** Reads `bytes` from `at` up to `end`. */
  constructor(readonly bytes: Uint8Array, public at: number, readonly end: number) {}

  /** Reads the next tag into `field` and `wireType`; false at the end of the message. */
  next(): boolean {
    if (this.at === this.end) return false;
    const start = this.at;
    let tag = 0;
    for (let shift = 0;; shift += 7) {
      const byte = this.#byte();
      tag |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
      if (shift === 28) throw malformed("a tag has more than 32 bits");
    }
    if (this.at - start === 5 && this.bytes[this.at - 1] > 0x0f) throw malformed("a tag has more than 32 bits");
    this.field = tag >>> 3;
    this.wireType = tag & 7;
    if (this.field === 0 || this.wireType > I32) {
      throw malformed(`there is no field ${this.field} of type ${this.wireType}`);
    }
    return true;
  }

  /** A varint, modulo 2^64 as an int64. */
  int64(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, value);
    }
    throw malformed("a varint has more than 10 bytes");
  }

  double(): number {
    const at = this.#take(8);
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + at, 8).getFloat64(0, true);
  }

  /** Moves behind a string, bytes or a message, and returns how long it is. */
  delimited(): number {
    let length = this.#byte();
    if (length >= 0x80) {
      this.at--;
      length = Number(BigInt.asUintN(64, this.int64()));
    }
    this.#take(length);
    return length;
  }

  string(): string {
    const length = this.delimited();
    return decodeText(this.bytes, this.at - length, this.at);
  }

  /** A view, not a copy. */
  view(): Uint8Array {
    const length = this.delimited();
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** Another reader, of the message that stands here; moves behind it. */
  message(): WireReader {
    const length = this.delimited();
    return new WireReader(this.bytes, this.at - length, this.at);
  }

  /** Passes over the field whose tag was read last. */
  skip(depth = 0): void {
    switch (this.wireType) {
      case VARINT:
        this.int64();
        break;
      case I64:
        this.#take(8);
        break;
      case LEN:
        this.delimited();
        break;
      case START_GROUP:
        this.#skipGroup(depth);
        break;
      case I32:
        this.#take(4);
        break;
      default:
        throw malformed("a group ends that did not begin");
    }
  }

  #skipGroup(depth: number): void {
    const { field } = this;
    if (depth === MAX_GROUP_DEPTH) throw malformed(`groups are nested more than ${MAX_GROUP_DEPTH} deep`);
    while (this.next()) {
      if (this.wireType !== END_GROUP) {
        this.skip(depth + 1);
        continue;
      }
      if (this.field !== field) throw malformed(`the group ${field} ends as ${this.field}`);
      return;
    }
    throw malformed("a group does not end");
  }

  #byte(): number {
    return this.bytes[this.#take(1)];
  }

  #take(count: number): number {
    const at = this.at;
    if (count > this.end - at) throw malformed(`it has ${this.end - at} bytes left where ${count} must follow`);
    this.at = at + count;
    return at;
  }
}

/** A map's entry of two strings; what is missing is empty. */
export function readTextEntry(entry: WireReader): [key: string, value: string] {
  let key = "", value = "";
  while (entry.next()) {
    if (entry.field === 1 && entry.wireType === LEN) key = entry.string();
    else if (entry.field === 2 && entry.wireType === LEN) value = entry.string();
    else entry.skip();
  }
  return [key, value];
}
