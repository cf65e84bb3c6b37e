/**
 * Envelopes: how the Connect protocol frames the messages of a stream. A flags byte, four bytes of length (big-endian),
 * the message. See https://connectrpc.com/docs/protocol/#streaming-rpcs.
 *
 * @module
 */
import { Code, ConnectError } from "./deps.ts";

/** Bytes of flags and length before each message. */
const HEADER_BYTES = 5;

/**
 * Bytes of a body chunk: large enough that the cost of a chunk disappears, small enough to hold. It is also where Deno's
 * fetch splits: of 64 KiB and 4 bytes it makes two chunks.
 */
export const BATCH_BYTES = 64 * 1024;

/** Room beyond that, so that the message that crosses the line seldom makes the buffer grow. */
const SLACK_BYTES = 4 * 1024;

/**
 * Bytes of one envelope in an answer. Receipts are small; a larger claim comes from something that is no Sluice server,
 * and must not fill memory.
 */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** Writes envelopes one after the other, and hands them over in chunks that need not end where a message does. */
export class EnvelopeBatch {
  #buffer = new Uint8Array(0);
  /** What lies from #start to #end has been added and not been taken. */
  #start = 0;
  #end = 0;

  /** Whether there is enough for a body chunk. */
  get full(): boolean {
    return this.#end - this.#start >= BATCH_BYTES;
  }

  get empty(): boolean {
    return this.#end === this.#start;
  }

  /** Adds one message. */
  add(message: Uint8Array): void {
    this.#reserve(HEADER_BYTES + message.length);
    const buffer = this.#buffer;
    const at = this.#end;
    buffer[at] = 0;
    buffer[at + 1] = message.length >>> 24;
    buffer[at + 2] = message.length >>> 16;
    buffer[at + 3] = message.length >>> 8;
    buffer[at + 4] = message.length;
    buffer.set(message, at + HEADER_BYTES);
    this.#end = at + HEADER_BYTES + message.length;
  }

  /** The next chunk, of at most {@linkcode BATCH_BYTES}. Its bytes are not written to again. */
  take(): Uint8Array<ArrayBuffer> {
    const from = this.#start;
    this.#start = Math.min(from + BATCH_BYTES, this.#end);
    return this.#buffer.subarray(from, this.#start);
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#buffer.length) return;
    const rest = this.#buffer.subarray(this.#start, this.#end);
    this.#buffer = new Uint8Array(Math.max(rest.length + bytes, BATCH_BYTES + SLACK_BYTES));
    this.#buffer.set(rest);
    this.#start = 0;
    this.#end = rest.length;
  }
}

/** One envelope of an answer. */
export interface Envelope {
  flags: number;
  data: Uint8Array;
}

/**
 * Takes the envelopes out of an answer's body.
 *
 * @throws {ConnectError} `resource_exhausted` if one is too large, `unavailable` if the body ends inside of one.
 */
export async function* readEnvelopes(body: ReadableStream<Uint8Array>): AsyncGenerator<Envelope> {
  let rest: Uint8Array = new Uint8Array(0);
  const reader = body.getReader();
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) break;
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
