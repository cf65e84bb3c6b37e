/**
 * What services ask of stores. Services know only this file; store/kv and store/blob implement it.
 *
 * @module
 */

import type { BatchPlace, Stream } from "./stream_types.ts";

// ---- points ----

/** What identifies a series. Two are the same if these are equal; the order of tags never matters. */
export interface Series {
  readonly source: string;
  readonly metric: string;
  /** Sorted by key (code units), keys unique. */
  readonly tags: readonly (readonly [key: string, value: string])[];
  /** `seriesKey()` of the other three: equal keys, equal series. */
  readonly key: string;
}

/**
 * Validated points in columns. Point `i` has the timestamp `timestamps[i]` and the samples from `ends[i - 1]` (0 for the
 * first) up to `ends[i]`; sample `j` belongs to `series[seriesOf[j]]` and has the value `values[j]`.
 */
export interface PointBatch {
  readonly series: readonly Series[];
  /** ms since the epoch, one a point. */
  readonly timestamps: Float64Array;
  readonly ends: Int32Array;
  readonly seriesOf: Int32Array;
  readonly values: Float64Array;
}

/** Takes the points of one call. */
export interface PointWriter {
  /** Which of these series may not be kept, because the tenant does not know them and has no room for more. */
  refused(series: readonly Series[]): Promise<ReadonlySet<Series>>;
  /**
   * Takes a batch; resolves when there is room for more, which is before it is durable. On a stream `place` says where it
   * stands, and batches come without a gap, empty ones too where all is refused; what of them is durable is so with the
   * stream's record, or not at all.
   */
  write(batch: PointBatch, place?: BatchPlace): Promise<void>;
  /** Resolves when all that was written is durable; rejects if any of it is not. */
  flush(): Promise<void>;
}

export interface SeriesFilter {
  readonly source?: string;
  readonly metric?: string;
  readonly tags: readonly (readonly [key: string, value: string])[];
}

export interface MetricsQuery extends SeriesFilter {
  /** ms since the epoch; `from` inclusive, `to` exclusive. */
  readonly from: number;
  readonly to: number;
  /** Width of a bucket in ms; 0 is one bucket for all. */
  readonly step: number;
  /** Whether buckets need a sketch. */
  readonly quantiles: readonly number[];
  /** What series have alike that go into one result; undefined: each is one by itself. */
  readonly groupBy?: readonly GroupKey[];
  /** Whether to say how much counters rose. */
  readonly increase?: boolean;
  /** Series, and buckets, at the most. Default: MAX_QUERY_SERIES and MAX_QUERY_BUCKETS. */
  readonly limits?: { readonly series: number; readonly buckets: number };
}

/** What series are grouped by. */
export type GroupKey = { readonly type: "source" } | { readonly type: "metric" } | {
  readonly type: "tag";
  readonly name: string;
};

export interface BucketResult {
  readonly start: number;
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  readonly last: number;
  /** In the order asked for. */
  readonly quantiles: readonly number[];
  /** How much counters rose; 0 if that was not asked for. */
  readonly increase: number;
}

/** Buckets of a series, or of a group of them, in the order of time. */
export interface SeriesBuckets {
  readonly series: Series;
  readonly buckets: readonly BucketResult[];
}

/** What a query has read. */
export interface MetricsRead {
  /** Beginning of the range as far as it is within retention, ms since the epoch. */
  readonly from: number;
  readonly opened: number;
  readonly skipped: number;
  /** Segments that are damaged: what they held is in no bucket. */
  readonly damaged: number;
}

export interface MetricsResult extends MetricsRead {
  readonly series: readonly SeriesBuckets[];
}

export interface MetricsParts extends MetricsRead {
  /** Each is worked out when it is taken, and can be taken once. The buckets of a series may be in several. */
  readonly parts: AsyncIterable<readonly SeriesBuckets[]>;
}

export interface PointStore {
  writer(tenant: string, stream?: Stream): PointWriter;
  query(tenant: string, query: MetricsQuery, signal: AbortSignal): Promise<MetricsResult>;
  /** The same, in parts of `most` buckets. */
  queryParts(tenant: string, query: MetricsQuery, most: number, signal: AbortSignal): Promise<MetricsParts>;
  /** Series in the order of their ids, after the id `after`. */
  series(
    tenant: string,
    filter: SeriesFilter,
    limit: number,
    after: string | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly series: readonly Series[]; readonly next: string | undefined }>;
}

// ---- files ----

export interface FileInfo {
  readonly id: string;
  readonly name: string;
  readonly size: number;
  /** Lower-case hex SHA-256. */
  readonly sha256: string;
  readonly contentType: string;
  readonly chunkCount: number;
  /** ms since the epoch. */
  readonly createdAt: number;
}

/** The stream that an upload comes by, and what is known of its file. */
export interface UploadStream {
  readonly stream: Stream;
  readonly file: {
    readonly name: string;
    readonly contentType: string;
    /** 0 if unknown. */
    readonly totalSize: number;
  };
}

/**
 * Takes the bytes of one file. Ends with `finish` or `abort`; on a stream, what has come is committed about every second,
 * and it ends with `finish` or `suspend`. Of two writers on one stream, the older one's calls end in ABORTED, once it
 * comes to a commit; FAILED_PRECONDITION if the upload stood still for too long and was removed.
 */
export interface FileWriter {
  /** Bytes that were durable when the writer was opened: what comes is behind them. */
  readonly committed: number;
  /** Chunks that those bytes came in. */
  readonly chunkCount: number;
  /** The next bytes of the file, one chunk; resolves when there is room for more. */
  append(data: Uint8Array): Promise<void>;
  /** Says how many bytes the file will have, if that was not known. */
  setTotalSize(totalSize: number): void;
  /**
   * Makes the file visible, with all its bytes durable. DATA_LOSS, and no file, if `sha256` (lower-case hex) is given and
   * is not that of the bytes.
   */
  finish(file: { name: string; contentType: string; chunkCount: number; sha256?: string }): Promise<FileInfo>;
  /** Removes what was written. */
  abort(): Promise<void>;
  /** On a stream: commits what has come, for another call to go on; never removes anything. Rejects if not all of it is durable. */
  suspend(): Promise<void>;
}

/** Bytes from `start` (inclusive) up to `end` (exclusive). */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export interface FileStore {
  /** A new file, or the one that a stream goes on with, which the writer takes. */
  writer(tenant: string, stream?: UploadStream): Promise<FileWriter>;
  get(tenant: string, id: string): Promise<FileInfo | undefined>;
  /** Newest first, those older than the id `before`. */
  list(tenant: string, limit: number, before: string | undefined): Promise<readonly FileInfo[]>;
  /** The file's bytes, each block verified before any byte of it is given out; throws DATA_LOSS at a damaged one. */
  read(tenant: string, id: string, range: ByteRange, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** The durable bytes of an upload, whether it is finished or not, each block verified; NOT_FOUND if they are gone. */
  readUpload(tenant: string, id: string, range: ByteRange, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Whether there was one. */
  remove(tenant: string, id: string): Promise<boolean>;
}

// ---- blobs ----

/** What one epoch wrote of a blob. */
export interface Piece {
  readonly epoch: number;
  /** Committed bytes; what the piece holds beyond does not exist. */
  readonly length: number;
}

/** One change of KV that belongs to a commit. */
export type Mutation =
  | { readonly type: "set"; readonly key: Deno.KvKey; readonly value: Uint8Array }
  /** Adds to a count; below zero it wraps round at 2^64, so that one can take away. */
  | { readonly type: "sum"; readonly key: Deno.KvKey; readonly value: bigint }
  | { readonly type: "delete"; readonly key: Deno.KvKey };

/** Appends to one piece. Not for concurrent use. Once it has failed it takes no more: what follows is for the next epoch. */
export interface PieceWriter {
  /** How many bytes `append` takes before the next `sync`: Infinity where nothing has to wait for it. */
  readonly room: number;
  /** `data` may be used for something else once this has resolved. */
  append(data: Uint8Array): Promise<void>;
  /**
   * Makes what was appended durable, and says how much of it is: up to the end of one of the appends. A store of large
   * objects leaves what does not fill one for later, unless `all` is set. `mutations` are what must be in the commit that
   * counts these bytes: nothing for most stores, the bytes themselves where the store is KV.
   */
  sync(all: boolean): Promise<{ readonly length: number; readonly mutations: readonly Mutation[] }>;
  /** No more will be appended; what was synced stays. */
  seal(): Promise<void>;
}

/** Keeps the bytes of blobs as pieces. */
export interface BlobStore {
  /** Begins a piece. ALREADY_EXISTS if there is one: an epoch has one writer. */
  create(blobId: string, epoch: number): Promise<PieceWriter>;
  /** The bytes of the given range of the blob that these pieces make up. DATA_LOSS where bytes are missing. */
  read(blobId: string, pieces: readonly Piece[], range: ByteRange): AsyncIterable<Uint8Array>;
  /** Every piece, with the time of its last change where the store knows it (else that of its blob's id). */
  list(): AsyncIterable<{ readonly blobId: string; readonly epoch: number; readonly changedAt: number }>;
  /** Removes a piece; nothing if there is none. */
  remove(blobId: string, epoch: number): Promise<void>;
}
