/**
 * What may stand under a key of each kind; ../kv/keys.ts lists them.
 *
 * @module
 */
import { KV_PIECE_BYTES, MAX_STREAM_NAME } from "../../limits.ts";
import { SERIES_ID_BYTES } from "../format/series.ts";
import { FORMAT } from "../format/value.ts";
import { SHA256_FORMAT } from "../kv/block_sums.ts";
import { SCHEMA_VERSION } from "../kv/schema.ts";
import { judgeBlockSums, judgeClaim, judgeFile } from "./files.ts";
import type { Judge } from "./judge.ts";
import { DeletionRecordSchema } from "../../gen/sluice/store/v1/records_pb.ts";
import { parseRecord } from "./view.ts";
import { judgeRun } from "./runs.ts";
import { judgeLogIndex, judgeLogs, judgePoints, judgeSeries } from "./segments.ts";
import { judgeFloor, judgeOpenStream, judgeRejections, judgeStream } from "./streams.ts";

type PartTest = (part: Deno.KvKeyPart) => boolean;

export interface Kind {
  /** A test for each part of the key after the first. */
  readonly parts: readonly PartTest[];
  /** Format bytes; the first is today's. */
  readonly formats: readonly number[];
  readonly judge?: Judge;
}

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
const STREAM_ID = new RegExp(`^[A-Za-z0-9._-]{0,${MAX_STREAM_NAME}}${ULID.source.slice(1)}`);
const KINDS_OF_STREAMS: readonly Deno.KvKeyPart[] = ["file", "points", "logs"];

const name: PartTest = (part) => typeof part === "string" && part !== "";
const ulid: PartTest = (part) => typeof part === "string" && ULID.test(part);
const streamId: PartTest = (part) => typeof part === "string" && STREAM_ID.test(part);
const streamKind: PartTest = (part) => KINDS_OF_STREAMS.includes(part);
const number: PartTest = (part) => typeof part === "number" && Number.isSafeInteger(part) && part >= 0;
const runKind: PartTest = (part) => part === "points" || part === "logs";
const seriesId: PartTest = (part) => part instanceof Uint8Array && part.length === SERIES_ID_BYTES;

const SEGMENT = [name, number, ulid];
const STREAM = [name, streamKind, streamId];

/** Every kind whose values have an envelope. */
export const KINDS: Readonly<Record<string, Kind>> = {
  schema: { parts: [], formats: [FORMAT.schema], judge: judgeSchema },
  file: { parts: [name, ulid], formats: [FORMAT.file], judge: judgeFile },
  blob: { parts: [ulid], formats: [FORMAT.blob], judge: judgeClaim },
  blocks: { parts: [ulid, number], formats: [FORMAT.blocks, SHA256_FORMAT], judge: judgeBlockSums },
  piece: { parts: [ulid, number, number], formats: [FORMAT.piece], judge: judgePiece },
  stream: { parts: STREAM, formats: [FORMAT.stream], judge: judgeStream },
  open: { parts: STREAM, formats: [FORMAT.openStream], judge: judgeOpenStream },
  rejections: { parts: STREAM, formats: [FORMAT.rejections], judge: judgeRejections },
  floor: { parts: [name], formats: [FORMAT.streamFloor], judge: judgeFloor },
  lease: { parts: [name], formats: [FORMAT.lease] },
  series: { parts: [name, seriesId], formats: [FORMAT.series], judge: judgeSeries },
  points: { parts: SEGMENT, formats: [FORMAT.pointSegment], judge: judgePoints },
  logs: { parts: SEGMENT, formats: [FORMAT.logSegment], judge: judgeLogs },
  run: { parts: [runKind, name, number, ulid], formats: [FORMAT.run], judge: judgeRun },
  deletion: { parts: [runKind, name, ulid], formats: [FORMAT.deletion], judge: judgeDeletion },
  deletions: { parts: [runKind, name], formats: [FORMAT.deletions] },
  deleted: { parts: [name, ulid], formats: [FORMAT.deletion], judge: judgeDeletion },
  logjournal: { parts: [name, number, ulid], formats: [FORMAT.logJournal] },
  logindex: { parts: SEGMENT, formats: [FORMAT.logIndex], judge: judgeLogIndex },
};

/** The kind whose values are counts of KV's own. */
export const COUNT_KIND = "streams";
export const COUNT_PARTS: readonly PartTest[] = [name];

/** Whether the parts after the first are as they should be. */
export function hasShape([, ...parts]: Deno.KvKey, tests: readonly PartTest[]): boolean {
  return parts.length === tests.length && parts.every((part, i) => tests[i](part));
}

async function* judgeSchema({ payload }: Parameters<Judge>[0]) {
  const version = payload.length === 4 ? new DataView(payload.buffer, payload.byteOffset).getUint32(0) : 0;
  if (version < 1 || version > SCHEMA_VERSION) yield { what: `it is no version up to ${SCHEMA_VERSION}` };
}

async function* judgePiece({ payload }: Parameters<Judge>[0]) {
  if (payload.length === 0 || payload.length > KV_PIECE_BYTES) yield { what: `it has ${payload.length} bytes` };
}

async function* judgeDeletion({ payload }: Parameters<Judge>[0]) {
  const { from, to, file } = parseRecord(DeletionRecordSchema, payload);
  if (file === undefined && from >= to) yield { what: `it is of no time: from ${from} to ${to}` };
}
