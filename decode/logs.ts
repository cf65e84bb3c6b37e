/**
 * Log entries from the wire into columns. An entry's shape is its application, its level and the keys of its fields;
 * what else it has are a timestamp and texts, which stay bytes.
 *
 * @module
 */
import { BatchShapes, type Placed, SHAPE_BYTES } from "./batch_shapes.ts";
import type { BatchDecoder } from "./decoder.ts";
import { Growing } from "./growing.ts";
import { readLogEntry } from "./log_entry.ts";
import type { ShapeCache } from "./shape_cache.ts";
import { copyText } from "./utf8.ts";
import { LEN, MAX_EXACT_VARINT_BYTES, VARINT, WireReader } from "./wire.ts";

/** What entries have in common; two of the same content may be two objects. */
export interface LogEntryShape {
  readonly application: string;
  /** As it was sent. */
  readonly level: string;
  /** Keys of the fields, each once, sorted by code units. */
  readonly keys: readonly string[];
}

/**
 * Log entries in columns: entry `i` has the shape `shapes[shapeOf[i]]`, and the texts from `firsts[i]` on: its message, and
 * then the value of each key of its shape. Text `t` is the UTF-8 in `texts` from `ends[t - 1]` (0 for the first) up to
 * `ends[t]`.
 */
export interface DecodedLogs {
  /** Those of this batch, each once. */
  readonly shapes: readonly LogEntryShape[];
  readonly shapeOf: Int32Array;
  /** ms since the epoch, as the nearest double. */
  readonly timestamps: Float64Array;
  readonly firsts: Int32Array;
  readonly texts: Uint8Array;
  readonly ends: Int32Array;
  /** UTF-16 code units of each text. */
  readonly units: Int32Array;
}

/** A shape that was found by its bytes, and where it stands in the batch of a decoder that has seen it. */
interface HeldShape extends LogEntryShape, Placed {
  /** For each key, the place of its field among the fields as they were sent. */
  readonly places: readonly number[];
}

export type LogShapes = ShapeCache<HeldShape>;

// Tags of LogEntry's fields, as canonical encoders write them.
const APPLICATION = 1 << 3 | LEN;
const LEVEL = 2 << 3 | LEN;
const TIMESTAMP = 3 << 3 | VARINT;
const MESSAGE = 4 << 3 | LEN;
const FIELDS = 5 << 3 | LEN;
// Of a map's entry.
const KEY = 1 << 3 | LEN;
const VALUE = 2 << 3 | LEN;

/** Bytes of memory that an entry and a text take in their columns. */
const ENTRY_BYTES = 16;
const TEXT_BYTES = 8;

export class LogDecoder implements BatchDecoder<DecodedLogs> {
  readonly #shapes = new BatchShapes<HeldShape>();
  #newBytes = 0;
  readonly #shapeOf = new Growing((length) => new Int32Array(length));
  readonly #timestamps = new Growing((length) => new Float64Array(length));
  readonly #firsts = new Growing((length) => new Int32Array(length));
  readonly #texts = new Growing((length) => new Uint8Array(length));
  readonly #ends = new Growing((length) => new Int32Array(length));
  readonly #units = new Growing((length) => new Int32Array(length));
  /** From where up to where the texts of one entry stand in it: of the message, then of the field values as they come. */
  #regions = new Int32Array(32);

  /** @param held Shapes that are known from before, and where new ones are held. */
  constructor(private readonly held: LogShapes) {}

  get count(): number {
    return this.#timestamps.length;
  }

  get size(): number {
    return this.#texts.length + this.#timestamps.length * ENTRY_BYTES + this.#ends.length * TEXT_BYTES + this.#newBytes;
  }

  /**
   * What canonical encoders write, fields in their order, is added in one pass here. Anything else is left to
   * `#addSlowly()`, and so is a shape that is not known.
   */
  add(bytes: Uint8Array, start: number, end: number): void {
    const identity = this.held;
    identity.begin();
    let at = start;

    // The application comes always and first, then perhaps a level, then keys. So no two shapes have the same identity,
    // although the tag of an application is that of a key.
    if (bytes[at] !== APPLICATION || bytes[at + 1] >= 0x80) return this.#addSlowly(bytes, start, end, -1);
    at += 2 + bytes[at + 1];
    if (at < end && bytes[at] === LEVEL) {
      if (bytes[at + 1] >= 0x80) return this.#addSlowly(bytes, start, end, -1);
      at += 2 + bytes[at + 1];
    }
    if (!(at <= end)) return this.#addSlowly(bytes, start, end, -1);
    identity.add(bytes, start, at);

    let timestamp = 0;
    if (at < end && bytes[at] === TIMESTAMP) {
      let byte = bytes[++at];
      timestamp = byte & 0x7f;
      const last = at + MAX_EXACT_VARINT_BYTES - 1;
      for (let scale = 128; byte >= 0x80 && at < last; scale *= 128) {
        byte = bytes[++at];
        timestamp += (byte & 0x7f) * scale;
      }
      if (!(byte < 0x80) || ++at > end) return this.#addSlowly(bytes, start, end, -1);
    }

    let regions = this.#regions;
    regions[0] = regions[1] = at;
    if (at < end && bytes[at] === MESSAGE) {
      const length = shortLength(bytes, at + 1);
      at += 1 + (length & 3);
      regions[0] = at;
      at += length >> 2;
      regions[1] = at;
      if (length < 0 || at > end) return this.#addSlowly(bytes, start, end, -1);
    }

    let count = 2;
    while (at < end) {
      if (bytes[at] !== FIELDS) return this.#addSlowly(bytes, start, end, -1);
      const length = shortLength(bytes, at + 1);
      at += 1 + (length & 3);
      const entryEnd = at + (length >> 2);
      const keyEnd = at + 2 + bytes[at + 1];
      const isCanonical = length >= 0 && entryEnd <= end && bytes[at] === KEY && bytes[at + 1] < 0x80 &&
        keyEnd <= entryEnd;
      if (!isCanonical) return this.#addSlowly(bytes, start, end, -1);
      identity.add(bytes, at, keyEnd);
      at = keyEnd;
      // Some encoders leave out an empty value.
      if (at < entryEnd) {
        const valueLength = shortLength(bytes, at + 1);
        if (bytes[at] !== VALUE || valueLength < 0) return this.#addSlowly(bytes, start, end, -1);
        at += 1 + (valueLength & 3);
        if (at + (valueLength >> 2) !== entryEnd) return this.#addSlowly(bytes, start, end, -1);
      }
      if (count === regions.length) regions = this.#regions = grown(regions);
      regions[count++] = at;
      regions[count++] = entryEnd;
      at = entryEnd;
    }

    const shape = identity.find();
    if (shape === undefined) this.#addSlowly(bytes, start, end, (count >> 1) - 1);
    else this.#append(bytes, shape, timestamp, end - start);
  }

  take(): DecodedLogs {
    const taken = {
      shapes: this.#shapes.take(),
      shapeOf: this.#shapeOf.take(),
      timestamps: this.#timestamps.take(),
      firsts: this.#firsts.take(),
      texts: this.#texts.take(),
      ends: this.#ends.take(),
      units: this.#units.take(),
    };
    this.#newBytes = 0;
    return taken;
  }

  /** Adds any entry. `fields` says how many fields one has that is canonical, and only of a shape that is not known. */
  #addSlowly(bytes: Uint8Array, start: number, end: number, fields: number): void {
    const { application, level, timestamp, message, values } = readLogEntry(new WireReader(bytes, start, end));
    let count = 0;
    for (const region of [message, ...values.values()]) {
      if (count === this.#regions.length) this.#regions = grown(this.#regions);
      this.#regions[count++] = region[0];
      this.#regions[count++] = region[1];
    }
    const sent = Array.from(values.keys(), (key, place) => ({ key, place }));
    sent.sort((a, b) => a.key < b.key ? -1 : 1);
    const keys = sent.map(({ key }) => key);
    const places = sent.map(({ place }) => place);
    const shape = { application, level, keys, places, batch: 0, place: 0 };
    this.#append(bytes, shape, timestamp, end - start);
    this.#newBytes += SHAPE_BYTES + (end - start);
    // Where a key came twice, its values are not where the shape has them.
    if (fields === values.size) this.held.hold(shape, costOf(shape));
  }

  /** Adds an entry whose texts stand in `bytes` where `#regions` says. Adds nothing if one of them is not UTF-8. */
  #append(bytes: Uint8Array, shape: HeldShape, timestamp: number, size: number): void {
    const { places } = shape;
    const regions = this.#regions;
    const first = this.#ends.length;
    this.#texts.reserve(size);
    this.#ends.reserve(1 + places.length);
    this.#units.reserve(1 + places.length);
    const texts = this.#texts.items;
    const ends = this.#ends.items;
    const units = this.#units.items;

    let from = regions[0], to = regions[1];
    let at = this.#texts.length;
    for (let k = 0;; k++) {
      units[first + k] = copyText(bytes, from, to, texts, at);
      at += to - from;
      ends[first + k] = at;
      if (k === places.length) break;
      from = regions[2 + 2 * places[k]];
      to = regions[3 + 2 * places[k]];
    }

    const i = this.#timestamps.length;
    for (const column of [this.#shapeOf, this.#timestamps, this.#firsts]) column.reserve(1);
    this.#shapeOf.items[i] = this.#shapes.place(shape);
    this.#timestamps.items[i] = timestamp;
    this.#firsts.items[i] = first;
    this.#shapeOf.length = this.#timestamps.length = this.#firsts.length = i + 1;
    this.#ends.length = this.#units.length = first + 1 + places.length;
    this.#texts.length = at;
  }
}

/** About how many bytes a shape takes, with what validation finds out about it. */
function costOf({ application, level, keys }: LogEntryShape): number {
  return keys.reduce(
    (sum, key) => sum + SHAPE_BYTES / 4 + key.length * 2,
    SHAPE_BYTES + (application.length + level.length) * 2,
  );
}

/**
 * A length of up to three bytes, times four, and in the last two bits how many bytes it takes; -1 if it takes more. Beyond the
 * end of the bytes it is anything.
 */
function shortLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  if (first < 0x80) return first << 2 | 1;
  const second = bytes[at + 1];
  if (second < 0x80) return (first & 0x7f | second << 7) << 2 | 2;
  const third = bytes[at + 2];
  return third < 0x80 ? (first & 0x7f | (second & 0x7f) << 7 | third << 14) << 2 | 3 : -1;
}

function grown(array: Int32Array): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(array.length * 2);
  longer.set(array);
  return longer;
}
