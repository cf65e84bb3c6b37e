/**
 * Files: metadata in KV, bytes in a blob store, each 1 MiB block verified when it is read.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { notFound } from "../../errors.ts";
import { FileRecordSchema } from "../../gen/sluice/store/v1/records_pb.ts";
import type { FileRecord } from "../../gen/sluice/store/v1/records_pb.ts";
import { FORMAT } from "../format/value.ts";
import type { ByteRange, FileInfo, FileStore, Mutation } from "../types.ts";
import { createFileWriter, type FileWriterOptions } from "./file_writer.ts";
import { SpareBlocks } from "./spare_blocks.ts";
import { fileDeletion } from "./deletions.ts";
import { blobKey, blocksPrefix, fileKey, filesPrefix } from "./keys.ts";
import { decodeRecord } from "./records.ts";
import { KeptHashes } from "./running_hash.ts";
import { readClaim, toPieces } from "./upload_claim.ts";
import { readVerified } from "./verified_read.ts";

export type FileStoreOptions = Omit<FileWriterOptions, "kept" | "spareBlocks">;

export function createFileStore(options: FileStoreOptions): FileStore & { close(): void } {
  const { kv, blobs, clock } = options;
  const kept = new KeptHashes(clock);
  const writing = { ...options, kept, spareBlocks: new SpareBlocks() };

  async function getRecord(tenant: string, id: string) {
    const entry = await kv.get(fileKey(tenant, id));
    const record = decodeRecord(FileRecordSchema, FORMAT.file, clock.now(), entry.value);
    return record && { record, versionstamp: entry.versionstamp };
  }

  async function* readFile(tenant: string, id: string, range: ByteRange, signal: AbortSignal) {
    const found = await getRecord(tenant, id);
    if (!found) throw noFile(id);
    const { record } = found;
    yield* readVerified(options, { id, size: Number(record.size), pieces: toPieces(record) }, range, signal);
  }

  async function getClaim(tenant: string, id: string) {
    const claim = await readClaim(kv, id);
    return claim?.record.tenant === tenant ? claim.record : undefined;
  }

  async function* readUpload(tenant: string, id: string, range: ByteRange, signal: AbortSignal) {
    const claim = await getClaim(tenant, id);
    if (!claim) throw noFile(id);
    const size = Number(claim.committed);
    // A finished file has the checksum of its last block with the others.
    const tailSum = claim.finished ? undefined : claim.tailSum;
    yield* readVerified(options, { id, size, pieces: toPieces(claim), tailSum }, range, signal);
  }

  /**
   * Bytes that are missing because somebody has removed them meanwhile, with what stands under `key`, are no damage; all
   * other damage is reported.
   */
  async function* unlessGone(id: string, bytes: AsyncIterable<Uint8Array>, key: Deno.KvKey) {
    try {
      yield* bytes;
    } catch (error) {
      if (error instanceof ConnectError && error.code === Code.DataLoss) {
        if ((await kv.get(key)).value === null) throw noFile(id);
        kv.reportDamage(key, error);
      }
      throw error;
    }
  }

  return {
    writer: (tenant, stream) => createFileWriter(writing, tenant, stream),

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

    read: (tenant, id, range, signal) => unlessGone(id, readFile(tenant, id, range, signal), fileKey(tenant, id)),

    readUpload: (tenant, id, range, signal) => unlessGone(id, readUpload(tenant, id, range, signal), blobKey(id)),

    async remove(tenant, id) {
      const found = await getRecord(tenant, id);
      if (!found) return false;
      const key = fileKey(tenant, id);
      const deletions: Mutation[] = [{ type: "delete", key }, { type: "delete", key: blobKey(id) }];
      for await (const page of kv.pages({ prefix: blocksPrefix(id) })) {
        for (const { key } of page) deletions.push({ type: "delete", key });
      }
      const { fileName: name, size, sha256 } = found.record;
      const file = { kind: "file", id, name, size: Number(size), sha256 } as const;
      deletions.push(fileDeletion(tenant, options.newId(), file, clock.now()));
      const removed = await kv.atomic([{ key, versionstamp: found.versionstamp }], deletions);
      if (removed === undefined) return false;
      // Should this not happen any more, the sweep finds pieces that nobody claims.
      for (const { epoch } of found.record.pieces) await blobs.remove(id, epoch);
      return true;
    },

    close() {
      kept.close();
      options.rehash.close();
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
