/**
 * Log entries in columns (LogBatch): made from records, taken apart and put together.
 *
 * @module
 */
import type { LogBatch, LogRecord, LogShape, StoredLog } from "../log_types.ts";
import { ByteWriter } from "./byte_writer.ts";

/** Entries to be packed. Those that were stored before have an id. */
export interface LogColumns extends LogBatch {
  readonly ids?: readonly (string | undefined)[];
}

/** A batch, whatever its shapes are. */
export type LogTexts<S> = Omit<LogBatch, "shapes"> & { readonly shapes: readonly S[] };

/** The entries from `first` up to `end` of a batch. */
export interface LogRange<S = LogShape> {
  readonly batch: LogTexts<S>;
  readonly first: number;
  readonly end: number;
}

/** The entries of all ranges, one range after the other; of one whole batch, that batch itself. */
export function joinLogs<S>(ranges: readonly LogRange<S>[]): LogTexts<S> {
  const [{ batch, first, end }] = ranges;
  if (ranges.length === 1 && first === 0 && end === batch.timestamps.length) return batch;
  let entries = 0, texts = 0, bytes = 0;
  for (const range of ranges) {
    const span = textSpan(range);
    entries += range.end - range.first;
    texts += span.endText - span.firstText;
    bytes += span.endByte - span.firstByte;
  }
  const places = new Map<S, number>();
  const joined = {
    shapeOf: new Int32Array(entries),
    timestamps: new Float64Array(entries),
    firsts: new Int32Array(entries),
    texts: new Uint8Array(bytes),
    ends: new Int32Array(texts),
    units: new Int32Array(texts),
  };
  let entry = 0, text = 0, byte = 0;
  for (const range of ranges) {
    const { shapes, shapeOf, timestamps, firsts, ends, units } = range.batch;
    const { firstText, endText, firstByte, endByte } = textSpan(range);
    joined.timestamps.set(timestamps.subarray(range.first, range.end), entry);
    for (let i = range.first; i < range.end; i++, entry++) {
      const shape = shapes[shapeOf[i]];
      let place = places.get(shape);
      if (place === undefined) places.set(shape, place = places.size);
      joined.shapeOf[entry] = place;
      joined.firsts[entry] = firsts[i] - firstText + text;
    }
    joined.texts.set(range.batch.texts.subarray(firstByte, endByte), byte);
    joined.units.set(units.subarray(firstText, endText), text);
    for (let t = firstText; t < endText; t++) joined.ends[text++] = ends[t] - firstByte + byte;
    byte += endByte - firstByte;
  }
  return { ...joined, shapes: Array.from(places.keys()) };
}

/** Columns of entries that are there one by one. */
export function toLogColumns(records: readonly (LogRecord | StoredLog)[]): LogColumns {
  const shapes: LogShape[] = [];
  const places = new Map<string, number>();
  const shapeOf: number[] = [];
  const firsts: number[] = [];
  const ends: number[] = [];
  const units: number[] = [];
  const texts = new ByteWriter(1024);
  for (const { application, level, message, fields } of records) {
    const shape = { application, level, keys: fields.map(([key]) => key) };
    const identity = JSON.stringify(shape);
    let place = places.get(identity);
    if (place === undefined) places.set(identity, place = shapes.push(shape) - 1);
    shapeOf.push(place);
    firsts.push(ends.length);
    for (const text of [message, ...fields.map(([, value]) => value)]) {
      texts.text(text);
      ends.push(texts.length);
      units.push(text.length);
    }
  }
  return {
    shapes,
    shapeOf: Int32Array.from(shapeOf),
    timestamps: Float64Array.from(records, ({ timestamp }) => timestamp),
    firsts: Int32Array.from(firsts),
    texts: texts.finish(),
    ends: Int32Array.from(ends),
    units: Int32Array.from(units),
    ids: records.map((record) => "id" in record ? record.id : undefined),
  };
}

/** The texts that belong to a range, and their bytes. */
function textSpan({ batch: { firsts, ends }, first, end }: LogRange<unknown>) {
  const firstText = firsts[first];
  const endText = end < firsts.length ? firsts[end] : ends.length;
  return {
    firstText,
    endText,
    firstByte: firstText === 0 ? 0 : ends[firstText - 1],
    endByte: endText === 0 ? 0 : ends[endText - 1],
  };
}
