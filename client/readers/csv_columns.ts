/**
 * What the columns of a CSV file mean.
 *
 * @module
 */
import type { PointInit } from "../items.ts";
import type { CsvOptions } from "./csv.ts";
import { parseNumber, parseTime, quote } from "./values.ts";

const TIME_NAMES = ["timestamp", "time", "ts", "date", "datetime"];
const SOURCE_NAMES = ["source", "host", "hostname", "instance"];

/** The columns by their meaning, as indexes in a row. */
export interface CsvColumns {
  readonly count: number;
  readonly time: number | undefined;
  readonly defaultTime: number | undefined;
  readonly source: number | undefined;
  readonly defaultSource: string | undefined;
  /** Where each row has one value. */
  readonly long: { readonly metric: number; readonly value: number } | undefined;
  readonly metrics: readonly Column[];
  readonly tags: readonly Column[];
}

interface Column {
  readonly name: string;
  readonly index: number;
}

/** @throws {SyntaxError} if the header does not say what it must. */
export function csvColumns(header: readonly string[], options: CsvOptions): CsvColumns {
  const names = header.map((name) => name.trim());
  const lower = names.map((name) => name.toLowerCase());
  const twice = lower.find((name, index) => lower.indexOf(name) !== index);
  if (twice !== undefined) throw new SyntaxError(`has two columns named ${quote(twice)}`);
  const named = (name: string): number => {
    const index = lower.indexOf(name.trim().toLowerCase());
    if (index === -1) throw new SyntaxError(`has no column ${quote(name)}: there are ${names.join(", ")}`);
    return index;
  };
  const oneOf = (usual: readonly string[]): number | undefined => {
    const name = usual.find((name) => lower.includes(name));
    return name === undefined ? undefined : lower.indexOf(name);
  };
  const column = (index: number): Column => ({ name: names[index], index });

  const time = options.timestamp === undefined ? oneOf(TIME_NAMES) : named(options.timestamp);
  if (time === undefined && options.defaultTime === undefined) {
    throw new SyntaxError(`has no column ${TIME_NAMES.join(", ")}: name the column of the time`);
  }
  const source = options.sourceColumn === undefined ? oneOf(SOURCE_NAMES) : named(options.sourceColumn);
  if (source === undefined && options.source === undefined) {
    throw new SyntaxError(`has no column ${SOURCE_NAMES.join(", ")}: name the source, or its column`);
  }
  const wantsLong = options.metric !== undefined || options.value !== undefined;
  const isLong = wantsLong || (options.metrics === undefined && lower.includes("metric") && lower.includes("value"));
  const long = isLong
    ? { metric: named(options.metric ?? "metric"), value: named(options.value ?? "value") }
    : undefined;

  const taken = new Set([time, source, long?.metric, long?.value]);
  const others = [...names.keys()].filter((index) => !taken.has(index) && names[index] !== "");
  const tags = options.tags?.map(named) ?? (isLong ? others : []);
  const metrics = isLong ? [] : options.metrics?.map(named) ?? others.filter((index) => !tags.includes(index));
  if (!isLong && metrics.length === 0) throw new SyntaxError("has no column that is a metric");
  return {
    count: names.length,
    time,
    defaultTime: options.defaultTime,
    source,
    defaultSource: options.source,
    long,
    metrics: metrics.map(column),
    tags: tags.map(column),
  };
}

/** A row as a point; undefined if it has no values. @throws {SyntaxError} if it is none. */
export function csvPoint(columns: CsvColumns, row: readonly string[]): PointInit | undefined {
  if (row.length !== columns.count) {
    throw new SyntaxError(`has ${row.length} fields instead of ${columns.count}`);
  }
  const values = columns.long === undefined
    ? columns.metrics.map(({ name, index }) => [name, row[index]])
    : [[row[columns.long.metric].trim(), row[columns.long.value]]];
  const metrics = values.filter(([, value]) => value.trim() !== "").map(([name, value]) => [
    name,
    parseNumber(value, quote(name)),
  ]);
  if (metrics.length === 0) return undefined;
  const source = (columns.source === undefined ? "" : row[columns.source].trim()) || columns.defaultSource;
  if (source === undefined) throw new SyntaxError("names no source");
  const timestamp = columns.time === undefined ? columns.defaultTime! : parseTime(row[columns.time]);
  const tags = columns.tags.map(({ name, index }) => [name, row[index]]).filter(([, value]) => value !== "");
  return { source, timestamp, metrics: Object.fromEntries(metrics), tags: Object.fromEntries(tags) };
}
