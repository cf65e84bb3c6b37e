/**
 * The stages of a file of 10 MiB in chunks of 32 KiB.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { ChunkDecoder } from "../../decode/chunks.ts";
import { BLOCK_BYTES, MAX_FILE_BYTES } from "../../limits.ts";
import { FileIntake } from "../../services/file_intake.ts";
import { blockSum } from "../../store/kv/block_sums.ts";
import type { FileStore, FileWriter } from "../../store/types.ts";
import { FILE_BYTES } from "../peers/loads.ts";
import { batchesOf, cut, decode, frame, messagesOf, times, timesAtOnce } from "./chunks.ts";
import type { Stage } from "./stage.ts";
import { AT_ONCE, type BothStores, TENANT } from "./stores.ts";

export function fileStages(body: Uint8Array, { memory, durable }: BothStores): Stage[] {
  const chunks = cut(body);
  const messages = messagesOf(body);
  const batches = batchesOf(messages, () => new ChunkDecoder());
  const parts = batches.flatMap((batch) => batch.map(({ data }) => data as Uint8Array<ArrayBuffer>));
  const file = new Uint8Array(FILE_BYTES);
  parts.reduce((at, part) => (file.set(part, at), at + part.length), 0);
  /** What a service does, with a store that keeps nothing: checks, and the SHA-256 of each chunk. */
  const intake = async () => {
    const options = {
      files: { ...memory.files, writer: openNowhere },
      tenant: TENANT,
      maxFileBytes: MAX_FILE_BYTES,
      allowedExtensions: [".csv"],
      signal: NEVER,
    };
    const intake = new FileIntake(options);
    for (const batch of batches) await intake.take(batch);
    await intake.finish();
  };
  return [
    { title: "envelopes", isPart: true, run: times(() => frame(chunks)) },
    { title: "decoding, data as views", isPart: true, run: times(() => decode(messages, new ChunkDecoder())) },
    { title: "validation and SHA-256 of the chunks", isPart: true, run: timesAtOnce(intake, AT_ONCE) },
    storeStage("store, on disk", true, durable.files, parts),
    {
      title: "- of it SHA-256 of the file",
      isPart: false,
      run: times(() => {
        const hash = createHash("sha256");
        for (const part of parts) hash.update(part);
        hash.digest();
      }),
    },
    {
      title: "- of it CRC-32 of the blocks",
      isPart: false,
      run: times(() => {
        for (let at = 0; at < file.length; at += BLOCK_BYTES) blockSum(file.subarray(at, at + BLOCK_BYTES));
      }),
    },
    storeStage("store, in memory instead", false, memory.files, parts),
  ];
}

function storeStage(title: string, isPart: boolean, files: FileStore, parts: readonly Uint8Array[]): Stage {
  const stored: string[] = [];
  const store = async () => {
    const writer = await files.writer(TENANT);
    for (const part of parts) await writer.append(part);
    const info = await writer.finish({ name: "bench.csv", contentType: "text/csv", chunkCount: parts.length });
    stored.push(info.id);
  };
  return {
    title,
    isPart,
    run: timesAtOnce(store, AT_ONCE),
    async cleanUp() {
      for (const id of stored.splice(0)) await files.remove(TENANT, id);
    },
  };
}

const NEVER = new AbortController().signal;
const NO_WRITER: FileWriter = {
  committed: 0,
  chunkCount: 0,
  append: () => Promise.resolve(),
  finish: (file) => Promise.resolve({ ...file, id: "", size: FILE_BYTES, sha256: file.sha256 ?? "", createdAt: 0 }),
  setTotalSize: () => {},
  abort: () => Promise.resolve(),
  suspend: () => Promise.resolve(),
};
const openNowhere = () => Promise.resolve(NO_WRITER);
