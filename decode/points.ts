/**
 * Data points from the wire into columns. A point's shape is its source, the names of its metrics and its tags: all but
 * the timestamp and the values.
 *
 * @module
 */
import { BatchShapes, type Placed, SHAPE_BYTES } from "./batch_shapes.ts";
import type { BatchDecoder } from "./decoder.ts";
import { Growing } from "./growing.ts";
import type { ShapeCache } from "./shape_cache.ts";
import { I64, LEN, MAX_EXACT_VARINT_BYTES, readTextEntry, VARINT, WireReader } from "./wire.ts";

/** What points have in common; two of the same content may be two objects. */
export interface PointShape {
  readonly source: string;
  /** Names of the metrics, each once, in the order in which they came. */
  readonly metrics: readonly string[];
  /** In the order in which they came; keys unique. */
  readonly tags: readonly (readonly [key: string, value: string])[];
}

/**
 * Points in columns: point `i` has the shape `shapes[shapeOf[i]]`, and a value for each metric of its shape; the values of
 * all points stand one after the other.
 */
export interface DecodedPoints {
  readonly length: number;
  /** Those of this batch, each once. */
  readonly shapes: readonly PointShape[];
  readonly shapeOf: Int32Array;
  /** ms since the epoch, as the nearest double. */
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
}

/** A shape that was found by its bytes, and where it stands in the batch of a decoder that has seen it. */
type HeldShape = PointShape & Placed;

export type PointShapes = ShapeCache<HeldShape>;

// Tags of DataPoint's fields, as canonical encoders write them.
const SOURCE = 1 << 3 | LEN;
const TIMESTAMP = 2 << 3 | VARINT;
const METRICS = 3 << 3 | LEN;
const TAGS = 4 << 3 | LEN;
// Of a map's entry.
const KEY = 1 << 3 | LEN;
const VALUE = 2 << 3 | I64;
/** Bytes of an entry of metrics beside the key: tag and length of the key, tag and value. */
const METRIC_BYTES = 11;

/** Bytes of memory that a point and a value take in their columns. */
const POINT_BYTES = 24;
const VALUE_BYTES = 8;
/** Of one of a shape's series beside the texts. */
const SERIES_BYTES = 120;

const NO_VIEW = new DataView(new ArrayBuffer(0));

export class PointDecoder implements BatchDecoder<DecodedPoints> {
  readonly #shapes = new BatchShapes<HeldShape>();
  readonly #shapeOf = new Growing((length) => new Int32Array(length));
  readonly #timestamps = new Growing((length) => new Float64Array(length));
  readonly #values = new Growing((length) => new Float64Array(length));
  #newBytes = 0;
  #view: DataView = NO_VIEW;

  /** @param held Shapes that are known from before, and where new ones are held. */
  constructor(private readonly held: PointShapes) {}

  get count(): number {
    return this.#timestamps.length;
  }

  get size(): number {
    return this.#timestamps.length * POINT_BYTES + this.#values.length * VALUE_BYTES + this.#newBytes;
  }

  /**
   * Fields may come in any order, so what is no number goes into the identity as it comes. What canonical encoders do
   * not write is left to `#addNew()`.
   */
  add(bytes: Uint8Array, start: number, end: number): void {
    if (bytes.buffer !== this.#view.buffer) this.#view = new DataView(bytes.buffer);
    const { held } = this;
    const values = this.#values;
    const before = values.length;
    held.begin();
    let timestamp = 0;
    let at = start;
    while (at < end) {
      const tag = bytes[at];
      if (tag === METRICS) {
        const keyBytes = bytes[at + 3];
        const value = at + 5 + keyBytes;
        const isCanonical = keyBytes < 0x80 - METRIC_BYTES && bytes[at + 1] === keyBytes + METRIC_BYTES &&
          bytes[at + 2] === KEY && bytes[value - 1] === VALUE && value + 8 <= end;
        if (!isCanonical) return this.#addNew(bytes, start, end, before, false);
        held.add(bytes, at, value);
        if (values.length === values.items.length) values.reserve(1);
        values.items[values.length++] = this.#view.getFloat64(bytes.byteOffset + value, true);
        at = value + 8;
      } else if (tag === TIMESTAMP) {
        let byte = bytes[++at];
        timestamp = byte & 0x7f;
        const last = at + MAX_EXACT_VARINT_BYTES - 1;
        for (let scale = 128; byte >= 0x80 && at < last; scale *= 128) {
          byte = bytes[++at];
          timestamp += (byte & 0x7f) * scale;
        }
        if (!(byte < 0x80) || ++at > end) return this.#addNew(bytes, start, end, before, false);
      } else if (tag === SOURCE || tag === TAGS) {
        let length = bytes[at + 1];
        let next = at + 2;
        if (length >= 0x80) length = length - 0x80 + bytes[next++] * 0x80;
        next += length;
        // Not so for more than two bytes of length, nor for NaN, where they are missing.
        if (!(length < 0x80 * 0x80 && next <= end)) return this.#addNew(bytes, start, end, before, false);
        held.add(bytes, at, next);
        at = next;
      } else {
        return this.#addNew(bytes, start, end, before, false);
      }
    }
    const shape = held.find();
    if (shape === undefined) this.#addNew(bytes, start, end, before, true);
    else this.#push(shape, timestamp);
  }

  take(): DecodedPoints {
    const taken = {
      length: this.#timestamps.length,
      shapes: this.#shapes.take(),
      shapeOf: this.#shapeOf.take(),
      timestamps: this.#timestamps.take(),
      values: this.#values.take(),
    };
    this.#newBytes = 0;
    // A stream that pauses is not to hold on to its last chunk.
    this.#view = NO_VIEW;
    return taken;
  }

  /** Adds a point whose shape is not held, by all the rules of protobuf; `before` is how many values there were. */
  #addNew(bytes: Uint8Array, start: number, end: number, before: number, isCanonical: boolean): void {
    const counted = this.#values.length - before;
    this.#values.length = before;
    const { source, timestamp, metrics, tags } = readPoint(new WireReader(bytes, start, end));
    this.#values.reserve(metrics.size);
    for (const value of metrics.values()) this.#values.items[this.#values.length++] = value;
    const shape = { source, metrics: [...metrics.keys()], tags: [...tags], batch: 0, place: 0 };
    // A name that came twice has one value: the next one of this identity has to be read again.
    if (isCanonical && counted === metrics.size) this.held.hold(shape, costOf(shape));
    this.#newBytes += SHAPE_BYTES + (end - start);
    this.#push(shape, timestamp);
  }

  #push(shape: HeldShape, timestamp: number): void {
    const i = this.#timestamps.length;
    this.#shapeOf.reserve(1);
    this.#shapeOf.items[i] = this.#shapes.place(shape);
    this.#timestamps.reserve(1);
    this.#timestamps.items[i] = timestamp;
    this.#shapeOf.length = this.#timestamps.length = i + 1;
  }
}

/** About how many bytes a shape takes with its series, each of which has a key with source and tags in it. */
function costOf({ source, metrics, tags }: PointShape): number {
  let common = source.length + SERIES_BYTES;
  for (const [key, value] of tags) common += key.length + value.length;
  let cost = SHAPE_BYTES + tags.length * SERIES_BYTES / 2;
  for (const metric of metrics) cost += common + metric.length * 2;
  return cost;
}

function readPoint(message: WireReader) {
  let source = "";
  let timestamp = 0n;
  const metrics = new Map<string, number>();
  const tags = new Map<string, string>();
  while (message.next()) {
    const { field, wireType } = message;
    if (field === 1 && wireType === LEN) source = message.string();
    else if (field === 2 && wireType === VARINT) timestamp = message.int64();
    else if (field === 3 && wireType === LEN) metrics.set(...readMetric(message.message()));
    else if (field === 4 && wireType === LEN) tags.set(...readTextEntry(message.message()));
    else message.skip();
  }
  return { source, timestamp: Number(timestamp), metrics, tags };
}

function readMetric(entry: WireReader): [name: string, value: number] {
  let name = "", value = 0;
  while (entry.next()) {
    if (entry.field === 1 && entry.wireType === LEN) name = entry.string();
    else if (entry.field === 2 && entry.wireType === I64) value = entry.double();
    else entry.skip();
  }
  return [name, value];
}

/** The points without the first `count`. */
export function skipPoints(
  { length, shapes, shapeOf, timestamps, values }: DecodedPoints,
  count: number,
): DecodedPoints {
  let skipped = 0;
  for (let i = 0; i < count; i++) skipped += shapes[shapeOf[i]].metrics.length;
  return {
    length: length - count,
    shapes,
    shapeOf: shapeOf.subarray(count),
    timestamps: timestamps.subarray(count),
    values: values.subarray(skipped),
  };
}
