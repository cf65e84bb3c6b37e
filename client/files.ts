/**
 * Stored files: listing, reading, deleting.
 *
 * @module
 */
import { type FileInfo, FileUploadService, type ListFilesResponse } from "../gen/sluice/v1/file_upload_pb.ts";
import type { Core } from "./core.ts";
import { download, type DownloadOptions, getFile } from "./download.ts";
import { ask } from "./unary.ts";

/** Which page of the list. */
export interface ListFilesOptions {
  /** At most 1,000. Default: 100. */
  pageSize?: number;
  /** `nextPageToken` of the page before. */
  pageToken?: string;
  signal?: AbortSignal;
}

/** What a client can do with stored files. */
export interface Files {
  /**
   * One page of the files' metadata, newest first.
   *
   * @throws {SluiceError} What the server answered.
   */
  list(options?: ListFilesOptions): Promise<ListFilesResponse>;
  /**
   * Metadata of one file.
   *
   * @throws {SluiceError} `not_found` if there is none of that id.
   */
  get(id: string, options?: { signal?: AbortSignal }): Promise<FileInfo>;
  /**
   * The bytes of a file, or of a part of it, each chunk verified against its SHA-256 before it is handed over, and
   * the whole file against its own at the end. Where the connection is cut, it goes on at the byte that was to come
   * next. The stream fails with a {@linkcode SluiceError}: `data_loss` if bytes are not what they should be, `not_found`
   * if there is no such file, `canceled` if the signal was aborted.
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
   * @throws {SluiceError} `not_found` if there is none of that id.
   */
  delete(id: string, options?: { signal?: AbortSignal }): Promise<void>;
}

/** Implements `files` of the client. */
export function createFiles(core: Core): Files {
  const { listFiles, deleteFile } = FileUploadService.method;
  return {
    list: ({ signal, ...request } = {}) => ask(core, listFiles, request, { signal }),
    get: (id, options) => getFile(core, id, options),
    download: (id, options = {}) => download(core, id, options),
    async delete(id, options) {
      await ask(core, deleteFile, { fileId: id }, options);
    },
  };
}
