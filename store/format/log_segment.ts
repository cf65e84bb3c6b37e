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
 * almost nothing. All texts are one string, which is encoded and decoded at once; the values of a field stand together,
 * for they are alike.
 *
 * @module
 */
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { MAX_SEGMENT_BYTES, MAX_SEGMENT_RAW_BYTES } from "../../limits.ts";
import { LEVELS, type LogRecord, type StoredLog } from "../types.ts";
import { ByteReader, ByteWriter, decodeUtf8 } from "./bytes.ts";
import { logId, MAX_ORDINAL, place, type Placed } from "./log_id.ts";
import { encodeLogIndex } from "./log_index.ts";
import { DamagedError } from "./value.ts";

const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
const SEPARATOR = "\n";
/** Entries of a segment. Empty ones compress so well that the limit of bytes would let in very many. */
const MAX_SEGMENT_ENTRIES = 65_536;

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
 * @param records In any order. Those that have an id keep it; others get one of `origin`, by their place in time.
 * @throws {RangeError} If there are none, more than a segment may unpack to, or an id that is not of `logId()`.
 */
export function encodeLogSegment(records: readonly (LogRecord | StoredLog)[], origin: string): Uint8Array<ArrayBuffer> {
  const segment = encode(place(records, origin));
  if (segment === undefined) throw new RangeError(`Cannot encode ${records.length} entries as one segment`);
  return segment;
}

/**
 * Encodes entries as as many segments as it takes for each to have at most MAX_SEGMENT_BYTES, each with its index.
 * Entries are sorted and get their ids before they are divided, so ids are unique among all segments.
 *
 * @param records As of `encodeLogSegment()`.
 * @throws {RangeError} If one entry alone does not fit a segment, or has an id that is not of `logId()`.
 */
export function packLogSegments(records: readonly (LogRecord | StoredLog)[], origin: string): PackedLogs[] {
  return records.length === 0 ? [] : pack(place(records, origin));
}

/**
 * The entries of a segment, in order.
 *
 * @throws {DamagedError} If `bytes` is not one whole segment.
 */
export function decodeLogSegment(bytes: Uint8Array): StoredLog[] {
  const reader = decompress(bytes);
  const count = reader.count(6);
  if (count > MAX_SEGMENT_ENTRIES) throw new DamagedError(`Cannot decode ${count} entries`);
  const origins = readStrings(reader);
  const names = readStrings(reader);
  let time = reader.signed();
  const timestamps = readColumn(count, () => time += reader.varint());
  const originOf = origins.length === 1 ? undefined : readColumn(count, () => reader.varint());
  let ordinal = -1;
  const ordinals = readColumn(count, () => ordinal += reader.signed() + 1);
  const applications = readColumn(count, () => reader.varint());
  const levels = readColumn(count, () => reader.u8());
  let fields = 0;
  const fieldCounts = readColumn(count, () => {
    const own = reader.varint();
    fields += own;
    return own;
  });
  if (fields > reader.remaining) throw new DamagedError(`Cannot decode ${fields} fields`);
  const nameOf = readColumn(fields, () => reader.varint());

  const texts = readTexts(reader, count + fields);
  const values = valuesByName(nameOf, names.length, texts, count);
  const entries: StoredLog[] = new Array(count);
  for (let i = 0, field = 0; i < count; i++) {
    const own: [string, string][] = [];
    for (let left = fieldCounts[i]; left > 0; left--, field++) own.push([names[nameOf[field]], values[field]]);
    if (!(ordinals[i] >= 0 && ordinals[i] <= MAX_ORDINAL) || levels[i] >= LEVELS.length) {
      throw new DamagedError(`Cannot decode an entry of ordinal ${ordinals[i]} and level ${levels[i]}`);
    }
    entries[i] = {
      id: logId(known(origins, originOf === undefined ? 0 : originOf[i]), ordinals[i]),
      application: known(names, applications[i]),
      level: levels[i],
      timestamp: timestamps[i],
      message: texts[i],
      fields: own,
    };
  }
  return entries;
}

function pack(entries: readonly Placed[]): PackedLogs[] {
  const segment = encode(entries);
  if (segment === undefined || segment.length > MAX_SEGMENT_BYTES) {
    if (entries.length === 1) throw new RangeError("Cannot pack an entry as it does not fit a segment");
    const middle = entries.length >>> 1;
    return [...pack(entries.slice(0, middle)), ...pack(entries.slice(middle))];
  }
  return [{
    segment,
    index: encodeLogIndex(entries.map(({ record }) => record)),
    minTime: entries[0].record.timestamp,
    maxTime: entries[entries.length - 1].record.timestamp,
    count: entries.length,
  }];
}

/** Undefined if the segment would unpack to more than a reader accepts. */
function encode(entries: readonly Placed[]): Uint8Array<ArrayBuffer> | undefined {
  if (entries.length === 0 || entries.length > MAX_SEGMENT_ENTRIES) return undefined;
  const origins = new Strings();
  const names = new Strings();
  const times = new ByteWriter(entries.length * 3);
  const originOf = new ByteWriter(entries.length);
  const ordinals = new ByteWriter(entries.length);
  const applications = new ByteWriter(entries.length);
  const levels = new ByteWriter(entries.length);
  const fieldCounts = new ByteWriter(entries.length);
  const fieldNames = new ByteWriter(entries.length * 4);
  const texts: string[] = [];
  /** Field values by the index of their name. */
  const values: string[][] = [];
  const minTime = entries[0].record.timestamp;
  let timeBefore = minTime;
  let ordinalBefore = -1;
  for (const { record, origin, ordinal } of entries) {
    times.varint(record.timestamp - timeBefore);
    timeBefore = record.timestamp;
    originOf.varint(origins.index(origin));
    ordinals.signed(ordinal - ordinalBefore - 1);
    ordinalBefore = ordinal;
    applications.varint(names.index(record.application));
    levels.u8(record.level);
    fieldCounts.varint(record.fields.length);
    texts.push(record.message);
    for (const [key, value] of record.fields) {
      const name = names.index(key);
      fieldNames.varint(name);
      (values[name] ??= []).push(value);
    }
  }
  for (const ofName of values) if (ofName !== undefined) { for (const value of ofName) texts.push(value); }

  const body = new ByteWriter(128 * 1024);
  body.varint(entries.length);
  origins.write(body);
  names.write(body);
  body.signed(minTime);
  body.raw(times.view());
  if (origins.size > 1) body.raw(originOf.view());
  for (const column of [ordinals, applications, levels, fieldCounts, fieldNames]) body.raw(column.view());
  for (const text of texts) body.varint(text.length);
  body.text(texts.join(SEPARATOR));
  if (body.length > MAX_SEGMENT_RAW_BYTES) return undefined;

  const compressed = zstdCompressSync(body.view(), ZSTD);
  const out = new ByteWriter(compressed.length + 8);
  out.varint(body.length);
  out.raw(compressed);
  return out.finish();
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

function decompress(bytes: Uint8Array): ByteReader {
  const reader = new ByteReader(bytes);
  const length = reader.varint();
  let body: Uint8Array;
  try {
    body = zstdDecompressSync(reader.raw(reader.remaining), { maxOutputLength: MAX_SEGMENT_RAW_BYTES });
  } catch (cause) {
    throw new DamagedError("Cannot decompress a segment", { cause });
  }
  // A frame that ends too early is no error to zlib.
  if (body.length !== length) throw new DamagedError(`Cannot use ${body.length} bytes as a segment of ${length}`);
  return new ByteReader(body);
}

function readStrings(reader: ByteReader): string[] {
  return Array.from({ length: reader.count() }, () => reader.string());
}

function readColumn(count: number, next: () => number): Float64Array {
  const column = new Float64Array(count);
  for (let i = 0; i < count; i++) column[i] = next();
  return column;
}

/** The texts at the end of a segment. */
function readTexts(reader: ByteReader, count: number): string[] {
  if (count > reader.remaining) throw new DamagedError(`Cannot decode ${count} texts`);
  const lengths = readColumn(count, () => reader.varint());
  const all = decodeUtf8(reader.raw(reader.remaining));
  const texts: string[] = new Array(count);
  let at = 0;
  for (let i = 0; i < count; i++) {
    texts[i] = all.slice(at, at + lengths[i]);
    at += lengths[i] + SEPARATOR.length;
  }
  if (at - SEPARATOR.length !== all.length) throw new DamagedError(`Cannot find ${count} texts in ${all.length} units`);
  return texts;
}

/** Field values in the order of `nameOf`: in the segment they stand by name, after the messages. */
function valuesByName(nameOf: Float64Array, names: number, texts: readonly string[], messages: number): string[] {
  const next = new Uint32Array(names + 1);
  for (const name of nameOf) {
    if (name >= names) throw new DamagedError(`Cannot use name ${name} of ${names}`);
    next[name + 1]++;
  }
  for (let i = 1; i <= names; i++) next[i] += next[i - 1];
  return Array.from(nameOf, (name) => texts[messages + next[name]++]);
}

function known(strings: readonly string[], index: number): string {
  if (index >= strings.length) throw new DamagedError(`Cannot use string ${index} of ${strings.length}`);
  return strings[index];
}
