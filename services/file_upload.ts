/**
 * FileUploadService: files in, whole and verified, and out again.
 *
 * @module
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import type { DecodedChunk } from "../decode/chunks.ts";
import { invalidArgument, notFound, outOfRange } from "../errors.ts";
import type {
  DeleteFileRequest,
  DownloadFileRequest,
  FileChunkSchema,
  FileInfoSchema,
  GetFileRequest,
  GetFileResponseSchema,
  ListFilesRequest,
  ListFilesResponseSchema,
  UploadResultSchema,
} from "../gen/sluice/v1/file_upload_pb.ts";
import { DOWNLOAD_CHUNK_BYTES } from "../limits.ts";
import type { StreamInfo, StreamStore } from "../store/stream_types.ts";
import type { ByteRange, FileInfo, FileStore } from "../store/types.ts";
import { type Call, orAborted } from "./call.ts";
import { FileIntake } from "./file_intake.ts";
import { openStream } from "./open_stream.ts";
import { pageSize } from "./paging.ts";
import { uploadReceipt } from "./receipts.ts";
import { withCommitted } from "./stream_errors.ts";
import { quoted } from "./text.ts";

export interface FileUploadOptions {
  readonly files: FileStore;
  readonly streams: StreamStore;
  readonly maxFileBytes: number;
  /** Lower-case, with the dot. */
  readonly allowedExtensions: readonly string[];
}

export type FileUploadService = ReturnType<typeof createFileUploadService>;

/** ULIDs only: an id is part of a key. */
const FILE_ID = /^[0-9A-HJKMNP-TV-Z]{26}$/;

export function createFileUploadService(options: FileUploadOptions) {
  const { files, streams } = options;

  async function find(fileId: string, call: Call): Promise<FileInfo> {
    const file = FILE_ID.test(fileId) ? await files.get(call.tenant, fileId) : undefined;
    if (!file) throw noFile(fileId);
    return file;
  }

  return {
    /**
     * Stores one file; leaves nothing behind if it fails. On a stream, what has come stays, and the receipt of a call that
     * ends before the file does is "partial", with how far it is.
     */
    async uploadFile(
      batches: AsyncIterable<readonly DecodedChunk[]>,
      call: Call,
    ): Promise<MessageInitShape<typeof UploadResultSchema>> {
      const { tenant, signal } = call;
      const stream = call.stream && await openStream(streams, call, "file", call.stream);
      const intake = new FileIntake({ ...options, tenant, stream, signal });
      try {
        for await (const chunks of batches) {
          signal.throwIfAborted();
          await orAborted(call, intake.take(chunks));
        }
        signal.throwIfAborted();
        const file = await orAborted(call, intake.finish(call.isEndCertain?.() ?? true));
        if (file) return uploadReceipt({ ...file, fileId: file.id, totalSize: file.size });
        return partialReceipt(stream?.info);
      } catch (error) {
        // What cannot be removed now, the sweep removes; the caller is to hear why the upload failed.
        const brokenOff = intake.breakOff().catch(() => {});
        stream?.endWith(brokenOff);
        await brokenOff;
        if (!stream || (stream.isNew && stream.info.committed === 0)) throw error;
        throw withCommitted(error, stream.info.committed);
      }
    },

    async getFile(request: GetFileRequest, call: Call): Promise<MessageInitShape<typeof GetFileResponseSchema>> {
      return { file: fileInfo(await find(request.fileId, call)) };
    },

    async listFiles(request: ListFilesRequest, call: Call): Promise<MessageInitShape<typeof ListFilesResponseSchema>> {
      const limit = pageSize(request.pageSize);
      if (request.pageToken !== "" && !FILE_ID.test(request.pageToken)) {
        throw invalidArgument("page_token", "must be the next_page_token of a page");
      }
      // One more than asked for, to know whether there is a next page.
      const found = await files.list(call.tenant, limit + 1, request.pageToken || undefined);
      const page = found.slice(0, limit);
      return { files: page.map(fileInfo), nextPageToken: found.length > limit ? page[limit - 1].id : "" };
    },

    async *downloadFile(
      request: DownloadFileRequest,
      call: Call,
    ): AsyncGenerator<MessageInitShape<typeof FileChunkSchema>> {
      const { offset, length } = request;
      if (offset < 0n) throw invalidArgument("offset", `must not be negative: current value is ${offset}`);
      if (length < 0n) throw invalidArgument("length", `must not be negative: current value is ${length}`);
      const file = await find(request.fileId, call);
      const size = BigInt(file.size);
      if (offset > size) {
        throw outOfRange("offset", `must be at most the file's ${size} bytes: current value is ${offset}`);
      }
      const end = length === 0n || offset + length > size ? file.size : Number(offset + length);
      let at = Number(offset);
      const described = { fileName: file.name, contentType: file.contentType, totalSize: size };
      // An empty range still says what the file is.
      if (at === end) yield { ...described, offset, isLastChunk: true, fileChecksum: file.sha256 };
      for await (const block of files.read(call.tenant, file.id, { start: at, end }, call.signal)) {
        for (let from = 0; from < block.length; from += DOWNLOAD_CHUNK_BYTES) {
          const data = block.subarray(from, from + DOWNLOAD_CHUNK_BYTES);
          const isLastChunk = at + data.length === end;
          const digest = await crypto.subtle.digest("SHA-256", data as Uint8Array<ArrayBuffer>);
          yield {
            ...described,
            data,
            offset: BigInt(at),
            isLastChunk,
            checksum: new Uint8Array(digest).toHex(),
            fileChecksum: isLastChunk ? file.sha256 : "",
          };
          at += data.length;
        }
      }
    },

    async deleteFile(request: DeleteFileRequest, call: Call): Promise<Record<string, never>> {
      const { id } = await find(request.fileId, call);
      if (!await files.remove(call.tenant, id)) throw noFile(id);
      return {};
    },

    /** For the HTTP route: what a file is, and its bytes. NOT_FOUND if there is none of that id. */
    async openFile(fileId: string, call: Call) {
      const file = await find(fileId, call);
      return { file, read: (range: ByteRange) => files.read(call.tenant, file.id, range, call.signal) };
    },
  };
}

/** Of a call after which the file is not complete. */
function partialReceipt(info: StreamInfo | undefined): MessageInitShape<typeof UploadResultSchema> {
  return {
    fileName: info?.file?.name,
    totalSize: BigInt(info?.file?.totalSize ?? 0),
    status: "partial",
    committed: BigInt(info?.committed ?? 0),
    chunkCount: BigInt(info?.file?.chunkCount ?? 0),
  };
}

function noFile(id: string): ConnectError {
  return notFound(`There is no file ${quoted(id)}`);
}

function fileInfo(file: FileInfo): MessageInitShape<typeof FileInfoSchema> {
  return {
    fileId: file.id,
    fileName: file.name,
    totalSize: BigInt(file.size),
    checksum: file.sha256,
    contentType: file.contentType,
    createdAt: BigInt(file.createdAt),
    chunkCount: BigInt(file.chunkCount),
  };
}
