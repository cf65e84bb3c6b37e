/**
 * Opens the stores that a configuration names.
 *
 * @module
 */
import { dirname } from "node:path";
import type { Disk } from "./blob/disk.ts";
import { createFileBlobStore } from "./blob/file.ts";
import { createKvBlobStore } from "./blob/kv.ts";
import { createMemoryBlobStore } from "./blob/memory.ts";
import { createS3BlobStore } from "./blob/s3.ts";
import type { S3Config } from "./blob/s3_signer.ts";
import { COMPACT_FEW } from "../limits.ts";
import { createDiskSpace, unlimitedSpace } from "./free_space.ts";
import { Committer } from "./kv/committer.ts";
import { createLogMerger, createLogRuns } from "./kv/compaction/logs.ts";
import { createPointMerger, createPointRuns } from "./kv/compaction/points.ts";
import { createDeletionStore } from "./kv/deletions.ts";
import { createFileStore } from "./kv/files.ts";
import { Housekeeping, type Kept } from "./kv/housekeeping/mod.ts";
import { KvClient } from "./kv/kv.ts";
import { createLogStore } from "./kv/logs.ts";
import { createPointStore } from "./kv/points.ts";
import { openSchema } from "./kv/schema.ts";
import { createStreamStore } from "./kv/streams.ts";
import type { Platform } from "./platform.ts";
import { createInlineRehash } from "./rehash/inline.ts";
import type { Rehash } from "./rehash/rehash.ts";
import type { StreamStore } from "./stream_types.ts";
import type { DeletionStore } from "./deletion_types.ts";
import type { LogStore } from "./log_types.ts";
import type { BlobStore, FileStore, PointStore } from "./types.ts";

/** Where blobs are kept. */
export type BlobsConfig =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "kv" }
  | { readonly kind: "s3" } & S3Config
  | { readonly kind: "memory" };

/** What to open, and the limits that stores keep. */
export interface StoresConfig {
  /** Directory for what is kept on disk. */
  readonly data: string;
  /** Path or URL of the key-value store; undefined for the one that Deno Deploy attaches. */
  readonly kv: string | undefined;
  readonly blobs: BlobsConfig;
  /** Bytes of disk that stay free. */
  readonly minFreeBytes: number;
  /** How long points and logs are kept, ms. */
  readonly retention: number;
  readonly maxSeries: number;
  /** How long an upload may stand still, ms. */
  readonly uploadExpiry: number;
  /** How long the record of a stream lives after its last commit, ms. */
  readonly streamLifetime: number;
  /** Records of streams that a tenant may have. */
  readonly maxStreams: number;
  /** How long after its end a day of points and logs becomes one object of the blob store, ms. */
  readonly coldAfter: number;
  /** Segments of an hour that is over, or of a day, from which on they become a run. Default: COMPACT_FEW. */
  readonly compactFrom?: number;
}

export interface Stores {
  readonly streams: StreamStore;
  readonly files: FileStore;
  readonly points: PointStore;
  readonly logs: LogStore;
  readonly deletions: DeletionStore;
  /** Whether the stores answer and have room. */
  isReady(): Promise<boolean>;
  /** One round of housekeeping, if this instance is the one that does it. Throws a LeaseLostError if another takes over. */
  keepHouse(signal: AbortSignal): Promise<Kept>;
  /** Leaves housekeeping to another instance, and closes the stores. */
  close(): Promise<void>;
}

/** Opens the stores, making what is missing; `onDamage` is told of values that cannot be read. Throws if they cannot be opened or a newer Sluice has written them. */
export async function openStores(
  config: StoresConfig,
  platform: Platform,
  onDamage?: (key: string, error: unknown) => void,
  /** Reads blobs again. */
  rehash: (blobs: BlobStore) => Rehash = createInlineRehash,
): Promise<Stores> {
  const { retention, maxSeries, uploadExpiry, streamLifetime, maxStreams, coldAfter } = config;
  const { compactFrom = COMPACT_FEW } = config;
  const { clock, newId } = platform;
  const directories = directoriesOf(config);
  for (const directory of directories) await makeDurableDirectory(platform.disk, directory);
  const db = await platform.openKv(config.kv);
  const kv = new KvClient(db, clock, onDamage, platform.random);
  try {
    await openSchema(kv);
  } catch (error) {
    db.close();
    throw error;
  }
  const committer = new Committer(kv);
  const space = directories.length > 0 ? createDiskSpace(directories, config.minFreeBytes, platform) : unlimitedSpace;
  const blobs = openBlobs(config, kv, platform);
  const runs = { points: createPointRuns({ kv, blobs }), logs: createLogRuns({ kv, blobs }) };
  const expiry = { retention, uploadExpiry, streamLifetime, coldAfter, compactFrom };
  // Blobs in memory are gone when the process ends: what is in a KV that stays is not moved there.
  const canMove = config.blobs.kind !== "memory" || config.kv === ":memory:";
  const mergers = canMove ? [createPointMerger(runs.points), createLogMerger(runs.logs)] : [];
  const housekeeping = new Housekeeping({
    space,
    kv,
    committer,
    blobs,
    clock,
    newId,
    mergers,
    holder: newId(),
    ...expiry,
  });
  const files = createFileStore({ kv, committer, blobs, space, clock, newId, uploadExpiry, rehash: rehash(blobs) });
  return {
    streams: createStreamStore({ kv, committer, newId, streamLifetime, maxStreams }),
    files,
    points: createPointStore({ kv, committer, space, clock, newId, retention, maxSeries, runs: runs.points }),
    logs: createLogStore({ kv, committer, space, clock, newId, retention, runs: runs.logs }),
    deletions: createDeletionStore({ kv, committer, clock, newId }),
    async isReady() {
      try {
        await Promise.all([kv.ensure(), space.ensure()]);
        return true;
      } catch {
        return false;
      }
    },
    keepHouse: (signal) => housekeeping.round(signal),
    async close() {
      files.close();
      await housekeeping.stop();
      db.close();
    },
  };
}

/** A directory whose name survives a power cut, where whoever runs this may see to it: above it may be somebody else's. */
async function makeDurableDirectory(disk: Disk, path: string): Promise<void> {
  await disk.makeDirectory(path);
  try {
    await disk.syncDirectory(dirname(path));
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable)) throw error;
  }
}

export function openBlobs({ blobs }: Pick<StoresConfig, "blobs">, kv: KvClient, platform: Platform): BlobStore {
  switch (blobs.kind) {
    case "file":
      return createFileBlobStore(blobs.path, platform.disk);
    case "kv":
      return createKvBlobStore(kv);
    case "s3":
      return createS3BlobStore(blobs, platform);
    case "memory":
      return createMemoryBlobStore(platform.clock);
  }
}

/** The directories of ours that anything is kept in. */
function directoriesOf({ kv, blobs }: StoresConfig): string[] {
  const directories: string[] = [];
  if (kv !== undefined && kv !== ":memory:" && !/^https?:/.test(kv)) directories.push(dirname(kv));
  if (blobs.kind === "file") directories.push(blobs.path);
  return directories;
}
