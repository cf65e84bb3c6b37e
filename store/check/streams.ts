/**
 * Records of streams, and what stands beside them.
 *
 * @module
 */
import {
  BlobRecordSchema,
  type StreamRecord,
  StreamRecordSchema,
  StreamRejectionsSchema,
  StreamState,
} from "../../gen/sluice/store/v1/records_pb.ts";
import { FORMAT } from "../format/value.ts";
import { blobKey, openStreamKey, streamCountKey, streamKey } from "../kv/keys.ts";
import type { StreamKind } from "../stream_types.ts";
import type { Fault, Judge, Judged } from "./judge.ts";
import { parseRecord } from "./view.ts";

type StreamKey = [prefix: string, tenant: string, kind: StreamKind, id: string];

export const judgeStream: Judge = async function* (judged) {
  const { key, payload, view, counts } = judged;
  const [, tenant, kind, id] = key as StreamKey;
  const record = parseRecord(StreamRecordSchema, payload);
  counts.streams++;
  const { state, committed, end } = record;
  const isOpen = state === StreamState.OPEN;
  if (state === StreamState.UNSPECIFIED) yield { what: "it has no state" };
  const open = await view.get(openStreamKey(tenant, kind, id));
  if (isOpen && open.value === null) yield { what: "it is not finished and has no open/ entry" };
  if (!isOpen && open.value !== null) yield { what: "it is not open and has an open/ entry" };
  if ((await view.get(streamCountKey(tenant))).value === null) yield { what: "its tenant has no count of streams" };
  if (end !== undefined && committed > end) yield { what: `${committed} items are committed, and its end is ${end}` };
  if (kind === "file") {
    yield* judgeUpload(judged, id, record);
    return;
  }
  if (state === StreamState.FINISHED && end !== undefined && committed !== end) {
    yield { what: `it is finished at ${committed}, and its end is ${end}` };
  }
  const counted = record.accepted + record.rejected + record.filtered;
  if (counted !== committed) yield { what: `${committed} items are committed, and ${counted} are counted` };
};

/** That a file is finished is known from its claim and record; it may have been deleted since. */
async function* judgeUpload({ view }: Judged, id: string, record: StreamRecord): AsyncGenerator<Fault> {
  const { state, upload, committed } = record;
  if (state === StreamState.FINISHED && !/^[0-9a-f]{64}$/.test(upload?.sha256 ?? "")) {
    yield { what: "it is finished, and its record has no SHA-256" };
  }
  if (state !== StreamState.OPEN || !upload?.blobId) return;
  const claim = await view.record(BlobRecordSchema, FORMAT.blob, blobKey(upload.blobId));
  if (claim.state === "missing") yield { what: `its blob ${upload.blobId} has no claim` };
  if (claim.state !== "intact") return;
  if (claim.value.streamId !== id) yield { what: `its blob ${upload.blobId} is claimed by another stream` };
  if (claim.value.committed !== committed) {
    yield { what: `${committed} bytes are committed, and the claim of its blob has ${claim.value.committed}` };
  }
}

export const judgeOpenStream: Judge = async function* ({ key, view }) {
  const [, tenant, kind, id] = key as StreamKey;
  const record = await view.record(StreamRecordSchema, FORMAT.stream, streamKey(tenant, kind, id));
  if (record.state === "missing") yield { what: "there is no such stream" };
};

export const judgeRejections: Judge = async function* ({ key, payload, view }) {
  const [, tenant, kind, id] = key as StreamKey;
  const { rejections } = parseRecord(StreamRejectionsSchema, payload);
  const record = await view.record(StreamRecordSchema, FORMAT.stream, streamKey(tenant, kind, id));
  if (record.state === "missing") yield { what: "they belong to no stream" };
  if (record.state === "intact" && record.value.rejected < rejections.length) {
    yield { what: `there are ${rejections.length}, and the stream has ${record.value.rejected}` };
  }
};

/** Bytes of a floor: a uint48, ms since the epoch. */
const FLOOR_BYTES = 6;

export const judgeFloor: Judge = async function* ({ key, payload, view }) {
  if (payload.length !== FLOOR_BYTES) yield { what: `it has ${payload.length} bytes` };
  // A count stays when the last stream has gone.
  if ((await view.get(streamCountKey(key[1] as string))).value === null) {
    yield { what: "its tenant has no count of streams" };
  }
};

/** A count is a number of KV's own, in no envelope. */
export const judgeStreamCount = async function* ({ options: { kv }, entry }: Pick<Judged, "options" | "entry">) {
  if (!(entry.value instanceof Deno.KvU64)) {
    yield { what: "it is no count" };
    return;
  }
  let records = 0n;
  for await (const page of kv.pages({ prefix: ["stream", entry.key[1]] })) records += BigInt(page.length);
  if (records !== entry.value.value) yield { what: `it is ${entry.value.value}, and there are ${records} streams` };
};
