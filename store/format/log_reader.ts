/**
 * Reads segments of log entries; log_segment.ts has the format.
 *
 * @module
 */
import { zstdDecompressSync } from "node:zlib";
import { MAX_SEGMENT_RAW_BYTES } from "../../limits.ts";
import { LEVELS } from "../log_types.ts";
import { ByteReader, decodeUtf8 } from "./byte_reader.ts";
import { MAX_ORDINAL } from "./log_id.ts";
import { LogRow, LogTextsOfSegment } from "./log_row.ts";
import { MAX_SEGMENT_ENTRIES } from "./log_segment.ts";
import { DamagedError } from "./value.ts";

/**
 * The entries of a segment, in order.
 *
 * @throws {DamagedError} If `bytes` is not one whole segment.
 */
export function decodeLogSegment(bytes: Uint8Array): LogRow[] {
  const reader = decompress(bytes);
  const count = reader.count(6);
  if (count > MAX_SEGMENT_ENTRIES) throw new DamagedError(`Cannot decode ${count} entries`);
  const origins = readStrings(reader);
  const names = readStrings(reader);
  const timestamps = new Float64Array(count);
  for (let i = 0, time = reader.signed(); i < count; i++) timestamps[i] = time += reader.varint();
  const originOf = origins.length === 1 ? new Int32Array(count) : reader.varints(count, origins.length);
  const ordinals = readOrdinals(reader, count);
  const applications = reader.varints(count, names.length);
  const levels = reader.varints(count, LEVELS.length);
  const fieldsFrom = readSums(reader, count, reader.remaining, 0);
  const fields = fieldsFrom[count];
  const nameOf = reader.varints(fields, names.length);
  const texts = readTexts(reader, count + fields);
  const valueOf = valuesByName(nameOf, names.length, count);
  const rows = {
    origins,
    names,
    timestamps,
    originOf,
    ordinals,
    applications,
    levels,
    fieldsFrom,
    nameOf,
    valueOf,
    texts,
  };
  return Array.from({ length: count }, (_, i) => new LogRow(rows, i));
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

function readOrdinals(reader: ByteReader, count: number): Int32Array {
  const ordinals = new Int32Array(count);
  for (let i = 0, ordinal = -1; i < count; i++) {
    ordinal += reader.signed() + 1;
    if (!(ordinal >= 0 && ordinal <= MAX_ORDINAL)) throw new DamagedError(`Cannot use ${ordinal} as an ordinal`);
    ordinals[i] = ordinal;
  }
  return ordinals;
}

/** The sums of the first 0, 1, ... numbers, to each of which `gap` is added. All of them together are at most `limit`. */
function readSums(reader: ByteReader, count: number, limit: number, gap: number): Int32Array {
  const numbers = reader.varints(count, limit + 1);
  const sums = new Int32Array(count + 1);
  let sum = 0;
  for (let i = 0; i < count; i++) {
    sum += numbers[i] + gap;
    if (sum > limit) throw new DamagedError(`Cannot use ${sum} as it is above ${limit}`);
    sums[i + 1] = sum;
  }
  return sums;
}

/** The texts at the end of a segment. */
function readTexts(reader: ByteReader, count: number): LogTextsOfSegment {
  const starts = readSums(reader, count, reader.remaining + 1, 1);
  const bytes = reader.raw(reader.remaining);
  const all = decodeUtf8(bytes);
  if (starts[count] - 1 !== all.length) throw new DamagedError(`Cannot find ${count} texts in ${all.length} units`);
  return new LogTextsOfSegment(all, starts, all.length === bytes.length);
}

/** Which texts the values of `nameOf` are: they stand by name, after the messages. */
function valuesByName(nameOf: Int32Array, names: number, messages: number): Int32Array {
  const next = new Int32Array(names + 1);
  for (const name of nameOf) next[name + 1]++;
  next[0] = messages;
  for (let i = 1; i <= names; i++) next[i] += next[i - 1];
  return nameOf.map((name) => next[name]++);
}
