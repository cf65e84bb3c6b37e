/**
 * A segment of log entries, in the order of time and then id, in columns and compressed.
 *
 * ```
 * raw bytes     varint     of what follows
 * body          zstd
 *   count       varint
 *   origins     varint count, then each as string
 *   names       varint count, then each as string: applications and field names
 *   min time    signed     ms since the epoch
 *   columns, each with one number an entry:
 *     times         varint    less the time before
 *     origins       varint    index; left out if there is only one origin
 *     ordinals      signed    less the ordinal before, less 1: all 0 in a segment that is new
 *     applications  varint    index of its name
 *     levels        u8
 *     field counts  varint
 *   field names varint     of each field of each entry: index of its name
 *   lengths     varint     in UTF-16 code units, of each text: messages, then field values by name
 *   texts       UTF-8, the rest: the texts, with a line feed between each two
 * ```
 *
 * An entry's id is the origin, which is the ULID of the commit that first stored it, and its ordinal there. The segment
 * has both as columns, so that compaction can merge segments and keep ids; where they are regular they compress to
 * almost nothing. All texts are one string, which is decoded at once; the values of a field stand together,
 * for they are alike.
 *
 * @module
 */
import { constants, zstdCompressSync } from "node:zlib";
import { MAX_BLOOM_BYTES, MAX_SEGMENT_BYTES, MAX_SEGMENT_RAW_BYTES } from "../../limits.ts";
import { ByteWriter } from "./byte_writer.ts";
import type { LogColumns } from "./log_columns.ts";
import { place, type Placed } from "./log_id.ts";
import { encodeLogIndex } from "./log_index.ts";

const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
/** Between texts: a line feed. */
const SEPARATOR = 0x0a;
/** Up to this length a loop over bytes beats a call of set(). */
const SHORT_TEXT = 40;
/** Entries of a segment. Empty ones compress so well that the limit of bytes would let in very many. */
export const MAX_SEGMENT_ENTRIES = 65_536;

/** A segment with its index, made by `packLogSegments()`. */
export interface PackedLogs {
  readonly segment: Uint8Array<ArrayBuffer>;
  /** See log_index.ts. */
  readonly index: Uint8Array<ArrayBuffer>;
  /** ms since the epoch, of the earliest and of the latest entry. */
  readonly minTime: number;
  readonly maxTime: number;
  readonly count: number;
}

/**
 * Encodes entries as one segment, of whatever size; see `packLogSegments()`.
 *
 * @param columns Entries in any order. Those that have an id keep it; others get one of `origin`, by their place in time.
 * @throws {RangeError} If there are none, more than a segment may unpack to, or an id that is not of `logId()`.
 */
export function encodeLogSegment(columns: LogColumns, origin: string): Uint8Array<ArrayBuffer> {
  const count = columns.timestamps.length;
  const segment = encode(columns, place(columns, origin), 0, count);
  if (segment === undefined) throw new RangeError(`Cannot encode ${count} entries as one segment`);
  return segment;
}

/**
 * Encodes entries as as many segments as it takes for each to have at most MAX_SEGMENT_BYTES, each with its index.
 * Entries are sorted and get their ids before they are divided, so ids are unique among all segments.
 *
 * @param columns As of `encodeLogSegment()`.
 * @param bloomBytes What the filter of an index may take.
 * @throws {RangeError} If one entry alone does not fit a segment, or has an id that is not of `logId()`.
 */
export function packLogSegments(columns: LogColumns, origin: string, bloomBytes = MAX_BLOOM_BYTES): PackedLogs[] {
  const count = columns.timestamps.length;
  return count === 0 ? [] : pack(columns, place(columns, origin), 0, count, bloomBytes);
}

/** Packs the entries from `first` up to `end` of the order. */
function pack(columns: LogColumns, placed: Placed, first: number, end: number, bloomBytes: number): PackedLogs[] {
  const segment = encode(columns, placed, first, end);
  if (segment === undefined || segment.length > MAX_SEGMENT_BYTES) {
    if (end - first === 1) throw new RangeError("Cannot pack an entry as it does not fit a segment");
    const middle = first + ((end - first) >>> 1);
    return [...pack(columns, placed, first, middle, bloomBytes), ...pack(columns, placed, middle, end, bloomBytes)];
  }
  const order = placed.order.subarray(first, end);
  return [{
    segment,
    index: encodeLogIndex(columns, order, bloomBytes),
    minTime: columns.timestamps[order[0]],
    maxTime: columns.timestamps[order[order.length - 1]],
    count: order.length,
  }];
}

/** Undefined if the segment would unpack to more than a reader accepts. */
function encode(columns: LogColumns, placed: Placed, first: number, end: number): Uint8Array<ArrayBuffer> | undefined {
  const count = end - first;
  if (count === 0 || count > MAX_SEGMENT_ENTRIES) return undefined;
  const { timestamps, ends, units } = columns;
  const order = placed.order.subarray(first, end);
  const { names, numbers, texts } = arrange(columns, order);
  const body = new ByteWriter(16 * 1024);
  body.varint(count);
  const origins = new Strings();
  const originOf = new ByteWriter(count);
  if (placed.origins.length === 1) origins.index(placed.origins[0]);
  else for (let at = first; at < end; at++) originOf.varint(origins.index(placed.origins[at]));
  origins.write(body);
  names.write(body);
  let timeBefore = timestamps[order[0]];
  body.signed(timeBefore);
  for (const i of order) {
    body.varint(timestamps[i] - timeBefore);
    timeBefore = timestamps[i];
  }
  if (origins.size > 1) body.raw(originOf.view());
  let ordinalBefore = -1;
  for (let at = first; at < end; at++) {
    body.signed(placed.ordinals[at] - ordinalBefore - 1);
    ordinalBefore = placed.ordinals[at];
  }
  body.varints(numbers);
  const lengths = new Int32Array(texts.length);
  let bytes = texts.length - 1;
  for (let n = 0; n < texts.length; n++) {
    const t = texts[n];
    lengths[n] = units[t];
    bytes += ends[t] - (t === 0 ? 0 : ends[t - 1]);
  }
  body.varints(lengths);
  const length = body.length + bytes;
  if (length > MAX_SEGMENT_RAW_BYTES) return undefined;
  const raw = new Uint8Array(length);
  raw.set(body.view());
  copyTexts(columns, texts, raw, body.length);

  const compressed = zstdCompressSync(raw, ZSTD);
  const out = new ByteWriter(compressed.length + 8);
  out.varint(length);
  out.raw(compressed);
  return out.finish();
}

/**
 * Names, the numbers of the columns from applications to field names, and the texts in the order of the segment: messages,
 * then field values by the index of their name.
 */
function arrange({ shapes, shapeOf, firsts }: LogColumns, order: Int32Array) {
  const count = order.length;
  const names = new Strings();
  /** Of each shape that occurs: the indexes of its application and of its keys. */
  const namesOf: Int32Array[] = new Array(shapes.length);
  let fields = 0;
  for (const i of order) {
    const place = shapeOf[i];
    const { application, keys } = shapes[place];
    namesOf[place] ??= Int32Array.from([application, ...keys], (name) => names.index(name));
    fields += keys.length;
  }
  const numbers = new Int32Array(3 * count + fields);
  const nameAt = 3 * count;
  /** Where the next value of each name goes: behind those of the names before. */
  const next = new Int32Array(names.size + 1);
  for (let at = 0, field = nameAt; at < count; at++) {
    const place = shapeOf[order[at]];
    const own = namesOf[place];
    numbers[at] = own[0];
    numbers[count + at] = shapes[place].level;
    numbers[2 * count + at] = own.length - 1;
    for (let k = 1; k < own.length; k++) {
      numbers[field++] = own[k];
      next[own[k] + 1]++;
    }
  }
  next[0] = count;
  for (let name = 1; name < next.length; name++) next[name] += next[name - 1];
  const texts = new Int32Array(count + fields);
  for (let at = 0, field = nameAt; at < count; at++) {
    const first = firsts[order[at]];
    texts[at] = first;
    const own = numbers[2 * count + at];
    for (let k = 1; k <= own; k++) texts[next[numbers[field++]]++] = first + k;
  }
  return { names, numbers, texts };
}

/** Copies texts to `out` from `at` on, with separators between them. */
function copyTexts({ texts, ends }: LogColumns, order: Int32Array, out: Uint8Array, at: number): void {
  for (let n = 0; n < order.length; n++) {
    const t = order[n];
    const end = ends[t];
    let from = t === 0 ? 0 : ends[t - 1];
    if (n > 0) out[at++] = SEPARATOR;
    if (end - from > SHORT_TEXT) {
      out.set(texts.subarray(from, end), at);
      at += end - from;
    } else {
      while (from < end) out[at++] = texts[from++];
    }
  }
}

/** Distinct strings in the order of first use. */
class Strings {
  readonly #indexes = new Map<string, number>();

  get size(): number {
    return this.#indexes.size;
  }

  index(text: string): number {
    const known = this.#indexes.get(text);
    if (known !== undefined) return known;
    this.#indexes.set(text, this.#indexes.size);
    return this.#indexes.size - 1;
  }

  write(out: ByteWriter): void {
    out.varint(this.#indexes.size);
    for (const text of this.#indexes.keys()) out.string(text);
  }
}
