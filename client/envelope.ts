/**
 * Envelopes: how the Connect protocol frames the messages of a stream. A flags byte, four bytes of length (big-endian),
 * the message. See https://connectrpc.com/docs/protocol/#streaming-rpcs.
 *
 * @module
 */
import { Code, ConnectError } from "./deps.ts";
import { MAX_ITEM_BYTES } from "./limits.ts";
import { FieldWriter } from "./writer.ts";

/** Bytes of flags and length before each message. */
export const HEADER_BYTES = 5;

/**
 * Bytes of a body chunk: large enough that the cost of a chunk disappears, small enough to hold. It is also where Deno's
 * fetch splits: of 64 KiB and 4 bytes it makes two chunks.
 */
export const BATCH_BYTES = 64 * 1024;

/**
 * Bytes of one envelope in an answer. Receipts are small; a larger claim comes from something that is no Sluice server,
 * and must not fill memory.
 */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** From so many bytes on, data is a body chunk of its own: that costs less than copying it does. */
const ATTACHED_BYTES = 16 * 1024;

/** Writes envelopes one after the other, and hands them over in chunks that need not end where a message does. */
export class EnvelopeBatch extends FieldWriter {
  /** Bytes of whole envelopes that have not been taken. */
  #size = 0;
  /** What goes before `start`: data that was not copied, and what was written before it. */
  #attached: Uint8Array<ArrayBuffer>[] = [];
  #attachedBytes = 0;
  /** The message's header, if data has been attached since. */
  #header: Uint8Array | undefined;

  /** Whether there is enough for a body chunk. */
  get full(): boolean {
    return this.#size >= BATCH_BYTES;
  }

  get empty(): boolean {
    return this.#size === 0;
  }

  /** Begins a message; its fields follow. */
  begin(): void {
    this.reserve(HEADER_BYTES);
    this.at += HEADER_BYTES;
  }

  override data(tag: number, value: Uint8Array<ArrayBuffer>): void {
    if (value.length < ATTACHED_BYTES) return super.data(tag, value);
    this.dataHead(tag, value.length);
    const before = this.bytes.subarray(this.start, this.at);
    this.#header ??= before.subarray(this.#size - this.#attachedBytes);
    this.#attached.push(before, value);
    this.#attachedBytes += before.length + value.length;
    this.start = this.at;
  }

  /** Ends the message. @throws {RangeError} if it is larger than a server takes. */
  end(): void {
    const size = this.#attachedBytes + this.at - this.start;
    const length = size - this.#size - HEADER_BYTES;
    if (length > MAX_ITEM_BYTES) throw tooLarge(length);
    const header = this.#header ?? this.bytes;
    const at = this.#header === undefined ? this.start + this.#size - this.#attachedBytes : 0;
    header[at] = 0;
    header[at + 1] = length >>> 24;
    header[at + 2] = length >>> 16;
    header[at + 3] = length >>> 8;
    header[at + 4] = length;
    this.#header = undefined;
    this.#size = size;
  }

  /** Takes back a message that was begun and cannot be ended. Nothing may have been attached to it. */
  abandon(): void {
    this.at = this.start + this.#size - this.#attachedBytes;
  }

  /** The next chunk of whole messages, of at most {@linkcode BATCH_BYTES}. Its bytes are not written to again. */
  take(): Uint8Array<ArrayBuffer> {
    const chunk = this.#attached.length > 0 ? this.#takeAttached() : this.#takeWritten();
    this.#size -= chunk.length;
    return chunk;
  }

  #takeAttached(): Uint8Array<ArrayBuffer> {
    const [piece] = this.#attached;
    const chunk = piece.subarray(0, BATCH_BYTES);
    if (chunk.length === piece.length) this.#attached.shift();
    else this.#attached[0] = piece.subarray(chunk.length);
    this.#attachedBytes -= chunk.length;
    return chunk;
  }

  #takeWritten(): Uint8Array<ArrayBuffer> {
    const chunk = this.bytes.subarray(this.start, Math.min(this.start + BATCH_BYTES, this.at));
    this.start += chunk.length;
    return chunk;
  }
}

/** The error of an item that no server takes. */
export function tooLarge(bytes: number): RangeError {
  return new RangeError(`Cannot send an item of ${bytes} bytes: the limit is ${MAX_ITEM_BYTES}`);
}

/** One envelope of an answer. */
export interface Envelope {
  flags: number;
  data: Uint8Array;
}

/**
 * Takes the envelopes out of an answer's body; `onBytes` is told whenever something of it has come.
 *
 * @throws {ConnectError} `resource_exhausted` if one is too large, `unavailable` if the body ends inside of one.
 */
export async function* readEnvelopes(
  body: ReadableStream<Uint8Array>,
  onBytes?: () => void,
): AsyncGenerator<Envelope> {
  let rest: Uint8Array = new Uint8Array(0);
  const reader = body.getReader();
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) break;
      onBytes?.();
      rest = rest.length === 0 ? value : concat(rest, value);
      while (rest.length >= HEADER_BYTES) {
        const length = new DataView(rest.buffer, rest.byteOffset).getUint32(1);
        if (length > MAX_ANSWER_BYTES) {
          throw new ConnectError(
            `Cannot read a message of ${length} bytes: the limit is ${MAX_ANSWER_BYTES}`,
            Code.ResourceExhausted,
          );
        }
        if (rest.length < HEADER_BYTES + length) break;
        yield { flags: rest[0], data: rest.subarray(HEADER_BYTES, HEADER_BYTES + length) };
        rest = rest.subarray(HEADER_BYTES + length);
      }
    }
  } finally {
    // The one who stops reading early wants no more of it; a body that failed has told so already.
    reader.cancel().catch(() => {});
  }
  if (rest.length > 0) throw new ConnectError("The answer was cut inside of a message", Code.Unavailable);
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
