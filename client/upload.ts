/**
 * Uploading files.
 *
 * @module
 */
import { FileUploadService, type UploadResult } from "../gen/sluice/v1/file_upload_pb.ts";
import { ChunkedFile, writeChunk } from "./chunks.ts";
import { Code, ConnectError } from "./deps.ts";
import { createMeter, type OnProgress } from "./progress.ts";
import { type FileSource, openSource } from "./source.ts";
import { callClientStreaming, type Endpoint } from "./stream_call.ts";

/**
 * Bytes of a chunk by default. What a chunk costs beyond its bytes (two digests, a message) is then a few percent of
 * it, and a dozen of them are still small.
 */
const CHUNK_BYTES = 256 * 1024;

/** Bytes of a chunk at the most: a server takes messages of 4 MiB, of which the chunk's other fields need a little. */
const MAX_CHUNK_BYTES = 4 * 1024 * 1024 - 4 * 1024;

/** Files that are uploaded at once by default. */
const MAX_CONCURRENCY = 4;

/** How one file is uploaded. */
export interface UploadOptions {
  /** Name of the file. Default: the source's own, which bytes and streams do not have. */
  name?: string;
  /** Media type. Default: the source's own, or what the server makes of the name's extension. */
  contentType?: string;
  /** Bytes of data in a chunk, from 1 to 4 MiB less 4 KiB. Default: 256 KiB. */
  chunkSize?: number;
  /** Whether to send SHA-256s, which the server then verifies, and to verify the receipt's. Default: true. */
  checksum?: boolean;
  /** In bytes. */
  onProgress?: OnProgress;
  signal?: AbortSignal;
}

/** One of several files: a source alone, or with its name and media type. */
export type UploadItem = FileSource | { source: FileSource; name?: string; contentType?: string };

/** How several files are uploaded. */
export interface UploadFilesOptions extends Omit<UploadOptions, "name" | "contentType" | "onProgress"> {
  /** How many are under way at once. Default: 4. */
  maxConcurrency?: number;
  /** In bytes, of the file at `index`. */
  onProgress?: (index: number, ...progress: Parameters<OnProgress>) => void;
}

/** What became of one of several files. */
export type UploadOutcome = { ok: true; result: UploadResult } | { ok: false; error: unknown };

/** Implements `uploadFile` of the client. */
export async function uploadFile(
  endpoint: Endpoint,
  source: FileSource,
  options: UploadOptions = {},
): Promise<UploadResult> {
  const { chunkSize = CHUNK_BYTES, checksum = true, signal } = options;
  if (!Number.isInteger(chunkSize) || chunkSize < 1 || chunkSize > MAX_CHUNK_BYTES) {
    throw new RangeError(`Cannot use chunkSize: it must be from 1 to ${MAX_CHUNK_BYTES}, not ${chunkSize}`);
  }
  signal?.throwIfAborted();
  const opened = await openSource(source);
  const name = options.name ?? opened.name;
  if (name === "") throw new TypeError("Cannot upload a source without a name: give options.name");

  const file = new ChunkedFile(opened, {
    name,
    contentType: options.contentType ?? opened.contentType,
    chunkSize,
    checksum,
  });
  const meter = createMeter(options.onProgress, opened.size);
  const result = await callClientStreaming(endpoint, FileUploadService.method.uploadFile, {
    items: file.chunks(),
    write: writeChunk,
    onBatch: () => meter?.(file.sent),
    signal,
  });
  if (file.checksum !== undefined && result.checksum !== file.checksum) {
    throw new ConnectError(
      `"${name}" has SHA-256 ${file.checksum}, but the server stored ${result.checksum} as ${result.fileId}`,
      Code.DataLoss,
    );
  }
  return result;
}

/** Implements `uploadFiles` of the client. */
export async function uploadFiles(
  endpoint: Endpoint,
  items: Iterable<UploadItem>,
  options: UploadFilesOptions = {},
): Promise<UploadOutcome[]> {
  const { maxConcurrency = MAX_CONCURRENCY, onProgress, ...common } = options;
  if (!Number.isInteger(maxConcurrency) || maxConcurrency < 1) {
    throw new RangeError(`Cannot use maxConcurrency: it must be at least 1, not ${maxConcurrency}`);
  }
  const outcomes: UploadOutcome[] = [];
  const entries = [...items].entries();
  const worker = async () => {
    // All workers take from one iterator.
    for (const [index, item] of entries) {
      const { source, ...own } = isNamed(item) ? item : { source: item };
      try {
        const result = await uploadFile(endpoint, source, {
          ...common,
          ...own,
          onProgress: onProgress && ((progress) => onProgress(index, progress)),
        });
        outcomes[index] = { ok: true, result };
      } catch (error) {
        outcomes[index] = { ok: false, error };
      }
    }
  };
  await Promise.all(Array.from({ length: maxConcurrency }, worker));
  return outcomes;
}

function isNamed(item: UploadItem): item is Exclude<UploadItem, FileSource> {
  return typeof item === "object" && "source" in item;
}
