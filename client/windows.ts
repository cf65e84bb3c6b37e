/**
 * Windows: what is not known to be committed of a stream, encoded, in runs of whole messages.
 *
 * @module
 */
import { HEADER_BYTES } from "./envelope.ts";

type Chunk = Uint8Array<ArrayBuffer>;

/** Some items of a stream in a row, as chunks of a body. A message may lie across chunks; the window has whole ones. */
export class Window {
  readonly chunks: Chunk[] = [];
  /** Of the chunks. */
  bytes = 0;
  /** Items in it; while it is being filled, also those that have not become a chunk. */
  items = 0;
  /** Nothing is added any more. */
  sealed = false;

  /** @param start sequence of its first item. */
  constructor(public start: number) {}

  /** Sequence of the item after its last. */
  get end(): number {
    return this.start + this.items;
  }

  push(chunk: Chunk): void {
    this.chunks.push(chunk);
    this.bytes += chunk.length;
  }

  /** Drops the items before this one, which must be among those in chunks, and says how many bytes these were. */
  dropTo(sequence: number): number {
    const { messages, bytes } = locate(this.chunks, (messages) => this.start + messages >= sequence);
    this.#cut(bytes);
    this.start += messages;
    this.items -= messages;
    return bytes;
  }

  /** Takes whole messages of at least so many bytes off its beginning, as a window of their own. It must be sealed. */
  split(bytes: number): Window {
    const at = locate(this.chunks, (_, passed) => passed >= bytes);
    const head = new Window(this.start);
    for (const chunk of this.#cut(at.bytes)) head.push(chunk);
    head.items = at.messages;
    head.sealed = true;
    this.start += at.messages;
    this.items -= at.messages;
    return head;
  }

  /** Takes so many bytes off the beginning. */
  #cut(bytes: number): Chunk[] {
    const head: Chunk[] = [];
    for (let left = bytes; left > 0;) {
      const [chunk] = this.chunks;
      head.push(chunk.subarray(0, left));
      if (chunk.length > left) this.chunks[0] = chunk.subarray(left);
      else this.chunks.shift();
      left -= Math.min(left, chunk.length);
    }
    this.bytes -= bytes;
    return head;
  }
}

/**
 * Where a message begins: goes from one to the next until `there` says so. It is done after failures only, so nothing
 * has to be remembered of each message when it is written.
 */
function locate(
  chunks: readonly Chunk[],
  there: (messages: number, bytes: number) => boolean,
): { messages: number; bytes: number } {
  let messages = 0;
  let bytes = 0;
  let chunk = 0;
  /** Of the chunk, in bytes of all. */
  let chunkStart = 0;
  const byteAt = (at: number): number => {
    while (at - chunkStart >= chunks[chunk].length) chunkStart += chunks[chunk++].length;
    return chunks[chunk][at - chunkStart];
  };
  const total = chunks.reduce((sum, { length }) => sum + length, 0);
  while (bytes < total && !there(messages, bytes)) {
    let length = 0;
    for (let i = 1; i < HEADER_BYTES; i++) length = length * 256 + byteAt(bytes + i);
    bytes += HEADER_BYTES + length;
    messages++;
  }
  return { messages, bytes };
}
