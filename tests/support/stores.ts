/**
 * Stores on a KV of their own, with a clock that the test moves.
 *
 * @module
 */
import { ulid } from "ulid";
import { COMPACT_FEW, DAY, HOUR } from "../../limits.ts";
import { createMemoryBlobStore } from "../../store/blob/memory.ts";
import { type FreeSpace, unlimitedSpace } from "../../store/free_space.ts";
import { Committer } from "../../store/kv/committer.ts";
import { createLogMerger, createLogRuns } from "../../store/kv/compaction/logs.ts";
import { createPointMerger, createPointRuns } from "../../store/kv/compaction/points.ts";
import { createDeletionStore } from "../../store/kv/deletions.ts";
import { createFileStore } from "../../store/kv/files.ts";
import { Housekeeping } from "../../store/kv/housekeeping/mod.ts";
import { type Kv, KvClient } from "../../store/kv/kv.ts";
import { createLogStore } from "../../store/kv/logs.ts";
import { createPointStore } from "../../store/kv/points.ts";
import { createStreamStore } from "../../store/kv/streams.ts";
import { createInlineRehash } from "../../store/rehash/inline.ts";
import type { Rehash } from "../../store/rehash/rehash.ts";
import type { BlobStore } from "../../store/types.ts";
import { FakeClock } from "./fake_clock.ts";

export interface TestStoresOptions {
  blobs?: (kv: KvClient) => BlobStore;
  space?: FreeSpace;
  maxSeries?: number;
  /** Samples, and entries, that one question may read. */
  maxRead?: number;
  /** Segments that a query of metrics may read. */
  maxSegments?: number;
  /** Samples an hour of a series from which on there are rollups of hours. */
  hourSamples?: number;
  rehash?: (blobs: BlobStore) => Rehash;
  maxStreams?: number;
  clock?: FakeClock;
  /** Another instance's KV, which is then shared. */
  db?: Deno.Kv;
  /** Stands between the stores and KV. */
  wrap?: (kv: Deno.Kv) => Kv;
}

export async function openTestStores(options: TestStoresOptions = {}) {
  const db = options.db ?? await Deno.openKv(":memory:");
  const clock = options.clock ?? new FakeClock();
  // Timers of KV's deadlines run on real time: the fake one stands still while KV works.
  const damaged: string[] = [];
  const kv = new KvClient(options.wrap?.(db) ?? db, clock, (key) => damaged.push(key));
  const committer = new Committer(kv);
  const space = options.space ?? unlimitedSpace;
  const blobs = options.blobs?.(kv) ?? createMemoryBlobStore(clock);
  const settings = {
    retention: 7 * DAY,
    maxSeries: options.maxSeries ?? 1000,
    uploadExpiry: 24 * HOUR,
    streamLifetime: 7 * DAY,
    maxStreams: options.maxStreams ?? 1000,
    coldAfter: 6 * HOUR,
    compactFrom: COMPACT_FEW,
  };
  const runs = { points: createPointRuns({ kv, blobs }), logs: createLogRuns({ kv, blobs }) };
  const mergers = [createPointMerger(runs.points, options.hourSamples), createLogMerger(runs.logs)];
  const common = { kv, committer, blobs, space, clock, newId: () => ulid(clock.now()), ...settings };
  const housekeeping = new Housekeeping({ ...common, mergers, holder: "test" });
  return {
    db,
    kv,
    clock,
    committer,
    blobs,
    /** Keys of values that could not be read. */
    damaged,
    ...settings,
    files: createFileStore({ ...common, rehash: options.rehash?.(blobs) ?? createInlineRehash(blobs) }),
    streams: createStreamStore(common),
    points: createPointStore({
      ...common,
      runs: runs.points,
      maxSamples: options.maxRead,
      maxSegments: options.maxSegments,
    }),
    deletions: createDeletionStore(common),
    logs: createLogStore({ ...common, runs: runs.logs, maxEntries: options.maxRead }),
    /** One round, which leaves no lease behind. */
    async keepHouse() {
      const removed = await housekeeping.round(NEVER);
      await housekeeping.stop();
      return removed;
    },
    /** All keys, as text. */
    async keys(): Promise<string[]> {
      const keys: string[] = [];
      for await (const { key } of db.list({ prefix: [] })) keys.push(key.map(String).join("/"));
      return keys;
    },
    [Symbol.dispose]: () => {
      if (!options.db) db.close();
    },
  };
}

export const NEVER = new AbortController().signal;
