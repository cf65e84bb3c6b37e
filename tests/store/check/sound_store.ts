/**
 * A store that has some of everything, all of it as it should be.
 *
 * @module
 */
import type { DescMessage, Message, MessageInitShape } from "@bufbuild/protobuf";
import { ulid } from "ulid";
import {
  BlobRecordSchema,
  StreamRecordSchema,
  StreamRejectionsSchema,
  StreamState,
} from "../../../gen/sluice/store/v1/records_pb.ts";
import { BLOCK_BYTES, HOUR } from "../../../limits.ts";
import { checkStore, type Finding } from "../../../store/check/check.ts";
import { toLogColumns } from "../../../store/format/log_columns.ts";
import { makeSeries } from "../../../store/format/series.ts";
import { encodeValue, FORMAT } from "../../../store/format/value.ts";
import { blockSum, encodeBlockSums } from "../../../store/kv/block_sums.ts";
import {
  blobKey,
  blocksKey,
  leaseKey,
  openStreamKey,
  rejectionsKey,
  schemaKey,
  streamCountKey,
  streamFloorKey,
  streamKey,
} from "../../../store/kv/keys.ts";
import { encodeRecord } from "../../../store/kv/records.ts";
import { SCHEMA_VERSION } from "../../../store/kv/schema.ts";
import type { StreamKind } from "../../../store/stream_types.ts";
import { textBytes } from "../../support/chunks.ts";
import { openTestStores } from "../../support/stores.ts";

export const TENANT = "default";
/** Bytes of the file, and of the upload: two blocks each. */
export const SIZE = BLOCK_BYTES + 1000;

/** Fields of a message to be, not a message. */
type Fields<D extends DescMessage> = Exclude<MessageInitShape<D>, Message>;
type StreamInit = Fields<typeof StreamRecordSchema>;
type ClaimInit = Fields<typeof BlobRecordSchema>;

export type SoundStore = Awaited<ReturnType<typeof openSoundStore>>;

/** One finished file and one open upload of SIZE bytes each, points, logs, and a stream of each kind. */
export async function openSoundStore() {
  const stores = await openTestStores();
  const { db, clock, blobs } = stores;
  const now = clock.now();
  const hour = Math.floor(now / HOUR);

  const writer = await stores.files.writer(TENANT);
  await writer.append(textBytes(SIZE));
  const { id: fileId } = await writer.finish({ name: "a.csv", contentType: "text/csv", chunkCount: 1 });

  const points = stores.points.writer(TENANT);
  const series = [makeSeries("host", "cpu", { zone: "a" }), makeSeries("host", "mem", { zone: "a" })];
  await points.refused(series);
  await points.write({
    series,
    timestamps: Float64Array.from({ length: 100 }, (_, i) => hour * HOUR + i),
    ends: Int32Array.from({ length: 100 }, (_, i) => 2 * i + 2),
    seriesOf: Int32Array.from({ length: 200 }, (_, i) => i % 2),
    values: Float64Array.from({ length: 200 }, (_, i) => i * 0.5),
  });
  await points.flush();
  const logs = stores.logs.writer(TENANT);
  await logs.write(toLogColumns(Array.from({ length: 50 }, (_, i) => ({
    application: i % 2 ? "web" : "db",
    level: i % 6,
    timestamp: hour * HOUR + i,
    message: `request ${i} is done — ünïcode`,
    fields: [["user", `u${i}`] as const],
  }))));
  await logs.flush();

  // Later than the file, so that the first of each kind is the file's.
  const uploadId = ulid(now + 1);
  const streamIds = { file: `up-${ulid(now)}`, points: `p-${ulid(now)}`, logs: ulid(now) };
  const bytes = textBytes(SIZE, 2);
  const piece = await blobs.create(uploadId, 1);
  await piece.append(bytes);
  await piece.sync(true);
  await db.set(blocksKey(uploadId, 0), encodeBlockSums([blockSum(bytes.subarray(0, BLOCK_BYTES))]));

  const setClaim = (init: ClaimInit = {}) =>
    db.set(
      blobKey(uploadId),
      encodeRecord(BlobRecordSchema, FORMAT.blob, now + HOUR, {
        tenant: TENANT,
        epoch: 1,
        committed: BigInt(SIZE),
        pieces: [{ epoch: 1, length: BigInt(SIZE) }],
        streamId: streamIds.file,
        tailSum: blockSum(bytes.subarray(BLOCK_BYTES)),
        ...init,
      }),
    );
  const setStream = (kind: StreamKind, init: StreamInit = {}) => {
    const defaults: Record<StreamKind, StreamInit> = {
      file: { state: StreamState.OPEN, committed: BigInt(SIZE), upload: { blobId: uploadId, fileName: "b.csv" } },
      points: { state: StreamState.FINISHED, committed: 10n, accepted: 7n, rejected: 3n, end: 10n },
      logs: { state: StreamState.OPEN, committed: 5n, accepted: 4n, filtered: 1n },
    };
    const record = encodeRecord(StreamRecordSchema, FORMAT.stream, now + HOUR, { ...defaults[kind], ...init });
    return db.set(streamKey(TENANT, kind, streamIds[kind]), record);
  };
  const openValue = encodeValue(FORMAT.openStream, 0, new Uint8Array());
  await setClaim();
  for (const kind of ["file", "points", "logs"] as const) await setStream(kind);
  for (const kind of ["file", "logs"] as const) await db.set(openStreamKey(TENANT, kind, streamIds[kind]), openValue);
  await db.set(
    rejectionsKey(TENANT, "points", streamIds.points),
    encodeRecord(StreamRejectionsSchema, FORMAT.rejections, 0, { rejections: [{ index: 1n, code: "c" }] }),
  );
  await db.set(streamCountKey(TENANT), new Deno.KvU64(3n));
  await db.set(streamFloorKey(TENANT), encodeValue(FORMAT.streamFloor, 0, new Uint8Array(6)));
  await db.set(leaseKey("housekeeping"), encodeValue(FORMAT.lease, 0, new Uint8Array(1)));
  await db.set(schemaKey, encodeValue(FORMAT.schema, 0, Uint8Array.of(0, 0, 0, SCHEMA_VERSION)));

  return {
    ...stores,
    fileId,
    uploadId,
    streamIds,
    hour,
    openValue,
    setClaim,
    setStream,
    /** The first entry of this kind. */
    async entry(kind: string): Promise<Deno.KvEntry<Uint8Array>> {
      for await (const entry of db.list<Uint8Array>({ prefix: [] })) if (entry.key[0] === kind) return entry;
      throw new Error(`there is no ${kind}`);
    },
    async check() {
      const findings: Finding[] = [];
      const counts = await checkStore(stores, (finding) => findings.push(finding));
      return { findings, counts };
    },
    [Symbol.dispose]: () => db.close(),
  };
}
