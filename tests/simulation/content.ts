/**
 * What is stored, read raw: from the entries of KV and the pieces of the blob store, past all services.
 *
 * @module
 */
import {
  BlobRecordSchema,
  FileRecordSchema,
  RunRecordSchema,
  StreamRecordSchema,
  StreamState,
} from "../../gen/sluice/store/v1/records_pb.ts";
import type { BlobRecord, FileRecord, RunRecord, StreamRecord } from "../../gen/sluice/store/v1/records_pb.ts";
import { decodeLogSegment } from "../../store/format/log_reader.ts";
import { openPointSegment } from "../../store/format/point_reader.ts";
import { decodeValue, FORMAT } from "../../store/format/value.ts";
import type { BlobStore } from "../../store/types.ts";
import { decodeRecord } from "../../store/kv/records.ts";
import { segmentsOfRun } from "../support/run_segments.ts";
import { logPart, pointPart } from "./items.ts";
import type { SimKv } from "./kv.ts";

export interface Content {
  /** What points and log entries come to (items.ts), and how often each is there. */
  readonly parts: ReadonlyMap<string, number>;
  readonly runs: ReadonlyMap<string, RunRecord>;
  readonly files: ReadonlyMap<string, FileRecord>;
  readonly claims: ReadonlyMap<string, BlobRecord>;
  /** By kind and id. */
  readonly streams: ReadonlyMap<string, StreamRecord>;
  /** Kinds and ids under `open`. */
  readonly open: ReadonlySet<string>;
  /** Ids of blobs that have checksums of blocks. */
  readonly blocks: ReadonlySet<string>;
  /** Pieces in KV: blob id and epoch. */
  readonly pieces: ReadonlySet<string>;
  readonly streamCount: bigint;
}

/** Throws a DamagedError where something cannot be read. */
export async function readContent(kv: SimKv, blobs: BlobStore): Promise<Content> {
  const parts = new Map<string, number>();
  const runs = new Map<string, RunRecord>();
  const files = new Map<string, FileRecord>();
  const claims = new Map<string, BlobRecord>();
  const streams = new Map<string, StreamRecord>();
  const open = new Set<string>(), blocks = new Set<string>(), pieces = new Set<string>();
  let streamCount = 0n;
  const add = (part: string) => parts.set(part, (parts.get(part) ?? 0) + 1);
  for (const { key, value } of kv.data.range("", "\xff", Infinity, false)) {
    const [kind, first, second, third] = key as string[];
    if (value instanceof Deno.KvU64) {
      if (kind === "streams") streamCount += value.value;
      continue;
    }
    switch (kind) {
      case "points":
        readPoints(decodeValue(value).payload, add);
        break;
      case "logs":
        readLogs(decodeValue(value).payload, add);
        break;
      case "run": {
        const id = (key as string[])[4];
        const record = decodeRecord(RunRecordSchema, FORMAT.run, 0, value)!;
        runs.set(id, record);
        for (const segment of await segmentsOfRun(blobs, id, record)) {
          if (first === "points") readPoints(segment, add);
          else readLogs(segment, add);
        }
        break;
      }
      case "file":
        files.set(second, decodeRecord(FileRecordSchema, FORMAT.file, 0, value)!);
        break;
      case "blob":
        claims.set(first, decodeRecord(BlobRecordSchema, FORMAT.blob, 0, value)!);
        break;
      case "stream":
        streams.set(`${second}/${third}`, decodeRecord(StreamRecordSchema, FORMAT.stream, 0, value)!);
        break;
      case "open":
        open.add(`${second}/${third}`);
        break;
      case "blocks":
        blocks.add(first);
        break;
      case "piece":
        pieces.add(`${first}.${second}`);
        break;
    }
  }
  return { parts, runs, files, claims, streams, open, blocks, pieces, streamCount };
}

function readLogs(payload: Uint8Array, add: (part: string) => void): void {
  for (const { application, timestamp, message, fields } of decodeLogSegment(payload)) {
    add(logPart(application, timestamp, message, fields.find(([name]) => name === "number")?.[1]));
  }
}

function readPoints(payload: Uint8Array, add: (part: string) => void): void {
  const segment = openPointSegment(payload);
  for (let s = 0; s < segment.seriesCount; s++) {
    const { source, metric, tags } = segment.series(s);
    const { timestamps, values } = segment.columns(s);
    for (let i = 0; i < values.length; i++) {
      add(pointPart(source, metric, tags[0]?.[1] ?? "", timestamps[i], values[i]));
    }
  }
}

/** What in these records does not fit together. */
export function inconsistencies({ streams, open, streamCount, files, runs, claims, blocks }: Content): string[] {
  const found: string[] = [];
  if (streamCount !== BigInt(streams.size)) {
    found.push(`the count of streams says ${streamCount}, and there are ${streams.size}`);
  }
  for (const [name, { state }] of streams) {
    if ((state === StreamState.OPEN) !== open.has(name)) {
      found.push(`open/${name}: the stream is ${StreamState[state]}`);
    }
  }
  for (const name of open) if (!streams.has(name)) found.push(`open/${name}: there is no such stream`);
  for (const id of files.keys()) {
    if (!claims.get(id)?.finished) found.push(`file ${id} has no claim that is finished`);
  }
  for (const id of runs.keys()) if (!claims.get(id)?.finished) found.push(`run ${id} has no claim that is finished`);
  for (const id of blocks) if (!claims.has(id)) found.push(`blocks of ${id}: nobody claims them`);
  return found;
}
