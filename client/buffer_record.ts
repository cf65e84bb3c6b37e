/**
 * Records of a buffer's segment files. A segment is {@linkcode SEGMENT_HEADER} and then records, little-endian:
 *
 * | bytes | what |
 * |---|---|
 * | 4 | {@linkcode MAGIC} |
 * | 4 | CRC-32 (that of zlib) of the record from here on |
 * | 4 | length of the envelopes |
 * | 4 | how many items these are |
 * | 4 | how many bytes of the segment were durable when this record was written |
 * | length | envelopes of whole messages, as they go into a body |
 *
 * The last number tells a torn tail from damage. Writes go to the disk one after the other, each synced before the next
 * begins. So where a record is broken and a sound one further on knows that this place was durable, it is damage; where
 * there is none, the broken one was being written when the machine stopped, and nobody was told that it is saved.
 *
 * @module
 */
import type { Block } from "./buffer_store.ts";

/** Begins each segment; the number is that of the format. */
export const SEGMENT_HEADER: Uint8Array<ArrayBuffer> = new TextEncoder().encode("sluice-buffer-1\n");

/** Bytes of a record before its envelopes. */
export const RECORD_BYTES = 20;

/** Begins each record: "SLBR". */
const MAGIC = 0x52424c53;

/** The CRC-32 of bytes, going on from that of those before them. */
export type Crc32 = (bytes: Uint8Array, before?: number) => number;

/** What goes before a block's envelopes. */
export function recordHead({ items, bytes }: Block, durable: number, crc32: Crc32): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(RECORD_BYTES);
  const view = new DataView(head.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(8, bytes.length, true);
  view.setUint32(12, items, true);
  view.setUint32(16, durable, true);
  view.setUint32(4, crc32(bytes, crc32(head.subarray(8))), true);
  return head;
}

/** A record that lies in some bytes. */
export interface FoundRecord extends Block {
  durable: number;
  /** Where the next one begins. */
  next: number;
}

/** How many bytes the record there has, by what its head says; undefined if not even that is there. */
export function recordLength(bytes: Uint8Array<ArrayBuffer>, at: number): number | undefined {
  if (at + RECORD_BYTES > bytes.length) return undefined;
  return RECORD_BYTES + new DataView(bytes.buffer, bytes.byteOffset).getUint32(at + 8, true);
}

/** The record at a place; undefined if there is no sound one. */
export function readRecord(bytes: Uint8Array<ArrayBuffer>, at: number, crc32: Crc32): FoundRecord | undefined {
  const next = at + (recordLength(bytes, at) ?? Infinity);
  if (next > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at);
  if (view.getUint32(0, true) !== MAGIC) return undefined;
  if (view.getUint32(4, true) !== crc32(bytes.subarray(at + 8, next))) return undefined;
  return {
    items: view.getUint32(12, true),
    durable: view.getUint32(16, true),
    bytes: bytes.subarray(at + RECORD_BYTES, next),
    next,
  };
}

/** What there is in the segment that was written last. */
export interface Tail {
  items: number;
  /** Where its sound records end. */
  length: number;
  /** Whether what follows was durable once, and so is damaged. */
  damaged: boolean;
}

/** Looks through the segment that was written last. */
export function scanTail(bytes: Uint8Array<ArrayBuffer>, crc32: Crc32): Tail {
  let items = 0;
  let length = SEGMENT_HEADER.length;
  for (let record; (record = readRecord(bytes, length, crc32)) !== undefined; length = record.next) {
    items += record.items;
  }
  let damaged = false;
  const first = MAGIC & 0xff;
  for (let at = bytes.indexOf(first, length); at >= 0 && !damaged; at = bytes.indexOf(first, at + 1)) {
    damaged = (readRecord(bytes, at, crc32)?.durable ?? 0) > length;
  }
  return { items, length, damaged };
}

/** CRC-32 in JavaScript, where node:zlib has none (Node before 20.15). */
export const slowCrc32: Crc32 = (bytes, before = 0) => {
  let crc = ~before;
  for (let i = 0; i < bytes.length; i++) crc = crc >>> 8 ^ CRC_TABLE[(crc ^ bytes[i]) & 0xff];
  return ~crc >>> 0;
};

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >>> 1 ^ 0xedb88320 : crc >>> 1;
  return crc;
});
