/**
 * Files: metadata in KV, bytes in a blob store, each 1 MiB block verified when it is read.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { dataLoss, notFound } from "../../errors.ts";
import { FileRecordSchema } from "../../gen/sluice/store/v1/records_pb.ts";
import type { FileRecord } from "../../gen/sluice/store/v1/records_pb.ts";
import { BLOCK_BYTES, BLOCKS_PER_VALUE } from "../../limits.ts";
import { FORMAT } from "../format/value.ts";
import type { ByteRange, FileInfo, FileStore, Mutation } from "../types.ts";
import { type BlockCheck, blockCheck } from "./block_sums.ts";
import { createFileWriter, type FileWriterOptions } from "./file_writer.ts";
import { blobKey, blocksKey, blocksPrefix, fileKey, filesPrefix } from "./keys.ts";
import { decodeRecord } from "./records.ts";

export function createFileStore(options: FileWriterOptions): FileStore {
  const { kv, blobs, clock } = options;

  async function getRecord(tenant: string, id: string) {
    const entry = await kv.get(fileKey(tenant, id));
    const record = decodeRecord(FileRecordSchema, FORMAT.file, clock.now(), entry.value);
    return record && { record, versionstamp: entry.versionstamp };
  }

  async function* readVerified(
    tenant: string,
    id: string,
    range: ByteRange,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const found = await getRecord(tenant, id);
    if (!found) throw noFile(id);
    const { record } = found;
    const pieces = record.pieces.map(({ epoch, length }) => ({ epoch, length: Number(length) }));
    // Whole blocks, for only those can be verified.
    const start = Math.floor(range.start / BLOCK_BYTES) * BLOCK_BYTES;
    const end = Math.min(Math.ceil(range.end / BLOCK_BYTES) * BLOCK_BYTES, Number(record.size));
    let at = start;
    let isIntact: BlockCheck | undefined;
    for await (const block of blocks(blobs.read(id, pieces, { start, end }))) {
      signal.throwIfAborted();
      const index = at / BLOCK_BYTES;
      const place = index % BLOCKS_PER_VALUE;
      if (!isIntact || place === 0) {
        const entry = await kv.get(blocksKey(id, Math.floor(index / BLOCKS_PER_VALUE)));
        isIntact = blockCheck(entry.value);
      }
      if (!isIntact(block, place)) {
        throw dataLoss(`Block ${index} of file ${id} is damaged: its checksum is not the one it was stored with`);
      }
      yield block.subarray(Math.max(range.start - at, 0), Math.min(range.end - at, block.length));
      at += block.length;
    }
  }

  return {
    writer: (tenant) => createFileWriter(options, tenant),

    async get(tenant, id) {
      const found = await getRecord(tenant, id);
      return found && fileInfo(id, found.record);
    },

    async list(tenant, limit, before) {
      const prefix = filesPrefix(tenant);
      const selector = before === undefined ? { prefix } : { prefix, end: fileKey(tenant, before) };
      const files: FileInfo[] = [];
      for await (const page of kv.pages(selector, { reverse: true })) {
        for (const entry of page) {
          const record = kv.decodeOrSkip(
            entry,
            () => decodeRecord(FileRecordSchema, FORMAT.file, clock.now(), entry.value),
          );
          if (record) files.push(fileInfo(entry.key[2] as string, record));
          if (files.length === limit) return files;
        }
      }
      return files;
    },

    async *read(tenant: string, id: string, range: ByteRange, signal: AbortSignal) {
      try {
        yield* readVerified(tenant, id, range, signal);
      } catch (error) {
        // Bytes that are missing because somebody has deleted the file meanwhile are no damage.
        if (error instanceof ConnectError && error.code === Code.DataLoss && !await getRecord(tenant, id)) {
          throw noFile(id);
        }
        throw error;
      }
    },

    async remove(tenant, id) {
      const found = await getRecord(tenant, id);
      if (!found) return false;
      const key = fileKey(tenant, id);
      const deletions: Mutation[] = [{ type: "delete", key }, { type: "delete", key: blobKey(id) }];
      for await (const page of kv.pages({ prefix: blocksPrefix(id) })) {
        for (const { key } of page) deletions.push({ type: "delete", key });
      }
      const removed = await kv.atomic([{ key, versionstamp: found.versionstamp }], deletions);
      if (removed === undefined) return false;
      // Should this not happen any more, the sweep finds pieces that nobody claims.
      for (const { epoch } of found.record.pieces) await blobs.remove(id, epoch);
      return true;
    },
  };
}

/** NOT_FOUND for a file. */
function noFile(id: string): ConnectError {
  return notFound(`There is no file ${JSON.stringify(id)}`);
}

function fileInfo(id: string, record: FileRecord): FileInfo {
  return {
    id,
    name: record.fileName,
    size: Number(record.size),
    sha256: record.sha256.toHex(),
    contentType: record.contentType,
    chunkCount: Number(record.chunkCount),
    createdAt: Number(record.createdAt),
  };
}

/** Cuts and joins what a blob store yields into blocks; the last may be short. */
async function* blocks(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let block = new Uint8Array(BLOCK_BYTES);
  let filled = 0;
  for await (const part of source) {
    let rest = part;
    while (rest.length > 0) {
      const taken = rest.subarray(0, BLOCK_BYTES - filled);
      block.set(taken, filled);
      filled += taken.length;
      rest = rest.subarray(taken.length);
      if (filled === BLOCK_BYTES) {
        yield block;
        block = new Uint8Array(BLOCK_BYTES);
        filled = 0;
      }
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}
