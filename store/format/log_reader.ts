/**
 * Reads segments of log entries; log_segment.ts has the format.
 *
 * @module
 */
import { zstdDecompressSync } from "node:zlib";
import { MAX_SEGMENT_RAW_BYTES } from "../../limits.ts";
import { LEVELS, type StoredLog } from "../log_types.ts";
import { ByteReader, decodeUtf8 } from "./bytes.ts";
import { logId, MAX_ORDINAL } from "./log_id.ts";
import { MAX_SEGMENT_ENTRIES } from "./log_segment.ts";
import { DamagedError } from "./value.ts";

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
    at += lengths[i] + 1;
  }
  if (at - 1 !== all.length) throw new DamagedError(`Cannot find ${count} texts in ${all.length} units`);
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
