/**
 * What services ask of the store of logs; store/kv implements it.
 *
 * @module
 */
import type { LogCondition } from "./log_condition.ts";
import type { BatchPlace, Stream } from "./stream_types.ts";

/** Levels in ascending order; a record's level is an index into it. */
export const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"] as const;

/** A log entry. */
export interface LogRecord {
  readonly application: string;
  /** Index into LEVELS. */
  readonly level: number;
  /** ms since the epoch. */
  readonly timestamp: number;
  readonly message: string;
  /** Sorted by key (code units), keys unique. */
  readonly fields: readonly (readonly [key: string, value: string])[];
}

/** A stored log entry. Entries are ordered by timestamp, then id (as text). */
export interface StoredLog extends LogRecord {
  readonly id: string;
}

/** What log entries have in common. */
export interface LogShape {
  readonly application: string;
  /** Index into LEVELS. */
  readonly level: number;
  /** Keys of the fields, each once, sorted by code units. */
  readonly keys: readonly string[];
}

/**
 * Validated log entries in columns: entry `i` has the shape `shapes[shapeOf[i]]`, and the texts from `firsts[i]` up to the
 * next entry's: its message, and then the value of each key of its shape. Text `t` is the UTF-8 in `texts` from
 * `ends[t - 1]` (0 for the first) up to `ends[t]`.
 */
export interface LogBatch {
  readonly shapes: readonly LogShape[];
  readonly shapeOf: Int32Array;
  /** ms since the epoch. */
  readonly timestamps: Float64Array;
  readonly firsts: Int32Array;
  readonly texts: Uint8Array;
  readonly ends: Int32Array;
  /** UTF-16 code units of each text. */
  readonly units: Int32Array;
}

/** Takes the entries of one call. */
export interface LogWriter {
  /** Takes a batch, as PointWriter does. */
  write(batch: LogBatch, place?: BatchPlace): Promise<void>;
  /** Resolves when all that was written is durable; rejects if any of it is not. */
  flush(): Promise<void>;
}

export interface LogSearch {
  readonly where: LogCondition;
  /** ms since the epoch: from `from` (inclusive) up to `to` (exclusive). */
  readonly from: number;
  readonly to: number;
  readonly newestFirst: boolean;
  readonly limit: number;
  /** Only what comes after this entry, in the order asked for. */
  readonly after?: { readonly timestamp: number; readonly id: string };
}

/** A place in an entry, in UTF-16 code units: from `start` (inclusive) up to `end` (exclusive). */
export interface Highlight {
  /** Index of the field whose value it is in; undefined for the message. */
  readonly field: number | undefined;
  readonly start: number;
  readonly end: number;
}

export interface LogSearchResult {
  readonly hits: readonly StoredLog[];
  /** Whether there may be more after the last hit. */
  readonly more: boolean;
  readonly opened: number;
  readonly skipped: number;
  /** Segments that are damaged, or whose index is; what can be read of the latter is among the hits. */
  readonly damaged: number;
}

/** What entries can be counted by. */
export type FacetKey =
  | { readonly type: "application" }
  | { readonly type: "level" }
  | { readonly type: "field"; readonly name: string };

export interface LogCounting {
  readonly where: LogCondition;
  /** ms since the epoch: from `from` (inclusive) up to `to` (exclusive). */
  readonly from: number;
  readonly to: number;
  /** Width of a bucket, ms; 0 for one bucket of the whole range. */
  readonly step: number;
  readonly facets: readonly FacetKey[];
  /** Values of each facet. */
  readonly limit: number;
}

/** Entries by the beginning of their bucket, in order. */
export type Histogram = readonly (readonly [start: number, count: number])[];

export interface LogCounts {
  readonly count: number;
  readonly histogram: Histogram;
  /** In the order asked for. */
  readonly facets: readonly {
    /** The most frequent first; of equally frequent ones, in the order of their texts. */
    readonly values: readonly { readonly value: string; readonly count: number; readonly histogram: Histogram }[];
    /** Entries that have another value. */
    readonly other: number;
  }[];
  readonly opened: number;
  readonly skipped: number;
  readonly damaged: number;
}

/** Entries that have been committed since one asked before. */
export interface TailedLogs {
  readonly entries: readonly StoredLog[];
  /** Entries that there was no room for. */
  readonly missed: number;
}

/** Follows logs as they are committed. It must be closed. */
export interface LogTail {
  /**
   * What has come, as soon as there is something, up to TAIL_MESSAGE_ENTRIES and without what is deleted. UNAVAILABLE if
   * there is no telling any more; the signal's reason.
   */
  next(signal: AbortSignal): Promise<TailedLogs>;
  close(): void;
}

export interface LogStore {
  writer(tenant: string, stream?: Stream): LogWriter;
  search(tenant: string, search: LogSearch, signal: AbortSignal): Promise<LogSearchResult>;
  count(tenant: string, counting: LogCounting, signal: AbortSignal): Promise<LogCounts>;
  /** What is committed after this has resolved is followed. RESOURCE_EXHAUSTED if too many calls do so. */
  tail(tenant: string, where: LogCondition): Promise<LogTail>;
}
