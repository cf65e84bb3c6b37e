/**
 * The index of a log segment: enough to know that a search finds nothing in it, without opening it.
 *
 * ```
 * min time      signed     ms since the epoch
 * max time      varint     less min time
 * levels        6 varints  entries of each level
 * applications  names, each with a varint of its entries
 * field names   names
 * bloom         the rest: a filter (bloom.ts) of the words of messages and field values, and of whole fields
 *
 * names         u8 whether these are all (1) or there were too many (0), varint count, then each as string
 * ```
 *
 * Names take at most MAX_NAMES_BYTES a list: the most frequent applications, and field names from the first in order. A
 * list that is not complete says nothing about what is not on it. So an index has at most some 12 KiB.
 *
 * @module
 */
import { KIB, MAX_BLOOM_BYTES } from "../../limits.ts";
import { LEVELS, type LogBatch } from "../log_types.ts";
import { BloomBuilder, type FieldPrefix, fieldPrefix } from "./bloom.ts";
import { ByteReader } from "./byte_reader.ts";
import { ByteWriter } from "./byte_writer.ts";
import { DamagedError } from "./value.ts";

/** Bytes of a list of names: 15 of the longest, hundreds of ordinary ones. */
const MAX_NAMES_BYTES = 4 * KIB;

/**
 * Encodes the index of a segment.
 *
 * @param bloomBytes What its filter may take.
 * @param order The places of the segment's entries in `batch`, in the order of their timestamps.
 */
export function encodeLogIndex(
  batch: LogBatch,
  order: Int32Array,
  bloomBytes = MAX_BLOOM_BYTES,
): Uint8Array<ArrayBuffer> {
  const { shapes, shapeOf, timestamps } = batch;
  const entries = new Int32Array(shapes.length);
  for (const i of order) entries[shapeOf[i]]++;
  const levels = LEVELS.map(() => 0);
  const applications = new Map<string, number>();
  const fieldNames = new Set<string>();
  for (const [place, { application, level, keys }] of shapes.entries()) {
    const count = entries[place];
    if (count === 0) continue;
    levels[level] += count;
    applications.set(application, (applications.get(application) ?? 0) + count);
    for (const key of keys) fieldNames.add(key);
  }
  const minTime = order.length === 0 ? 0 : timestamps[order[0]];
  const maxTime = order.length === 0 ? 0 : timestamps[order[order.length - 1]];
  const out = new ByteWriter(8 * KIB);
  out.signed(minTime);
  out.varint(maxTime - minTime);
  for (const count of levels) out.varint(count);
  const frequent = Array.from(applications).sort(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1));
  writeNames(out, frequent.map(([name]) => name), (name) => out.varint(applications.get(name) ?? 0));
  writeNames(out, Array.from(fieldNames).sort(), () => {});
  out.raw(encodeBloom(batch, order, bloomBytes));
  return out.finish();
}

/** The filter of the words of messages and field values, and of whole fields. */
function encodeBloom(
  { shapes, shapeOf, firsts, texts, ends }: LogBatch,
  order: Int32Array,
  maxBytes: number,
): Uint8Array {
  const bloom = new BloomBuilder();
  const prefixes: FieldPrefix[][] = new Array(shapes.length);
  for (const i of order) {
    const place = shapeOf[i];
    const keys = prefixes[place] ??= shapes[place].keys.map(fieldPrefix);
    const first = firsts[i];
    bloom.addWords(texts, first === 0 ? 0 : ends[first - 1], ends[first]);
    for (let k = 0; k < keys.length; k++) bloom.addField(keys[k], texts, ends[first + k], ends[first + k + 1]);
  }
  return bloom.build(maxBytes);
}

/** @throws {DamagedError} If `bytes` is no index. */
export function decodeLogIndex(bytes: Uint8Array): LogIndex {
  const index = new LogIndex(bytes);
  void index.names;
  return index;
}

/** The names in an index. */
interface Names {
  /** Entries per application; if not complete, of the most frequent ones only. */
  readonly applications: ReadonlyMap<string, number>;
  readonly applicationsComplete: boolean;
  /** Sorted by code units. */
  readonly fieldNames: readonly string[];
  readonly fieldNamesComplete: boolean;
}

/** An index that was decoded, but for its names: those are when they are asked for, and take longer than all else. */
export class LogIndex {
  /** ms since the epoch, of the earliest and of the latest entry. */
  readonly minTime: number;
  readonly maxTime: number;
  readonly count: number;
  /** Entries per level, by index into LEVELS. */
  readonly levels: readonly number[];
  readonly #rest: Uint8Array;
  #names: Names | undefined;
  #bloom: Uint8Array | undefined;

  /** @param bloomBytes Where that is known, what the filter takes: then it is had without the names. */
  constructor(bytes: Uint8Array, bloomBytes?: number) {
    const reader = new ByteReader(bytes);
    this.minTime = reader.signed();
    this.maxTime = this.minTime + reader.varint();
    this.levels = LEVELS.map(() => reader.varint());
    this.count = this.levels.reduce((sum, count) => sum + count, 0);
    this.#rest = reader.raw(reader.remaining);
    if (bloomBytes === undefined) return;
    if (bloomBytes > this.#rest.length) throw new DamagedError(`Cannot find a filter of ${bloomBytes} bytes`);
    this.#bloom = this.#rest.subarray(this.#rest.length - bloomBytes);
  }

  /** @throws {DamagedError} If they cannot be decoded. */
  get names(): Names {
    if (this.#names !== undefined) return this.#names;
    const reader = new ByteReader(this.#rest);
    const applicationsComplete = readFlag(reader);
    const applications = new Map(
      Array.from({ length: reader.count(2) }, () => [reader.string(), reader.varint()] as const),
    );
    const fieldNamesComplete = readFlag(reader);
    const fieldNames = Array.from({ length: reader.count() }, () => reader.string());
    this.#bloom = reader.raw(reader.remaining);
    return this.#names = { applications, applicationsComplete, fieldNames, fieldNamesComplete };
  }

  /** See bloom.ts. */
  get bloom(): Uint8Array {
    if (this.#bloom === undefined) void this.names;
    return this.#bloom!;
  }
}

/** Writes as many names as there is room for; `writeMore` writes what belongs to each. */
function writeNames(out: ByteWriter, names: readonly string[], writeMore: (name: string) => void): void {
  const sizes = new ByteWriter(1 * KIB);
  let fitting = 0;
  for (const name of names) {
    sizes.string(name);
    if (sizes.length > MAX_NAMES_BYTES) break;
    fitting++;
  }
  out.u8(fitting === names.length ? 1 : 0);
  out.varint(fitting);
  for (let i = 0; i < fitting; i++) {
    out.string(names[i]);
    writeMore(names[i]);
  }
}

function readFlag(reader: ByteReader): boolean {
  const flag = reader.u8();
  if (flag > 1) throw new DamagedError(`Cannot decode an index: current flag is ${flag}`);
  return flag === 1;
}
