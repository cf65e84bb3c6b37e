/**
 * Uploading files.
 *
 * @module
 */
import type { UploadResult } from "../gen/sluice/v1/file_upload_pb.ts";
import type { Core } from "./core.ts";
import { Code } from "./deps.ts";
import { SluiceError, toSluiceError } from "./errors.ts";
import { FileFeed } from "./file_feed.ts";
import { FILE } from "./kinds.ts";
import { CHUNK_BYTES, MAX_CHUNK_BYTES, MAX_CONCURRENCY } from "./limits.ts";
import { Meter, type OnProgress, Sending } from "./progress.ts";
import { Sender } from "./sender.ts";
import { type FileSource, type OpenSource, openSource } from "./source.ts";
import { newStreamId } from "./stream_id.ts";
import type { UploadMemory } from "./upload_memory.ts";

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
  /** How long all of it may take, retries and all, ms. Default: that of the client. */
  deadlineMs?: number;
  /**
   * Goes on with an upload that broke off: the server is asked what it has, and so much of the source, which must be the
   * same, is passed over. See {@linkcode SluiceError.streamId}. Where the client remembers uploads (`stateDir`, or in a
   * browser), a path or a File needs none.
   */
  streamId?: string;
}

/** One of several files: a source alone, or with its name and media type. */
export type UploadItem = FileSource | { source: FileSource; name?: string; contentType?: string };

/** How several files are uploaded. */
export interface UploadFilesOptions extends Omit<UploadOptions, "name" | "contentType" | "onProgress" | "streamId"> {
  /** How many are under way at once. Default: 4. */
  maxConcurrency?: number;
  /** In bytes, of the file at `index`. */
  onProgress?: (index: number, ...progress: Parameters<OnProgress>) => void;
}

/** What became of one of several files. */
export type UploadOutcome = { ok: true; result: UploadResult } | { ok: false; error: unknown };

/** Implements `uploadFile` of the client. */
export function uploadFile(
  core: Core,
  memory: UploadMemory | undefined,
  source: FileSource,
  options: UploadOptions = {},
): Sending<UploadResult> {
  return Sending.run(async (tell) => {
    const { chunkSize = CHUNK_BYTES } = options;
    if (!Number.isInteger(chunkSize) || chunkSize < 1 || chunkSize > MAX_CHUNK_BYTES) {
      throw new RangeError(`Cannot use chunkSize: it must be from 1 to ${MAX_CHUNK_BYTES}, not ${chunkSize}`);
    }
    const opened = await openSource(source).catch((error) => {
      throw error instanceof TypeError ? error : sourceError(error);
    });
    const name = options.name ?? opened.name;
    if (name === "") throw new TypeError("Cannot upload a source without a name: give options.name");

    const upload = (streamId: string, resume: boolean) =>
      send(core, opened, { ...options, name, streamId, resume }, tell);
    if (options.streamId !== undefined) return await upload(options.streamId, true);
    const key = opened.fingerprint && await memory?.keyOf(`${opened.fingerprint} ${name}`);
    using claim = key === undefined ? undefined : memory?.claim(key);
    // What is cancelled before it begins leaves nothing to be remembered.
    const cancelled = core.closed.aborted || options.signal?.aborted;
    if (memory === undefined || key === undefined || claim === undefined || cancelled) {
      return await upload(newStreamId(), false);
    }
    return await remembered(memory, key, upload);
  });
}

/** An upload that is remembered until it has ended, and goes on if it was. */
async function remembered(
  memory: UploadMemory,
  key: string,
  upload: (streamId: string, resume: boolean) => Promise<UploadResult>,
): Promise<UploadResult> {
  const run = async (streamId: string, resume: boolean) => {
    try {
      const result = await upload(streamId, resume);
      await memory.forget(key);
      return result;
    } catch (error) {
      if (isOver(toSluiceError(error))) await memory.forget(key);
      throw error;
    }
  };
  const known = await memory.recall(key);
  if (known !== undefined) {
    try {
      return await run(known, true);
    } catch (error) {
      if (!isOfAnother(toSluiceError(error))) throw error;
    }
  }
  const streamId = newStreamId();
  await memory.remember(key, streamId);
  return await run(streamId, false);
}

/** Whether an upload has come to nothing: to go on with it, be it with another token, would end in the same. */
function isOver({ code, reason, retryable }: SluiceError): boolean {
  if (reason === "damaged" || reason === "lost") return true;
  return reason === "server" && !retryable && code !== Code.Unauthenticated && code !== Code.PermissionDenied;
}

/** Whether what was sent then is gone, or is of a file that looked the same: the upload begins anew. */
function isOfAnother({ code, reason }: SluiceError): boolean {
  if (reason === "damaged" || reason === "lost") return true;
  return reason === "server" && [Code.FailedPrecondition, Code.AlreadyExists, Code.DataLoss].includes(code);
}

/** Sends the file as a stream. */
async function send(
  core: Core,
  source: OpenSource,
  options: UploadOptions & { name: string; streamId: string; resume: boolean },
  tell: (meter: Meter) => void,
): Promise<UploadResult> {
  const { name, contentType = source.contentType, chunkSize = CHUNK_BYTES, checksum = true } = options;
  const { clock, rate } = core;
  const feed = new FileFeed(source, { name, contentType, chunkSize, checksum, clock, rate });
  const meter = new Meter(feed, clock);
  const onProgress = () => {
    tell(meter);
    options.onProgress?.(meter.progress);
  };
  let result: UploadResult;
  try {
    result = await new Sender(core, FILE, feed, { ...options, onProgress }).run();
  } catch (error) {
    throw await explained(error, source, name);
  }
  if (feed.checksum !== undefined && result.checksum !== feed.checksum) {
    const { streamId } = options;
    throw new SluiceError(
      `"${name}" has SHA-256 ${feed.checksum}, but the server stored ${result.checksum} as ${result.fileId}`,
      { code: Code.DataLoss, reason: "damaged", retryable: false, streamId, committed: feed.committed },
    );
  }
  return result;
}

/** A source that changed while it was sent explains what the server says of its bytes. */
async function explained(error: unknown, source: OpenSource, name: string): Promise<SluiceError> {
  const failure = toSluiceError(error);
  const ofBytes = failure.reason === "server" &&
    (failure.code === Code.DataLoss || failure.code === Code.AlreadyExists);
  if (!ofBytes || !await source.changed()) return failure;
  const { streamId, committed } = failure;
  return new SluiceError(`"${name}" changed while it was sent: ${failure.rawMessage}`, {
    code: failure.code,
    reason: "source",
    retryable: false,
    cause: failure,
    streamId,
    committed,
  });
}

function sourceError(cause: unknown): SluiceError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new SluiceError(`Cannot open the source: ${message}`, {
    code: Code.NotFound,
    reason: "source",
    retryable: false,
    cause,
    committed: 0,
  });
}

/** Implements `uploadFiles` of the client. */
export async function uploadFiles(
  core: Core,
  memory: UploadMemory | undefined,
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
        const result = await uploadFile(core, memory, source, {
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
