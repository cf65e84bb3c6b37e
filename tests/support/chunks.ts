/**
 * Files as the messages of an upload.
 *
 * @module
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { createHash } from "node:crypto";
import type { FileChunkSchema } from "../../gen/sluice/v1/file_upload_pb.ts";

export type ChunkInit = MessageInitShape<typeof FileChunkSchema>;

/** `size` bytes of CSV-like text, different for each seed. */
export function textBytes(size: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let state = seed * 2654435761 >>> 0;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = i % 64 === 63 ? 0x0a : 0x61 + (state >>> 24) % 26;
  }
  return bytes;
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export interface ChunksOptions {
  readonly name?: string;
  readonly chunkSize?: number;
  /** SHA-256s of the chunks, and of the file on the last one. */
  readonly checksums?: boolean;
}

/** A file in chunks, the last of them marked. */
export function chunksOf(data: Uint8Array, options: ChunksOptions = {}): ChunkInit[] {
  const { name = "file.csv", chunkSize = 32 * 1024, checksums = false } = options;
  const chunks: ChunkInit[] = [];
  for (let offset = 0; offset === 0 || offset < data.length; offset += chunkSize) {
    const part = data.subarray(offset, offset + chunkSize);
    const isLastChunk = offset + chunkSize >= data.length;
    chunks.push({
      fileName: offset === 0 ? name : "",
      data: part,
      offset: BigInt(offset),
      totalSize: BigInt(data.length),
      isLastChunk,
      checksum: checksums ? sha256(part) : "",
      fileChecksum: checksums && isLastChunk ? sha256(data) : "",
    });
  }
  return chunks;
}
