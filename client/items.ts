/**
 * Data points and log entries as the caller writes them, and their messages.
 *
 * @module
 */
import { type DataPoint, DataPointSchema, type LogEntry, LogEntrySchema } from "../gen/sluice/v1/data_collection_pb.ts";
import { toBinary } from "./deps.ts";

/** A moment: milliseconds since the epoch (a fraction is dropped), or a date. */
export type Timestamp = bigint | number | Date;

/** Values of one or more metrics of one source at one moment. */
export interface PointInit {
  /** Where the values come from, such as a host's name. */
  source: string;
  timestamp: Timestamp;
  /** Values by the metric's name; at least one, all finite. */
  metrics: Record<string, number>;
  tags?: Record<string, string>;
}

/** One line of a log. */
export interface LogInit {
  application: string;
  /** In any usual spelling ("warn", "WARNING", "W"). Default: INFO. */
  level?: string;
  timestamp: Timestamp;
  message: string;
  fields?: Record<string, string>;
}

/** Encodes a point. @throws {TypeError} if it does not have the shape; what its values are, the server judges. */
export function encodePoint(point: PointInit, index: number): Uint8Array {
  try {
    return toBinary(
      DataPointSchema,
      {
        $typeName: "sluice.v1.DataPoint",
        source: text("source", point.source),
        timestamp: milliseconds(point.timestamp),
        metrics: point.metrics,
        tags: point.tags ?? {},
      } satisfies DataPoint,
    );
  } catch (cause) {
    throw cannotEncode("point", index, cause);
  }
}

/** Encodes a log entry. @throws {TypeError} if it does not have the shape; what its values are, the server judges. */
export function encodeLog(entry: LogInit, index: number): Uint8Array {
  try {
    return toBinary(
      LogEntrySchema,
      {
        $typeName: "sluice.v1.LogEntry",
        application: text("application", entry.application),
        level: text("level", entry.level ?? ""),
        timestamp: milliseconds(entry.timestamp),
        message: text("message", entry.message),
        fields: entry.fields ?? {},
      } satisfies LogEntry,
    );
  } catch (cause) {
    throw cannotEncode("log entry", index, cause);
  }
}

/** What is no text would be sent as "undefined" and the like. */
function text(field: string, value: string): string {
  if (typeof value !== "string") throw new TypeError(`${field}: must be a string, not ${value}`);
  return value;
}

function milliseconds(timestamp: Timestamp): bigint {
  if (typeof timestamp === "bigint") return timestamp;
  const ms = typeof timestamp === "number" ? timestamp : timestamp.getTime();
  if (!Number.isFinite(ms)) throw new RangeError(`timestamp: must be a moment, not ${timestamp}`);
  return BigInt(Math.floor(ms));
}

function cannotEncode(what: string, index: number, cause: unknown): TypeError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new TypeError(`Cannot encode ${what} ${index}: ${message}`, { cause });
}
