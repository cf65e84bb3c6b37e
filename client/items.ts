/**
 * Data points and log entries as the caller writes them, and their messages.
 *
 * @module
 */
import type { FieldWriter } from "./writer.ts";

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

/** Writes a point. @throws {TypeError} if it does not have the shape; what its values are, the server judges. */
export function writePoint(writer: FieldWriter, point: PointInit, index: number): void {
  let field = "source";
  try {
    writeText(writer, 0x0a, point.source);
    field = "timestamp";
    writeTimestamp(writer, 0x10, point.timestamp);
    field = "metrics";
    const { metrics } = point;
    for (const name of Object.keys(metrics)) writer.doubleEntry(0x1a, name, metrics[name]);
    field = "tags";
    writeMap(writer, 0x22, point.tags ?? {});
  } catch (cause) {
    throw cannotEncode(`point ${index}`, field, cause);
  }
}

/** Writes a log entry. @throws {TypeError} if it does not have the shape; what its values are, the server judges. */
export function writeLog(writer: FieldWriter, entry: LogInit, index: number): void {
  let field = "application";
  try {
    writeText(writer, 0x0a, entry.application);
    field = "level";
    writeText(writer, 0x12, entry.level ?? "");
    field = "timestamp";
    writeTimestamp(writer, 0x18, entry.timestamp);
    field = "message";
    writeText(writer, 0x22, entry.message);
    field = "fields";
    writeMap(writer, 0x2a, entry.fields ?? {});
  } catch (cause) {
    throw cannotEncode(`log entry ${index}`, field, cause);
  }
}

/** What is no text would be sent as "undefined" and the like. */
function writeText(writer: FieldWriter, tag: number, value: string): void {
  if (typeof value !== "string") throw new TypeError(`must be a string, not ${value}`);
  if (value !== "") writer.string(tag, value);
}

function writeTimestamp(writer: FieldWriter, tag: number, timestamp: Timestamp): void {
  const ms = typeof timestamp === "bigint" ? timestamp : milliseconds(timestamp);
  // 0 or 0n.
  if (ms) writer.int64(tag, ms);
}

/** As a number: a bigint for each item would cost more than all the rest. */
function milliseconds(timestamp: number | Date): number {
  const ms = typeof timestamp === "number" ? timestamp : timestamp.getTime();
  if (!Number.isFinite(ms)) throw new RangeError(`must be a moment, not ${timestamp}`);
  return Math.floor(ms);
}

function writeMap(writer: FieldWriter, tag: number, map: Record<string, string>): void {
  for (const key of Object.keys(map)) writer.stringEntry(tag, key, map[key]);
}

function cannotEncode(what: string, field: string, cause: unknown): TypeError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new TypeError(`Cannot encode ${what}: ${field}: ${message}`, { cause });
}
