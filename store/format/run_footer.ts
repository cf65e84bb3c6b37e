/**
 * The footer of a run: where its segments are, and what may be in them. A run is a blob of segments, each in the envelope
 * of a KV value (value.ts), one after the other from the blob's beginning, and then this, in an envelope too.
 *
 * ```
 * count      varint
 * for each segment, in the order of the blob:
 *   length   varint       bytes, with the envelope
 *   of points, whose segments are sorted by metric, source and key of their series:
 *     min time    signed    ms since the epoch
 *     max time    varint    less min time
 *     samples     varint    0: it has rollups by hour (hour_rollups.ts) of the series in the samples around it
 *     first, last           the first and the last series, each as metric and source: string, string
 *   of logs, whose segments are sorted by time and are each of one hour:
 *     hour        varint    since the epoch
 *     index       bytes     log_index.ts
 *     filter      varint    bytes of the index, at its end, that its filter of words takes
 * ```
 *
 * @module
 */
import { ByteReader } from "./byte_reader.ts";
import { ByteWriter } from "./byte_writer.ts";
import { LogIndex } from "./log_index.ts";
import { DamagedError } from "./value.ts";

/** Where a segment lies in its run. */
export interface RunSegment {
  readonly offset: number;
  readonly length: number;
}

/** By what segments of points are sorted, as far as a footer says. */
export interface SeriesPlace {
  readonly metric: string;
  readonly source: string;
}

export interface PointRunSegment extends RunSegment {
  readonly minTime: number;
  readonly maxTime: number;
  /** 0 if it has rollups of hours. */
  readonly samples: number;
  readonly first: SeriesPlace;
  readonly last: SeriesPlace;
}

export interface LogRunSegment extends RunSegment {
  readonly hour: number;
  readonly index: LogIndex;
}

export function encodePointFooter(segments: readonly PointRunSegment[]): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter(segments.length * 64);
  out.varint(segments.length);
  for (const { length, minTime, maxTime, samples, first, last } of segments) {
    out.varint(length);
    out.signed(minTime);
    out.varint(maxTime - minTime);
    out.varint(samples);
    for (const { metric, source } of [first, last]) {
      out.string(metric);
      out.string(source);
    }
  }
  return out.finish();
}

/** @throws {DamagedError} If `bytes` is no footer. */
export function decodePointFooter(bytes: Uint8Array): PointRunSegment[] {
  const reader = new ByteReader(bytes);
  let offset = 0;
  const segments = Array.from({ length: reader.count(8) }, () => {
    const length = reader.varint();
    const minTime = reader.signed();
    const maxTime = minTime + reader.varint();
    const samples = reader.varint();
    const first = { metric: reader.string(), source: reader.string() };
    const last = { metric: reader.string(), source: reader.string() };
    const segment = { offset, length, minTime, maxTime, samples, first, last };
    offset += length;
    return segment;
  });
  reader.end();
  return segments;
}

/** A segment of logs on its way to a footer, which has its index encoded. */
export interface PackedLogSegment extends RunSegment {
  readonly hour: number;
  readonly index: Uint8Array;
  readonly bloomBytes: number;
}

export function encodeLogFooter(segments: readonly PackedLogSegment[]): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter(segments.reduce((sum, { index }) => sum + index.length + 16, 16));
  out.varint(segments.length);
  for (const { length, hour, index, bloomBytes } of segments) {
    out.varint(length);
    out.varint(hour);
    out.bytes(index);
    out.varint(bloomBytes);
  }
  return out.finish();
}

/** @throws {DamagedError} If `bytes` is no footer. */
export function decodeLogFooter(bytes: Uint8Array): LogRunSegment[] {
  const reader = new ByteReader(bytes);
  let offset = 0;
  const segments = Array.from({ length: reader.count(4) }, () => {
    const length = reader.varint();
    const hour = reader.varint();
    const index = new LogIndex(reader.bytes(), reader.varint());
    const segment = { offset, length, hour, index };
    offset += length;
    return segment;
  });
  reader.end();
  return segments;
}

/** The order of series in a run: by metric, source and key, in code units. */
export function compareSeries(a: SeriesPlace & { key: string }, b: SeriesPlace & { key: string }): number {
  return comparePlaces(a, b) || compareTexts(a.key, b.key);
}

/** The order of places. */
export function comparePlaces(a: SeriesPlace, b: SeriesPlace): number {
  return compareTexts(a.metric, b.metric) || compareTexts(a.source, b.source);
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** @throws {DamagedError} If the segments do not fill the run up to its footer. */
export function ensureFilled(segments: readonly RunSegment[], footer: number): void {
  const end = segments.reduce((sum, { length }) => sum + length, 0);
  if (end !== footer) throw new DamagedError(`Cannot use a run whose segments end at ${end} and not at ${footer}`);
}
