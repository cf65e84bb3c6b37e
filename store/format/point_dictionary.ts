/**
 * The dictionary of a point segment: its series, with each string and each set of tags once.
 *
 * ```
 * strings   varint count, then each as string
 * tag sets  varint count, then of each: varint count, and for each tag two varints, its key's and its value's string
 * series    varint count, then of each three varints: source's string, metric's string, tag set
 * ```
 *
 * In a segment, a varint stands before it: its bytes there, times 2, plus 1 if it is compressed (raw DEFLATE).
 *
 * Indexes are those of first use. The metrics of a point share its source and tags, so most series cost three bytes and
 * a new string.
 *
 * @module
 */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { MAX_SEGMENT_RAW_BYTES } from "../../limits.ts";
import type { Series } from "../types.ts";
import { ByteReader } from "./byte_reader.ts";
import { ByteWriter } from "./byte_writer.ts";
import { seriesKey } from "./series.ts";
import { DamagedError } from "./value.ts";

type Tag = readonly [key: string, value: string];

/** A dictionary shorter than this is not worth compressing. */
const MIN_DEFLATE_BYTES = 96;

/** Encodes series in their order. */
export function encodeDictionary(series: Iterable<Series>): Uint8Array<ArrayBuffer> {
  const strings = new Map<string, number>();
  const tagSets = new Map<string, number>();
  const stringOut = new ByteWriter(128);
  const tagOut = new ByteWriter(64);
  const seriesOut = new ByteWriter(64);

  const stringIndex = (text: string): number => {
    const known = strings.get(text);
    if (known !== undefined) return known;
    const index = strings.size;
    strings.set(text, index);
    stringOut.string(text);
    return index;
  };
  const tagSetIndex = (tags: readonly Tag[]): number => {
    const indexes = tags.flatMap(([key, value]) => [stringIndex(key), stringIndex(value)]);
    const id = indexes.join();
    const known = tagSets.get(id);
    if (known !== undefined) return known;
    const index = tagSets.size;
    tagSets.set(id, index);
    tagOut.varint(tags.length);
    for (const string of indexes) tagOut.varint(string);
    return index;
  };

  let count = 0;
  let before: readonly Tag[] | undefined;
  let tagSet = 0;
  for (const { source, metric, tags } of series) {
    seriesOut.varint(stringIndex(source));
    seriesOut.varint(stringIndex(metric));
    if (tags !== before) tagSet = tagSetIndex(tags);
    before = tags;
    seriesOut.varint(tagSet);
    count++;
  }
  const out = new ByteWriter(stringOut.length + tagOut.length + seriesOut.length + 16);
  out.varint(strings.size);
  out.raw(stringOut.view());
  out.varint(tagSets.size);
  out.raw(tagOut.view());
  out.varint(count);
  out.raw(seriesOut.view());
  return out.finish();
}

/** Writes a dictionary that `encodeDictionary()` made, compressed where that is smaller. */
export function writeDictionary(out: ByteWriter, dictionary: Uint8Array): void {
  const compressed = dictionary.length < MIN_DEFLATE_BYTES ? dictionary : deflateRawSync(dictionary, { level: 1 });
  const isSmaller = compressed.length < dictionary.length;
  const stored = isSmaller ? compressed : dictionary;
  out.varint(stored.length * 2 + (isSmaller ? 1 : 0));
  out.raw(stored);
}

/**
 * Takes a dictionary from where `writeDictionary()` put it; it is opened when it is first asked for.
 *
 * @param length Series that it must have: the result throws a DamagedError if it has others, or is none.
 */
export function readDictionary(reader: ByteReader, length: number): () => Dictionary {
  const size = reader.varint();
  const bytes = reader.raw(Math.floor(size / 2));
  let dictionary: Dictionary | undefined;
  return () => {
    dictionary ??= new Dictionary(size % 2 === 1 ? inflate(bytes) : bytes);
    if (dictionary.length === length) return dictionary;
    throw new DamagedError(`Cannot use a dictionary of ${dictionary.length} series for ${length}`);
  };
}

function inflate(bytes: Uint8Array): Uint8Array {
  try {
    return inflateRawSync(bytes, { maxOutputLength: MAX_SEGMENT_RAW_BYTES });
  } catch (cause) {
    throw new DamagedError("Cannot inflate a dictionary", { cause });
  }
}

/** Makes series on demand, each once. */
export class Dictionary {
  readonly #strings: string[];
  readonly #tagSets: (readonly Tag[])[];
  /** Source, metric and tag set of each series. */
  readonly #parts: Uint32Array;
  readonly #series: (Series | undefined)[];

  /** @throws {DamagedError} If `bytes` is not one whole dictionary. */
  constructor(bytes: Uint8Array) {
    const reader = new ByteReader(bytes);
    this.#strings = Array.from({ length: reader.count() }, () => reader.string());
    const string = () => this.#strings[index(reader, this.#strings.length)];
    this.#tagSets = Array.from(
      { length: reader.count() },
      () => Array.from({ length: reader.count(2) }, (): Tag => [string(), string()]),
    );
    this.#parts = new Uint32Array(reader.count(3) * 3);
    for (let i = 0; i < this.#parts.length; i += 3) {
      this.#parts[i] = index(reader, this.#strings.length);
      this.#parts[i + 1] = index(reader, this.#strings.length);
      this.#parts[i + 2] = index(reader, this.#tagSets.length);
    }
    reader.end();
    this.#series = new Array(this.length);
  }

  /** How many series there are. */
  get length(): number {
    return this.#parts.length / 3;
  }

  /** Series `i`, from 0 to `length - 1`. */
  series(i: number): Series {
    return this.#series[i] ??= this.#make(i * 3);
  }

  #make(at: number): Series {
    const source = this.#strings[this.#parts[at]];
    const metric = this.#strings[this.#parts[at + 1]];
    const tags = this.#tagSets[this.#parts[at + 2]];
    return { source, metric, tags, key: seriesKey(source, metric, tags) };
  }
}

function index(reader: ByteReader, limit: number): number {
  const index = reader.varint();
  if (index >= limit) throw new DamagedError(`Cannot decode a dictionary: index ${index} of ${limit}`);
  return index;
}
