/**
 * What identifies the first item of a batch: the beginning of a SHA-256 over its content, however it was encoded. A stream
 * keeps that of its item 0, so that an id that is used again for something else shows.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { DecodedLogs } from "../decode/logs.ts";
import type { DecodedPoints } from "../decode/points.ts";
import { decodeUtf8 } from "../store/format/byte_reader.ts";
import { sortTags } from "../store/format/series.ts";

const HASH_BYTES = 16;

export function hashFirstPoint({ shapes, shapeOf, timestamps, values }: DecodedPoints): Uint8Array {
  const { source, metrics, tags } = shapes[shapeOf[0]];
  const samples = metrics.map((metric, i): [string, string] => [metric, String(values[i])]);
  return hash([source, timestamps[0], sortTags(samples), sortTags(tags)]);
}

export function hashFirstLog({ shapes, shapeOf, timestamps, texts, ends }: DecodedLogs): Uint8Array {
  const { application, level, keys } = shapes[shapeOf[0]];
  // Its message, and a value for each key.
  const own = Array.from(
    { length: keys.length + 1 },
    (_, t) => decodeUtf8(texts.subarray(t === 0 ? 0 : ends[t - 1], ends[t])),
  );
  return hash([application, level, timestamps[0], keys, own]);
}

function hash(content: unknown): Uint8Array {
  return new Uint8Array(createHash("sha256").update(JSON.stringify(content)).digest().subarray(0, HASH_BYTES));
}
