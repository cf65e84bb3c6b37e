/**
 * Bodies cut into chunks as they come from a socket, and what the steps before a stage make of them.
 *
 * @module
 */
import type { BatchDecoder } from "../../decode/decoder.ts";
import { KIB, MAX_BATCH_BYTES, MAX_BATCH_ITEMS, MAX_MESSAGE_BYTES } from "../../limits.ts";
import { EnvelopeReader } from "../../rpc/ingest/envelopes.ts";

/** A frame of HTTP/2. */
const CHUNK_BYTES = 16 * KIB;

/** A message is `bytes` from `start` up to `end`. */
export interface Message {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

export function cut(body: Uint8Array): Uint8Array[] {
  return Array.from(
    { length: Math.ceil(body.length / CHUNK_BYTES) },
    (_, i) => body.slice(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES),
  );
}

/** Takes the messages out of the chunks; returns how many there are. */
export function frame(chunks: readonly Uint8Array[], onMessage?: (message: Message) => void): number {
  const reader = new EnvelopeReader(MAX_MESSAGE_BYTES);
  let count = 0;
  for (const chunk of chunks) {
    reader.push(chunk);
    while (reader.next()) {
      count++;
      onMessage?.({ bytes: reader.bytes, start: reader.start, end: reader.end });
    }
  }
  return count;
}

export function messagesOf(body: Uint8Array): Message[] {
  const messages: Message[] = [];
  frame(cut(body), (message) => messages.push(message));
  return messages;
}

/** Decodes messages into batches of the size that services get. */
export function decode<B>(messages: readonly Message[], decoder: BatchDecoder<B>, onBatch?: (batch: B) => void): void {
  for (const { bytes, start, end } of messages) {
    decoder.add(bytes, start, end);
    if (decoder.count >= MAX_BATCH_ITEMS || decoder.size >= MAX_BATCH_BYTES) {
      const batch = decoder.take();
      onBatch?.(batch);
    }
  }
  if (decoder.count > 0) {
    const batch = decoder.take();
    onBatch?.(batch);
  }
}

/** The batches of a body. Each is made by a decoder of its own, for a batch is valid until its decoder goes on. */
export function batchesOf<B>(messages: readonly Message[], createDecoder: () => BatchDecoder<B>): B[] {
  const batches: B[] = [];
  let from = 0;
  let count = 0;
  const counting = createDecoder();
  const end = () => {
    decode(messages.slice(from, count), createDecoder(), (batch) => batches.push(batch));
    from = count;
  };
  for (const message of messages) {
    counting.add(message.bytes, message.start, message.end);
    count++;
    if (counting.count >= MAX_BATCH_ITEMS || counting.size >= MAX_BATCH_BYTES) {
      counting.take();
      end();
    }
  }
  if (count > from) end();
  return batches;
}

/** Runs `step` so many times. */
export function times(step: () => void): (bodies: number) => void {
  return (bodies) => {
    for (let i = 0; i < bodies; i++) step();
  };
}

/** Runs `step` so many times, as many at once as there are streams in the bench. */
export function timesAtOnce(step: () => Promise<void>, atOnce: number): (bodies: number) => Promise<void> {
  return async (bodies) => {
    let left = bodies;
    await Promise.all(Array.from({ length: atOnce }, async () => {
      while (left-- > 0) await step();
    }));
  };
}
