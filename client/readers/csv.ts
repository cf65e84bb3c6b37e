/**
 * Points from CSV: RFC 4180, with a header row. Quoted fields may hold line ends; outside of them a line ends with LF
 * or CRLF.
 *
 * Not a library's parser: the well-kept ones that read in pieces need Node's Buffer or hold a whole chunk's rows.
 *
 * @module
 */
import type { PointInit } from "../items.ts";
import { type CsvColumns, csvColumns, csvPoint } from "./csv_columns.ts";
import { CsvRecord } from "./csv_record.ts";
import {
  assertDecoded,
  attempt,
  HeaderError,
  ReaderError,
  type ReaderOptions,
  readLines,
  type TextSource,
} from "./lines.ts";

/** Columns of a file at the most: a point's 128 metrics and 32 tags, and what else stands in a wide table. */
const MAX_COLUMNS = 1000;

/** What the columns of a CSV file are. Names are those of the header row, in any case. */
export interface CsvOptions extends ReaderOptions {
  /** One character. Default: a comma. */
  delimiter?: string;
  /** The names of the columns, for a file without a header row. */
  columns?: readonly string[];
  /** Column of the time (see {@linkcode parseTime}). Default: `timestamp`, `time`, `ts`, `date` or `datetime`. */
  timestamp?: string;
  /** Column of the source. Default: `source`, `host`, `hostname` or `instance`, if there is one. */
  sourceColumn?: string;
  /** The source of rows that name none. */
  source?: string;
  /** Column of the metric's name, where each row has one value. Default: `metric`, if there is `value` too. */
  metric?: string;
  /** Column of the value, where each row has one. Default: `value`, if there is `metric` too. */
  value?: string;
  /** Columns that are tags. Default: where each row has one value, all others; otherwise none. */
  tags?: readonly string[];
  /** Columns that are metrics. Default: where a row has several values, all that are nothing else. */
  metrics?: readonly string[];
  /** The time of every row, for a file that has none; ms since the epoch. */
  defaultTime?: number;
}

/**
 * The points of a CSV file: either one value in each row (columns `metric` and `value`), or one metric in each column.
 * An empty cell is no value. A row that is no point, or has too few or too many fields, is an error with its line.
 *
 * @throws {ReaderError} See {@linkcode ReaderOptions.onError}; always, as a HeaderError, if the header does not say what it
 * must.
 *
 * @example
 * ```ts
 * import { csvPoints } from "./csv.ts";
 *
 * const text = "time,host,cpu,load\n2026-11-24T10:00:00Z,web-1,0.7,1.5\n";
 * const points = await Array.fromAsync(csvPoints(new Blob([text]).stream()));
 * console.assert(points[0].metrics.load === 1.5);
 * ```
 */
export async function* csvPoints(source: TextSource, options: CsvOptions = {}): AsyncGenerator<PointInit> {
  const record = new CsvRecord(options.delimiter, MAX_COLUMNS, options.maxLineChars);
  let columns: CsvColumns | undefined = options.columns && csvColumns(options.columns, options);
  /** Where the record began; a quoted field can go over many lines. */
  let begin = 1;
  for await (const { lines, first } of readLines(source, { ...options, onError: undefined })) {
    for (let i = 0; i < lines.length; i++) {
      if (record.empty) begin = first + i;
      // Without a header nothing can be understood, so there is no going on.
      const fields = fieldsOf(record, lines[i], begin, columns === undefined ? {} : options);
      if (fields === undefined) continue;
      if (columns === undefined) {
        columns = columnsOf(begin, fields, options);
        continue;
      }
      const known = columns;
      const point = attempt(begin, options, () => csvPoint(known, fields));
      if (point !== undefined) yield point;
    }
  }
  if (!record.empty) throw new ReaderError(begin, "has a quoted field that does not end");
}

function columnsOf(line: number, header: readonly string[], options: CsvOptions): CsvColumns {
  try {
    return csvColumns(header, options);
  } catch (cause) {
    throw new HeaderError(line, cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** The record that ends with this line; undefined if none does, or it is blank, or the error was reported. */
function fieldsOf(record: CsvRecord, line: string, begin: number, options: CsvOptions): string[] | undefined {
  if (record.empty && (line === "" || line === "\r")) return undefined;
  return attempt(begin, record.tooLong(line) ? {} : options, () => {
    const fields = record.push(line);
    if (fields !== undefined) assertDecoded(fields.join(""));
    return fields;
  });
}
