/**
 * Every key that Sluice writes to KV. Points and logs begin with tenant and hour, so that a time range is a key range
 * and retention removes whole hours. All values begin with a format byte and an expiry (store/format/value.ts).
 *
 * | key | value |
 * |---|---|
 * | `schema` | version and identity of the store |
 * | `file`, tenant, file id | FileRecord |
 * | `blob`, blob id | BlobRecord: who claims the blob's pieces |
 * | `blocks`, blob id, n | checksums of the n-th 1,000 blocks |
 * | `piece`, blob id, epoch, n | the n-th 60 KiB of a piece, where blobs are kept in KV |
 * | `stream`, tenant, kind, stream id | StreamRecord |
 * | `open`, tenant, kind, stream id | nothing: the stream is not finished |
 * | `rejections`, tenant, kind, stream id | StreamRejections |
 * | `streams`, tenant | how many StreamRecords the tenant has (a sum) |
 * | `floor`, tenant | until when streams began whose records may be gone (uint48, ms) |
 * | `lease`, name | who may do what only one instance may (lease.ts) |
 * | `series`, tenant, series id | SeriesRecord |
 * | `points`, tenant, hour, segment id | point segment |
 * | `logs`, tenant, hour, segment id | log segment |
 * | `logindex`, tenant, hour, segment id | index of that log segment |
 * | `run`, kind, tenant, day, blob id | RunRecord: a run of points or logs, whose segments are in a blob |
 * | `deletion`, kind, tenant, id | DeletionRecord: of points or logs, of which some may be on the disk still |
 * | `deletions`, kind, tenant | id of the latest of them |
 * | `deleted`, tenant, id | DeletionRecord: one that is done, or of a file |
 * | `logjournal`, tenant, ms since the epoch, id | which log segments a commit stored, for some minutes |
 *
 * An hour, and a day, is a count since the epoch; ids are ULIDs (26 characters), a series id is 16 bytes.
 *
 * @module
 */
import type { StreamKind } from "../stream_types.ts";

export const schemaKey: Deno.KvKey = ["schema"];

export const fileKey = (tenant: string, id: string): Deno.KvKey => ["file", tenant, id];
export const filesPrefix = (tenant: string): Deno.KvKey => ["file", tenant];

export const blobKey = (blobId: string): Deno.KvKey => ["blob", blobId];
export const blobsPrefix: Deno.KvKey = ["blob"];

export const blocksKey = (blobId: string, n: number): Deno.KvKey => ["blocks", blobId, n];
export const blocksPrefix = (blobId: string): Deno.KvKey => ["blocks", blobId];

export const pieceKey = (blobId: string, epoch: number, n: number): Deno.KvKey => ["piece", blobId, epoch, n];
export const piecePrefix = (blobId: string, epoch: number): Deno.KvKey => ["piece", blobId, epoch];
export const piecesPrefix: Deno.KvKey = ["piece"];

export const streamKey = (tenant: string, kind: StreamKind, id: string): Deno.KvKey => ["stream", tenant, kind, id];
export const streamsPrefix = (tenant: string, kind: StreamKind): Deno.KvKey => ["stream", tenant, kind];
/** Records of all tenants. */
export const allStreamsPrefix: Deno.KvKey = ["stream"];
export const openStreamKey = (tenant: string, kind: StreamKind, id: string): Deno.KvKey => ["open", tenant, kind, id];
export const openStreamsPrefix = (tenant: string, kind: StreamKind): Deno.KvKey => ["open", tenant, kind];
export const rejectionsKey = (tenant: string, kind: StreamKind, id: string): Deno.KvKey => [
  "rejections",
  tenant,
  kind,
  id,
];
export const streamCountKey = (tenant: string): Deno.KvKey => ["streams", tenant];
export const streamFloorKey = (tenant: string): Deno.KvKey => ["floor", tenant];
export const leaseKey = (name: string): Deno.KvKey => ["lease", name];

export const seriesKvKey = (tenant: string, id: Uint8Array): Deno.KvKey => ["series", tenant, id];
export const seriesPrefix = (tenant: string): Deno.KvKey => ["series", tenant];

/** Kinds of value that stand under tenant, hour and segment id. */
export type HourKind = "points" | "logs" | "logindex";

export const segmentKey = (kind: HourKind, tenant: string, hour: number, id: string): Deno.KvKey => [
  kind,
  tenant,
  hour,
  id,
];

/** Kinds of item that runs hold. */
export type RunKind = "points" | "logs";

export const runKey = (kind: RunKind, tenant: string, day: number, id: string): Deno.KvKey => [
  "run",
  kind,
  tenant,
  day,
  id,
];
/** All runs of the days from `first` (inclusive) up to `end` (exclusive). */
export const runsRange = (kind: RunKind, tenant: string, first: number, end: number): Deno.KvListSelector => ({
  start: ["run", kind, tenant, first],
  end: ["run", kind, tenant, end],
});

export const deletionKey = (kind: RunKind, tenant: string, id: string): Deno.KvKey => ["deletion", kind, tenant, id];
export const deletionsPrefix = (kind: RunKind, tenant: string): Deno.KvKey => ["deletion", kind, tenant];
export const latestDeletionKey = (kind: RunKind, tenant: string): Deno.KvKey => ["deletions", kind, tenant];
export const deletedKey = (tenant: string, id: string): Deno.KvKey => ["deleted", tenant, id];
export const deletedPrefix = (tenant: string): Deno.KvKey => ["deleted", tenant];

export const journalKey = (tenant: string, at: number, id: string): Deno.KvKey => ["logjournal", tenant, at, id];
export const journalPrefix = (tenant: string): Deno.KvKey => ["logjournal", tenant];

/** All segments of the hours from `first` (inclusive) up to `end` (exclusive). */
export const hoursRange = (kind: HourKind, tenant: string, first: number, end: number): Deno.KvListSelector => ({
  start: [kind, tenant, first],
  end: [kind, tenant, end],
});
