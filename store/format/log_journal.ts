/**
 * An entry of the journal of logs: which segments one commit has stored of a tenant, for those who follow.
 *
 * ```
 * count     varint
 * for each: hour varint, segment id string
 * ```
 *
 * @module
 */
import { ByteReader } from "./byte_reader.ts";
import { ByteWriter } from "./byte_writer.ts";

/** Where a segment is. */
export interface JournalSegment {
  readonly hour: number;
  readonly id: string;
}

export function encodeJournal(segments: readonly JournalSegment[]): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter(16 + segments.length * 32);
  out.varint(segments.length);
  for (const { hour, id } of segments) {
    out.varint(hour);
    out.string(id);
  }
  return out.finish();
}

/** @throws {DamagedError} If `bytes` is none. */
export function decodeJournal(bytes: Uint8Array): JournalSegment[] {
  const reader = new ByteReader(bytes);
  const segments = Array.from({ length: reader.count(2) }, () => ({ hour: reader.varint(), id: reader.string() }));
  reader.end();
  return segments;
}
