/**
 * The decoders that are compared with protobuf-es.
 *
 * @module
 */
import { ChunkDecoder, type DecodedChunk } from "../../decode/chunks.ts";
import { type DecodedLogs, LogDecoder } from "../../decode/logs.ts";
import { type DecodedPoints, PointDecoder } from "../../decode/points.ts";
import { ShapeCache } from "../../decode/shape_cache.ts";
import { DataPointSchema, LogEntrySchema } from "../../gen/sluice/v1/data_collection_pb.ts";
import { FileChunkSchema } from "../../gen/sluice/v1/file_upload_pb.ts";
import { differ, type Subject } from "./differential.ts";

export const POINTS: Subject<typeof DataPointSchema, DecodedPoints> = {
  desc: DataPointSchema,
  open: () => new PointDecoder(new ShapeCache()),
  items: pointItems,
  item: ({ source, timestamp, metrics, tags }) => ({
    source,
    timestamp: Number(timestamp),
    metrics: sorted(Object.entries(metrics)),
    tags: sorted(Object.entries(tags)),
  }),
};

export const CHUNKS: Subject<typeof FileChunkSchema, readonly DecodedChunk[]> = {
  desc: FileChunkSchema,
  open: () => new ChunkDecoder(),
  items: (chunks) => chunks,
  item: ({ fileName, data, offset, totalSize, isLastChunk, checksum, fileChecksum, contentType }) => ({
    fileName,
    data,
    offset,
    totalSize,
    isLastChunk,
    checksum,
    fileChecksum,
    contentType,
  }),
};

export const LOGS: Subject<typeof LogEntrySchema, DecodedLogs> = {
  desc: LogEntrySchema,
  open: () => new LogDecoder(new ShapeCache()),
  items: logItems,
  item: ({ application, level, timestamp, message, fields }) => ({
    application,
    level,
    timestamp: Number(timestamp),
    texts: [message, ...Object.keys(fields).sort().map((key) => fields[key])],
    keys: Object.keys(fields).sort(),
  }),
};

/** Points of a batch, each with its metrics and tags sorted by name. */
export function pointItems({ length, shapes, shapeOf, timestamps, values }: DecodedPoints): unknown[] {
  let at = 0;
  const items = Array.from({ length }, (_, i) => {
    const { source, metrics, tags } = shapes[shapeOf[i]];
    const own = metrics.map((name): [string, number] => [name, values[at++]]);
    return { source, timestamp: timestamps[i], metrics: sorted(own), tags: sorted(tags) };
  });
  if (at !== values.length) throw new Error(`${values.length} values, but the shapes have ${at}`);
  return items;
}

function sorted<T>(entries: readonly (readonly [name: string, T])[]): unknown[] {
  return entries.toSorted(([a], [b]) => a < b ? -1 : 1);
}

/** Entries of a batch; the units of their texts are looked at too. */
export function logItems({ shapes, shapeOf, timestamps, firsts, texts, ends, units }: DecodedLogs): unknown[] {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  return Array.from(timestamps, (timestamp, i) => {
    const { application, level, keys } = shapes[shapeOf[i]];
    const own = Array.from({ length: 1 + keys.length }, (_, k) => {
      const t = firsts[i] + k;
      const text = decoder.decode(texts.subarray(t === 0 ? 0 : ends[t - 1], ends[t]));
      return text.length === units[t] ? text : `${text} has not ${units[t]} units`;
    });
    return { application, level, timestamp, texts: own, keys };
  });
}

/** Runs `differ()` for a decoder by the name of its messages. */
export const DIFFER: Readonly<Record<string, (count: number, seed: number) => number>> = {
  DataPoint: (count, seed) => differ(POINTS, count, seed),
  LogEntry: (count, seed) => differ(LOGS, count, seed),
  FileChunk: (count, seed) => differ(CHUNKS, count, seed),
};
