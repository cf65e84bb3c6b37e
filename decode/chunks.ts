/**
 * Chunks of files from the wire. Their data stays where it is: a chunk has a view of it.
 *
 * @module
 */
import type { FileChunk } from "../gen/sluice/v1/file_upload_pb.ts";
import type { BatchDecoder } from "./decoder.ts";
import { LEN, VARINT, WireReader } from "./wire.ts";

/** A FileChunk as it is decoded here. */
export type DecodedChunk = Omit<FileChunk, "$typeName" | "$unknown">;

/** Bytes of memory that a chunk takes beside its data and texts. */
const CHUNK_BYTES = 200;

export class ChunkDecoder implements BatchDecoder<readonly DecodedChunk[]> {
  #chunks: DecodedChunk[] = [];
  #size = 0;

  get count(): number {
    return this.#chunks.length;
  }

  get size(): number {
    return this.#size;
  }

  add(bytes: Uint8Array, start: number, end: number): void {
    this.#chunks.push(readChunk(new WireReader(bytes, start, end)));
    this.#size += CHUNK_BYTES + (end - start);
  }

  take(): readonly DecodedChunk[] {
    const taken = this.#chunks;
    this.#chunks = [];
    this.#size = 0;
    return taken;
  }
}

function readChunk(message: WireReader): DecodedChunk {
  const chunk = {
    fileName: "",
    data: NO_DATA,
    offset: 0n,
    totalSize: 0n,
    isLastChunk: false,
    checksum: "",
    fileChecksum: "",
    contentType: "",
  };
  while (message.next()) {
    const { field, wireType } = message;
    if (wireType === LEN) {
      if (field === 1) chunk.fileName = message.string();
      else if (field === 2) chunk.data = message.view();
      else if (field === 6) chunk.checksum = message.string();
      else if (field === 10) chunk.fileChecksum = message.string();
      else if (field === 11) chunk.contentType = message.string();
      else message.skip();
    } else if (wireType === VARINT) {
      const value = message.int64();
      if (field === 3) chunk.offset = value;
      else if (field === 4) chunk.totalSize = value;
      else if (field === 5) chunk.isLastChunk = value !== 0n;
    } else {
      message.skip();
    }
  }
  return chunk;
}

const NO_DATA: Uint8Array = new Uint8Array(0);
