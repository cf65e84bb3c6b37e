/**
 * The kinds of streams that there are, as the sender sees them.
 *
 * @module
 */
import {
  type CollectionResult,
  DataCollectionService,
  type LogCollectionResult,
} from "../gen/sluice/v1/data_collection_pb.ts";
import { FileUploadService, type UploadResult } from "../gen/sluice/v1/file_upload_pb.ts";
import { type StreamInfo, StreamKind } from "../gen/sluice/v1/stream_pb.ts";
import type { DescMessage, DescMethodClientStreaming } from "./deps.ts";

/** One kind of stream, and the receipt that it has. */
export interface Kind<R> {
  readonly kind: StreamKind;
  readonly method: DescMethodClientStreaming<DescMessage, DescMessage>;
  /** Whether a window's place is told by headers; of a file its chunks tell it. */
  readonly placed: boolean;
  committed(receipt: R): number;
  /** Whether the stream is finished, with `end` items if the call said so. */
  finished(receipt: R, end: number | undefined): boolean;
  /** The receipt of a stream that is finished. */
  result(info: StreamInfo): R | undefined;
}

export const POINTS: Kind<CollectionResult> = {
  kind: StreamKind.POINTS,
  method: DataCollectionService.method.collectDataPoints,
  placed: true,
  committed: (receipt) => Number(receipt.committed),
  finished: (receipt, end) => end !== undefined && Number(receipt.committed) >= end,
  result: ({ result }) => result.case === "points" ? result.value : undefined,
};

export const LOGS: Kind<LogCollectionResult> = {
  kind: StreamKind.LOGS,
  method: DataCollectionService.method.collectLogs,
  placed: true,
  committed: (receipt) => Number(receipt.committed),
  finished: (receipt, end) => end !== undefined && Number(receipt.committed) >= end,
  result: ({ result }) => result.case === "logs" ? result.value : undefined,
};

export const FILE: Kind<UploadResult> = {
  kind: StreamKind.FILE,
  method: FileUploadService.method.uploadFile,
  placed: false,
  committed: ({ fileId, totalSize, committed }) => Number(fileId === "" ? committed : totalSize),
  finished: (receipt) => receipt.fileId !== "",
  result: ({ result }) => result.case === "upload" ? result.value : undefined,
};
