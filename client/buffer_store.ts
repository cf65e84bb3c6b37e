/**
 * Where an offline buffer lies: a log of encoded items that grows at its end and is dropped at its beginning, and a
 * small record of the streams that they belong to. There is one in files (buffer_files.ts) and one in IndexedDB
 * (buffer_idb.ts).
 *
 * Positions number the items of a buffer from 0, over all its streams; an item's sequence in its stream is its position
 * less the position at which the stream begins.
 *
 * @module
 */
import { Code } from "./deps.ts";
import { HEADER_BYTES } from "./envelope.ts";
import { SluiceError } from "./errors.ts";
import { MAX_ITEM_BYTES } from "./limits.ts";

/** Items in a row, as whole envelopes: see envelope.ts. */
export interface Block {
  items: number;
  bytes: Uint8Array<ArrayBuffer>;
}

/** A stream that items of a buffer go out on. All numbers but times are positions. */
export interface StoredStream {
  id: string;
  /** When the id was made, ms since the epoch. */
  begun: number;
  /** Of its first item. */
  base: number;
  /** Everything before it is known to be committed. */
  committed: number;
  /** Nothing from it on was ever handed to a transport. */
  handed: number;
  /** A window was on its way when this was written: everything that is in the buffer may have been handed over. */
  open: boolean;
  /** Where it ends, once that is settled: the server may have been told. */
  end?: number;
}

/** What is kept beside the items. */
export interface BufferMeta {
  format: 1;
  /** What the items are. */
  kind: string;
  /** URLs of the server that they are for. */
  server: string;
  /** Items before this position were durable when this was written: where they are missing, that is damage. */
  saved: number;
  /** In the order in which they are sent. */
  streams: StoredStream[];
}

/** A buffer that has been opened, by its only owner. Every failure is a SluiceError whose reason is `buffer`. */
export interface BufferStore {
  /** Undefined in a new one. */
  meta: BufferMeta | undefined;
  /** Position of the first item that is kept. */
  readonly first: number;
  /** Position of the item after the last. */
  readonly end: number;
  /** What it takes, with everything around the items. */
  readonly bytes: number;
  /** Adds blocks at its end; resolves when they are durable. Never two at once. */
  append(blocks: readonly Block[]): Promise<void>;
  /**
   * Items from `position` on: at least one, up to about `maxBytes`, none from `until` on. There must be some.
   */
  read(position: number, maxBytes: number, until: number): Promise<Block>;
  /** What is before `position` is not wanted any more; it is dropped when that is cheap. */
  drop(position: number): Promise<void>;
  /** Resolves when it is durable. */
  setMeta(meta: BufferMeta): Promise<void>;
  /** Gives it back, and leaves all of it, or only its record, or nothing. */
  close(leave: "all" | "record" | "nothing"): Promise<void>;
}

/** Takes whole messages off the beginning of some. */
export function skipMessages(bytes: Uint8Array<ArrayBuffer>, count: number): Uint8Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  for (let i = 0; i < count; i++) at += HEADER_BYTES + view.getUint32(at + 1);
  return bytes.subarray(at);
}

/**
 * Puts an empty message in the place of each that is larger than a server takes, and says so: the server refuses that one
 * alone and counts it in its receipt, and the items after it keep their sequence.
 */
export function emptyTooLarge({ items, bytes }: Block, onEmptied: (index: number, length: number) => void): Block {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kept: Block[] = [];
  let from = 0;
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const length = view.getUint32(at + 1);
    if (length > MAX_ITEM_BYTES) {
      onEmptied(index, length);
      kept.push({ items: 0, bytes: bytes.subarray(from, at) }, { items: 0, bytes: new Uint8Array(HEADER_BYTES) });
      from = at + HEADER_BYTES + length;
    }
    at += HEADER_BYTES + length;
  }
  return joinBlocks([...kept, { items, bytes: bytes.subarray(from) }]);
}

/** Blocks in a row, as one. */
export function joinBlocks(blocks: readonly Block[]): Block {
  if (blocks.length === 1) return blocks[0];
  const bytes = new Uint8Array(blocks.reduce((sum, { bytes }) => sum + bytes.length, 0));
  let at = 0;
  let items = 0;
  for (const block of blocks) {
    bytes.set(block.bytes, at);
    at += block.bytes.length;
    items += block.items;
  }
  return { items, bytes };
}

/** Whether a stored record has the shape of one. */
export function isMeta(value: unknown): value is BufferMeta {
  const meta = value as BufferMeta | undefined;
  return meta?.format === 1 && typeof meta.kind === "string" && typeof meta.server === "string" &&
    Number.isSafeInteger(meta.saved) && Array.isArray(meta.streams) && meta.streams.length > 0 &&
    meta.streams.every(isStream);
}

function isStream(stream: StoredStream): boolean {
  const { id, begun, base, committed, handed, open, end } = stream;
  return typeof id === "string" && typeof open === "boolean" && Number.isFinite(begun) &&
    [base, committed, handed, end ?? 0].every((position) => Number.isSafeInteger(position) && position >= 0) &&
    base <= committed && base <= handed;
}

/** The error of a buffer that cannot be used: it is another's, it is damaged, its disk is full. */
export function bufferError(message: string, { code = Code.Internal, cause }: { code?: Code; cause?: unknown } = {}) {
  return new SluiceError(message, { code, reason: "buffer", retryable: false, cause });
}

/** Makes what the platform throws the error of a buffer. */
export async function asBufferError<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw bufferError(`Cannot ${what}: ${message}`, { cause: error });
  }
}
