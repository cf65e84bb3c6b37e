/**
 * Points and log entries from NDJSON: one JSON object in each line.
 *
 * @module
 */
import type { LogInit, PointInit } from "../items.ts";
import { type LogFields, logOf, type LogReaderOptions } from "./log_fields.ts";
import { assertDecoded, parseLines, type ReaderOptions, type TextSource } from "./lines.ts";
import { asText, parseNumber, parseTime, quote } from "./values.ts";

/** How points are read. */
export interface NdjsonPointOptions extends ReaderOptions {
  /** The source of objects that name none. */
  source?: string;
}

/**
 * The points of an NDJSON text: `{"source", "timestamp", "metrics": {...}, "tags": {...}}`, or with `"metric"` and
 * `"value"` in place of `"metrics"`. For times see {@linkcode parseTime}.
 *
 * @throws {ReaderError} See {@linkcode ReaderOptions.onError}.
 *
 * @example
 * ```ts
 * import { ndjsonPoints } from "./ndjson.ts";
 *
 * const line = '{"source":"web-1","timestamp":1795500000,"metric":"cpu","value":0.7}';
 * const points = await Array.fromAsync(ndjsonPoints(new Blob([line]).stream()));
 * console.assert(points[0].metrics.cpu === 0.7);
 * ```
 */
export function ndjsonPoints(source: TextSource, options: NdjsonPointOptions = {}): AsyncGenerator<PointInit> {
  return parseLines(source, options, (line) => {
    assertDecoded(line);
    return pointOf(parseObject(line), options);
  });
}

/**
 * The log entries of an NDJSON text. Application, level, time and message are taken from the usual names (such as
 * `app`, `severity`, `@timestamp`, `msg`); all else becomes fields.
 *
 * @throws {ReaderError} See {@linkcode ReaderOptions.onError}.
 */
export function ndjsonLogs(source: TextSource, options: LogReaderOptions = {}): AsyncGenerator<LogInit> {
  return parseLines(source, options, (line) => logOf(parseObject(line), options));
}

function parseObject(line: string): LogFields {
  const value: unknown = JSON.parse(line);
  if (isObject(value)) return value;
  throw new SyntaxError(`must be a JSON object: ${quote(value)}`);
}

function pointOf(object: LogFields, options: NdjsonPointOptions): PointInit {
  const source = object.source ?? options.source;
  if (typeof source !== "string" || source === "") throw new SyntaxError('names no "source"');
  const timestamp = parseTime(object.timestamp ?? object.time ?? object.ts);
  const tags = object.tags ?? {};
  if (!isObject(tags)) throw new SyntaxError(`"tags" must be an object: ${quote(tags)}`);
  return { source, timestamp, metrics: metricsOf(object), tags: mapped(tags, asText) };
}

function metricsOf({ metrics, metric, value }: LogFields): Record<string, number> {
  if (isObject(metrics)) return mapped(metrics, (value, name) => parseNumber(value, quote(name)));
  if (typeof metric === "string") return Object.fromEntries([[metric, parseNumber(value, '"value"')]]);
  throw new SyntaxError('has neither "metrics" nor "metric" and "value"');
}

function mapped<T>(object: LogFields, map: (value: unknown, name: string) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(value, name)]));
}

function isObject(value: unknown): value is LogFields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
