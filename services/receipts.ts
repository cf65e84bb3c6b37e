/**
 * Receipts: what became of the items of a call, or of all of its stream.
 *
 * @module
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CollectionResultSchema, LogCollectionResultSchema } from "../gen/sluice/v1/data_collection_pb.ts";
import type { UploadResultSchema } from "../gen/sluice/v1/file_upload_pb.ts";
import type { StreamFile, StreamInfo } from "../store/stream_types.ts";
import { saturated } from "./tally.ts";

/** The counts that a receipt has. */
export type Counts = Pick<
  StreamInfo,
  "committed" | "accepted" | "rejected" | "filtered" | "duplicates" | "rejections"
>;

/** Receipt of points; `processingTime` is the call's, ms. */
export function pointsReceipt(counts: Counts, processingTime: number): MessageInitShape<typeof CollectionResultSchema> {
  return {
    totalProcessed: saturated(counts.committed),
    successfulCount: saturated(counts.accepted),
    errorCount: saturated(counts.rejected),
    errors: lines(counts),
    processingTimeMs: BigInt(Math.max(Math.round(processingTime), 0)),
    committed: BigInt(counts.committed),
    duplicateCount: BigInt(counts.duplicates),
    rejections: rejections(counts),
  };
}

/** Receipt of log entries. */
export function logsReceipt(counts: Counts): MessageInitShape<typeof LogCollectionResultSchema> {
  return {
    totalReceived: saturated(counts.committed),
    indexedCount: saturated(counts.accepted),
    status: counts.rejected === 0 ? "completed" : "partial",
    filteredCount: BigInt(counts.filtered),
    errorCount: BigInt(counts.rejected),
    committed: BigInt(counts.committed),
    duplicateCount: BigInt(counts.duplicates),
    rejections: rejections(counts),
  };
}

/** Receipt of a finished file. */
export function uploadReceipt(file: StreamFile): MessageInitShape<typeof UploadResultSchema> {
  return {
    fileId: file.fileId,
    fileName: file.name,
    totalSize: BigInt(file.totalSize),
    checksum: file.sha256,
    status: "completed",
    committed: BigInt(file.totalSize),
    chunkCount: BigInt(file.chunkCount),
  };
}

function lines({ rejections }: Counts): string[] {
  return rejections.map(({ index, field, reason }) => `item ${index}: ${field}: ${reason}`);
}

function rejections({ rejections }: Counts) {
  return rejections.map(({ index, ...rest }) => ({ ...rest, index: BigInt(index) }));
}
