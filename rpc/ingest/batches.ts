/**
 * The body of a client-streaming call as batches: a chunk of the body is decoded as a whole, with no promise and no object
 * for each message, and what has arrived makes one batch.
 *
 * @module
 */
import { AbortableWait } from "../../abortable.ts";
import type { BatchDecoder } from "../../decode/decoder.ts";
import { MAX_BATCH_BYTES, MAX_BATCH_ITEMS } from "../../limits.ts";
import type { EnvelopeReader } from "./envelopes.ts";

/** Turns of the microtask queue after which a chunk that had arrived before it was asked for is here. */
const TURNS_TO_HERE = 4;

export interface BatchesOptions<B> {
  readonly decoder: BatchDecoder<B>;
  readonly envelopes: EnvelopeReader;
  /** Whether a message with these flags is to be passed over. */
  isSkipped(flags: number): boolean;
  /** The message in protobuf's binary format if it is not so as it stands there: compressed, or JSON. Else undefined. */
  convert(envelope: EnvelopeReader): Promise<Uint8Array> | undefined;
  readonly signal: AbortSignal;
}

/**
 * Yields what has arrived since the last batch was taken. Reads ahead by at most one chunk while the consumer is busy.
 * Throws what the body or a decoder throws, after what came before it; and the reason of `signal` when that aborts, for a
 * client that neither sends nor ends would outlast every deadline.
 */
export async function* readBatches<B>(
  body: AsyncIterable<Uint8Array>,
  { decoder, envelopes, isSkipped, convert, signal }: BatchesOptions<B>,
): AsyncGenerator<B> {
  const chunks = new Chunks(body, signal);
  try {
    for (;;) {
      const chunk = await chunks.next();
      if (chunk === undefined) break;
      envelopes.push(chunk);
      while (envelopes.next()) {
        if (isSkipped(envelopes.flags)) continue;
        const converting = convert(envelopes);
        if (converting === undefined) {
          decoder.add(envelopes.bytes, envelopes.start, envelopes.end);
        } else {
          const message = await converting;
          decoder.add(message, 0, message.length);
        }
        if (decoder.count >= MAX_BATCH_ITEMS || decoder.size >= MAX_BATCH_BYTES) yield decoder.take();
      }
      if (decoder.count > 0 && !await chunks.isHere()) yield decoder.take();
    }
    envelopes.assertEnd();
  } catch (error) {
    if (decoder.count > 0) yield decoder.take();
    throw error;
  } finally {
    chunks.stop();
    envelopes.close();
  }
  if (decoder.count > 0) yield decoder.take();
}

/** The chunks of a body, each asked for while the one before is being used. */
class Chunks {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #wait: AbortableWait;
  #next: Promise<IteratorResult<Uint8Array>> | undefined;
  #isHere = false;

  constructor(body: AsyncIterable<Uint8Array>, signal: AbortSignal) {
    this.#iterator = body[Symbol.asyncIterator]();
    this.#wait = new AbortableWait(signal);
  }

  /** The next chunk; undefined at the end. */
  async next(): Promise<Uint8Array | undefined> {
    const result = await this.#wait.for(this.#next ?? this.#iterator.next());
    if (result.done) return undefined;
    this.#isHere = false;
    const here = () => {
      this.#isHere = true;
    };
    this.#next = this.#iterator.next();
    this.#next.then(here, here);
    return result.value;
  }

  /** Whether the next chunk, or the end, is here already. */
  async isHere(): Promise<boolean> {
    for (let turn = 0; turn < TURNS_TO_HERE && !this.#isHere; turn++) await undefined;
    return this.#isHere;
  }

  /** No more is wanted. */
  stop(): void {
    this.#wait.end();
    this.#iterator.return?.().catch(() => {});
  }
}
