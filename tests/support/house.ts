/**
 * A store for tests of housekeeping: values as if long written, and instances that keep house in it.
 *
 * @module
 */
import { ulid } from "ulid";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { BlobRecordSchema, StreamRecordSchema, StreamState } from "../../gen/sluice/store/v1/records_pb.ts";
import { COMPACT_FEW, DAY, HOUR } from "../../limits.ts";
import { createMemoryBlobStore } from "../../store/blob/memory.ts";
import { unlimitedSpace } from "../../store/free_space.ts";
import { encodeValue, FORMAT } from "../../store/format/value.ts";
import { Housekeeping, type Kept } from "../../store/kv/housekeeping/mod.ts";
import {
  blobKey,
  blocksKey,
  journalKey,
  openStreamKey,
  rejectionsKey,
  segmentKey,
  seriesKvKey,
  streamCountKey,
  streamFloorKey,
  streamKey,
} from "../../store/kv/keys.ts";
import { encodeRecord } from "../../store/kv/records.ts";
import { readFloor } from "../../store/kv/stream_floor.ts";
import type { StreamKind } from "../../store/stream_types.ts";
import { FakeClock } from "./fake_clock.ts";
import { createInstance, type Interfere } from "./instances.ts";

export const SETTINGS = {
  retention: 7 * DAY,
  uploadExpiry: DAY,
  streamLifetime: 7 * DAY,
  coldAfter: 6 * HOUR,
  compactFrom: COMPACT_FEW,
  newId: () => ulid(),
};
export const START = Date.UTC(2026, 0, 15, 12);
export const BYTE = new Uint8Array(1);

/** A key-value store and a blob store, and instances that keep house in them. */
export async function openHouse() {
  const db = await Deno.openKv(":memory:");
  const blobs = createMemoryBlobStore(new FakeClock(START - 30 * DAY));
  return {
    db,
    blobs,
    instance(holder: string, interfere?: Interfere) {
      const instance = createInstance(db, interfere);
      instance.clock.time = START;
      const housekeeping = new Housekeeping({
        ...instance,
        blobs,
        holder,
        mergers: [],
        space: unlimitedSpace,
        ...SETTINGS,
      });
      return { ...instance, housekeeping, round: () => housekeeping.round(new AbortController().signal) };
    },
    /** All keys but the lease's, as text. */
    async keys(): Promise<string[]> {
      const keys: string[] = [];
      for await (const { key } of db.list({ prefix: [] })) {
        if (key[0] !== "lease") keys.push(key.map((part) => part instanceof Uint8Array ? "bytes" : part).join("/"));
      }
      return keys;
    },
    async pieces(): Promise<string[]> {
      const pieces: string[] = [];
      for await (const { blobId, epoch } of blobs.list()) pieces.push(`${blobId}.${epoch}`);
      return pieces;
    },
    async piece(blobId: string, epoch: number) {
      const piece = await blobs.create(blobId, epoch);
      await piece.append(BYTE);
      await piece.sync(true);
      await piece.seal();
    },
    async stream(
      kind: StreamKind,
      id: string,
      expires: number,
      { tenant = "t", ...record }: MessageInitShape<typeof StreamRecordSchema> & { tenant?: string } = {},
    ) {
      const value = encodeRecord(StreamRecordSchema, FORMAT.stream, expires, {
        epoch: 1,
        state: StreamState.OPEN,
        commitId: "c",
        ...record,
      });
      await db.atomic().set(streamKey(tenant, kind, id), value).set(openStreamKey(tenant, kind, id), BYTE)
        .set(rejectionsKey(tenant, kind, id), BYTE).sum(streamCountKey(tenant), 1n).commit();
    },
    async claim(blobId: string, expires: number, record: MessageInitShape<typeof BlobRecordSchema>) {
      await db.set(blobKey(blobId), encodeRecord(BlobRecordSchema, FORMAT.blob, expires, { tenant: "t", ...record }));
    },
    async count(tenant: string): Promise<number> {
      const { value } = await db.get<Deno.KvU64>(streamCountKey(tenant));
      return Number(value?.value ?? 0n);
    },
    async floor(tenant: string): Promise<number> {
      return readFloor(await db.get<Uint8Array>(streamFloorKey(tenant)));
    },
    [Symbol.dispose]: () => db.close(),
  };
}

export type House = Awaited<ReturnType<typeof openHouse>>;

/** Something for every part of a round; returns how much. */
export async function litter(store: House): Promise<Kept> {
  const { db } = store;
  const old = Math.floor((START - 8 * DAY) / HOUR);
  for (const kind of ["points", "logs", "logindex"] as const) {
    for (const tenant of ["t", "u"]) await db.set(segmentKey(kind, tenant, old, ulid(START)), BYTE);
  }
  await db.set(journalKey("t", START - 2, ulid(START)), encodeValue(FORMAT.logJournal, START - 1, BYTE));
  await db.set(seriesKvKey("t", new Uint8Array(16)), encodeValue(FORMAT.series, START - 1, BYTE));
  const [blobId, streamId] = [ulid(START - 3 * DAY), `up-${ulid(START - 3 * DAY)}`];
  await store.claim(blobId, START - 1, { epoch: 2, streamId, pieces: [{ epoch: 1, length: 1n }] });
  await store.stream("file", streamId, START + DAY, { upload: { blobId } });
  await db.set(blocksKey(blobId, 0), BYTE);
  for (const epoch of [1, 2]) await store.piece(blobId, epoch);
  await store.piece(ulid(START - 9 * DAY), 1);
  for (const tenant of ["t", "u"]) {
    for (let i = 0; i < 10; i++) await store.stream("points", ulid(START - 8 * DAY - i), START - 1, { tenant });
  }
  return { hours: 6, series: 1, uploads: 1, pieces: 1, streams: 20, journals: 1, runs: 0 };
}
