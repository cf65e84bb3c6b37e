/**
 * Stored files: listing, reading, deleting.
 *
 * @module
 */
import type { FileChunk, FileInfo, FileUploadService, ListFilesResponse } from "../gen/sluice/v1/file_upload_pb.ts";
import { type Client, Code, ConnectError } from "./deps.ts";
import { createRunningHash, type RunningHash, sha256Hex } from "./hash.ts";

/** Which page of the list. */
export interface ListFilesOptions {
  /** At most 1,000. Default: 100. */
  pageSize?: number;
  /** `nextPageToken` of the page before. */
  pageToken?: string;
  signal?: AbortSignal;
}

/** Which part of a file. */
export interface DownloadOptions {
  /** First byte. Default: 0. */
  offset?: number;
  /** How many bytes. Default: up to the end. */
  length?: number;
  signal?: AbortSignal;
}

/** What a client can do with stored files. */
export interface Files {
  /**
   * One page of the files' metadata, newest first.
   *
   * @throws {ConnectError} What the server answered.
   */
  list(options?: ListFilesOptions): Promise<ListFilesResponse>;
  /**
   * Metadata of one file.
   *
   * @throws {ConnectError} `not_found` if there is none of that id.
   */
  get(id: string, options?: { signal?: AbortSignal }): Promise<FileInfo>;
  /**
   * The bytes of a file, or of a part of it, each chunk verified against its SHA-256 before it is handed over, and
   * the whole file against its own at the end. The stream fails with a {@linkcode ConnectError}: `data_loss` if bytes
   * are not what they should be, `not_found` if there is no such file; or with the signal's reason.
   *
   * @example
   * ```ts ignore
   * const response = new Response(sluice.files.download(id));
   * console.log(await response.text());
   * ```
   */
  download(id: string, options?: DownloadOptions): ReadableStream<Uint8Array<ArrayBuffer>>;
  /**
   * Removes a file.
   *
   * @throws {ConnectError} `not_found` if there is none of that id.
   */
  delete(id: string, options?: { signal?: AbortSignal }): Promise<void>;
}

/** Implements `files` of the client. */
export function createFiles(client: Client<typeof FileUploadService>): Files {
  return {
    async list({ signal, ...request } = {}) {
      return await client.listFiles(request, { signal });
    },
    async get(id, { signal } = {}) {
      return await getFile(client, id, signal);
    },
    download(id, options = {}) {
      return download(client, id, options);
    },
    async delete(id, { signal } = {}) {
      await client.deleteFile({ fileId: id }, { signal });
    },
  };
}

async function getFile(client: Client<typeof FileUploadService>, id: string, signal?: AbortSignal): Promise<FileInfo> {
  const { file } = await client.getFile({ fileId: id }, { signal });
  if (file === undefined) throw new ConnectError(`The answer holds no metadata of ${id}`, Code.Internal);
  return file;
}

function download(
  client: Client<typeof FileUploadService>,
  id: string,
  options: DownloadOptions,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const { signal } = options;
  const abort = new AbortController();
  const either = signal ? AbortSignal.any([signal, abort.signal]) : abort.signal;
  const pieces = verified(client, id, options, either);
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      try {
        const { done, value } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        throw signal?.aborted ? signal.reason : error;
      }
    },
    cancel(reason) {
      abort.abort(reason);
    },
    // What is read is what was asked for, so a reader that stops stops the server too.
  }, { highWaterMark: 0 });
}

async function* verified(
  client: Client<typeof FileUploadService>,
  id: string,
  { offset = 0, length }: DownloadOptions,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  // Of a length, 0 means up to the end on the wire.
  if (length === 0) return;
  const request = { fileId: id, offset: BigInt(offset), length: BigInt(length ?? 0) };
  const whole = offset === 0 && length === undefined ? await createRunningHash() : undefined;
  let at = offset;
  let last: FileChunk | undefined;
  for await (const chunk of client.downloadFile(request, { signal })) {
    await verifyChunk(id, chunk, at, whole);
    at += chunk.data.length;
    last = chunk;
    if (chunk.data.length > 0) yield chunk.data as Uint8Array<ArrayBuffer>;
  }
  // Unless nothing came at all, in which case there is no size to compare with.
  const size = Number(last?.totalSize ?? 0n);
  const end = length === undefined ? size : Math.min(offset + length, size);
  if (size > 0 && at !== end) {
    throw new ConnectError(`File ${id} ended at byte ${at} instead of ${end}`, Code.DataLoss);
  }
  if (whole === undefined) return;
  const expected = last?.fileChecksum || (await getFile(client, id, signal)).checksum;
  const actual = whole.digest();
  if (actual !== expected) {
    throw new ConnectError(`File ${id} has SHA-256 ${actual} instead of ${expected}`, Code.DataLoss);
  }
}

/** @throws {ConnectError} `data_loss` if the chunk is not the next one, or not what it should be. */
async function verifyChunk(id: string, chunk: FileChunk, at: number, whole: RunningHash | undefined): Promise<void> {
  if (chunk.offset !== BigInt(at)) {
    throw new ConnectError(`File ${id} goes on at byte ${chunk.offset} instead of ${at}`, Code.DataLoss);
  }
  const digest = chunk.checksum === "" ? undefined : sha256Hex(chunk.data);
  whole?.update(chunk.data);
  const actual = await digest;
  if (actual !== undefined && actual !== chunk.checksum) {
    throw new ConnectError(
      `File ${id} has SHA-256 ${actual} instead of ${chunk.checksum} in the ${chunk.data.length} bytes from ${at}`,
      Code.DataLoss,
    );
  }
}
