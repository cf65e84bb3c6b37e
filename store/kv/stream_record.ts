/**
 * The record of a stream in KV, and how a commit moves it.
 *
 * @module
 */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type StreamRecord,
  StreamRecordSchema,
  type StreamRejections,
  StreamRejectionsSchema,
  StreamState,
  type Upload,
  UploadSchema,
} from "../../gen/sluice/store/v1/records_pb.ts";
import { MAX_REJECTIONS, MAX_REJECTIONS_BYTES } from "../../limits.ts";
import { FORMAT } from "../format/value.ts";
import type { StreamFile, StreamInfo, StreamKind, StreamRejection } from "../stream_types.ts";
import type { Mutation } from "../types.ts";
import { openStreamKey, rejectionsKey, streamCountKey, streamKey } from "./keys.ts";
import { encodeRecord } from "./records.ts";

/** By how much a commit moves a stream. */
export interface StreamProgress {
  /** How far the stream is durable afterwards. */
  readonly to: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly filtered: number;
  readonly bytes: number;
  readonly rejections: readonly StreamRejection[];
}

/** What is kept of a file beside how far it is. */
export type UploadInit = MessageInitShape<typeof UploadSchema>;

/** What a stream is called. */
export interface StreamName {
  readonly tenant: string;
  readonly kind: StreamKind;
  readonly id: string;
  /** Time of the id's ULID, ms since the epoch. */
  readonly beganAt: number;
}

/** A record in which nothing is durable. */
export function newRecord(now: number): StreamRecord {
  return create(StreamRecordSchema, { state: StreamState.OPEN, createdAt: BigInt(now), updatedAt: BigInt(now) });
}

/** The record after a commit; `end` is how many items the stream has, if that is known. */
export function movedRecord(
  record: StreamRecord,
  progress: StreamProgress,
  { end, isFinished, commitId, duplicates, firstHash, now, upload }: {
    readonly end: number | undefined;
    readonly isFinished: boolean;
    readonly commitId: string;
    readonly duplicates: number;
    readonly firstHash: Uint8Array | undefined;
    readonly now: number;
    readonly upload: UploadInit | undefined;
  },
): StreamRecord {
  return create(StreamRecordSchema, {
    ...record,
    committed: BigInt(progress.to),
    accepted: record.accepted + BigInt(progress.accepted),
    rejected: record.rejected + BigInt(progress.rejected),
    filtered: record.filtered + BigInt(progress.filtered),
    duplicates: record.duplicates + BigInt(duplicates),
    bytes: record.bytes + BigInt(progress.bytes),
    end: end === undefined ? undefined : BigInt(end),
    state: isFinished ? StreamState.FINISHED : StreamState.OPEN,
    commitId,
    firstHash: record.firstHash.length > 0 ? record.firstHash : firstHash ?? record.firstHash,
    updatedAt: BigInt(now),
    upload: upload ? create(UploadSchema, upload) : record.upload,
  });
}

/** A record's changes in KV; `before` is undefined if there was none. `expires` in ms since the epoch. */
export function recordMutations(
  { tenant, kind, id }: StreamName,
  before: StreamRecord | undefined,
  after: StreamRecord,
  expires: number,
): Mutation[] {
  const mutations: Mutation[] = [{
    type: "set",
    key: streamKey(tenant, kind, id),
    value: encodeRecord(StreamRecordSchema, FORMAT.stream, expires, after),
  }];
  const isOpen = after.state === StreamState.OPEN;
  if (!before) {
    mutations.push({ type: "sum", key: streamCountKey(tenant), value: 1n });
    if (isOpen) mutations.push({ type: "set", key: openStreamKey(tenant, kind, id), value: encodeOpen() });
  } else if (!isOpen) {
    mutations.push({ type: "delete", key: openStreamKey(tenant, kind, id) });
  }
  return mutations;
}

/** The value under `open`, which says nothing by itself. */
function encodeOpen(): Uint8Array {
  return encodeRecord(StreamRecordSchema, FORMAT.openStream, 0, {});
}

/** The first rejections of a stream with those of a commit, or undefined if there is no room for any of them. */
export function addRejections(
  { rejections }: StreamRejections,
  added: readonly StreamRejection[],
): StreamRejections | undefined {
  const next: MessageInitShape<typeof StreamRejectionsSchema>["rejections"] & unknown[] = [...rejections];
  let bytes = toBinary(StreamRejectionsSchema, create(StreamRejectionsSchema, { rejections })).length;
  for (const rejection of added) {
    const init = { ...rejection, index: BigInt(rejection.index) };
    bytes += toBinary(StreamRejectionsSchema, create(StreamRejectionsSchema, { rejections: [init] })).length;
    if (next.length === MAX_REJECTIONS || bytes > MAX_REJECTIONS_BYTES) break;
    next.push(init);
  }
  return next.length === rejections.length ? undefined : create(StreamRejectionsSchema, { rejections: next });
}

export function rejectionsMutation({ tenant, kind, id }: StreamName, rejections: StreamRejections) {
  return {
    type: "set" as const,
    key: rejectionsKey(tenant, kind, id),
    value: encodeRecord(StreamRejectionsSchema, FORMAT.rejections, 0, { rejections: rejections.rejections }),
  };
}

const STATES = {
  [StreamState.UNSPECIFIED]: "open",
  [StreamState.OPEN]: "open",
  [StreamState.FINISHED]: "finished",
  [StreamState.EXPIRED]: "expired",
} as const;

export function streamInfo(
  kind: StreamKind,
  id: string,
  record: StreamRecord,
  rejections: readonly StreamRejection[],
): StreamInfo {
  return {
    kind,
    id,
    state: STATES[record.state],
    epoch: record.epoch,
    committed: Number(record.committed),
    accepted: Number(record.accepted),
    rejected: Number(record.rejected),
    filtered: Number(record.filtered),
    duplicates: Number(record.duplicates),
    bytes: Number(record.bytes),
    end: record.end === undefined ? undefined : Number(record.end),
    rejections,
    createdAt: Number(record.createdAt),
    updatedAt: Number(record.updatedAt),
    file: record.upload && streamFile(record.upload),
  };
}

function streamFile(upload: Upload): StreamFile {
  return {
    fileId: upload.blobId,
    name: upload.fileName,
    totalSize: Number(upload.totalSize),
    contentType: upload.contentType,
    chunkCount: Number(upload.chunkCount),
    sha256: upload.sha256,
    createdAt: Number(upload.storedAt),
  };
}

export function toRejections({ rejections }: StreamRejections): StreamRejection[] {
  return rejections.map(({ index, code, field, reason, retryable }) => ({
    index: Number(index),
    code,
    field,
    reason,
    retryable,
  }));
}
