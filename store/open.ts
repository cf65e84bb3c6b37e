/**
 * Opens the stores that a configuration names.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import { createFileBlobStore } from "./blob/file.ts";
import { createKvBlobStore } from "./blob/kv.ts";
import { createMemoryBlobStore } from "./blob/memory.ts";
import { createDiskSpace, unlimitedSpace } from "./free_space.ts";
import { Committer } from "./kv/committer.ts";
import { createFileStore } from "./kv/files.ts";
import { keepHouse, type Removed } from "./kv/housekeeping.ts";
import { KvClient } from "./kv/kv.ts";
import { createLogStore } from "./kv/logs.ts";
import { createPointStore } from "./kv/points.ts";
import { openSchema } from "./kv/schema.ts";
import type { BlobStore, FileStore, LogStore, PointStore } from "./types.ts";

/** Where blobs are kept. */
export type BlobsConfig =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "kv" }
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
}

export interface Stores {
  readonly files: FileStore;
  readonly points: PointStore;
  readonly logs: LogStore;
  /** Whether the stores answer and have room. */
  isReady(): Promise<boolean>;
  keepHouse(signal: AbortSignal): Promise<Removed>;
  close(): void;
}

/** Opens the stores, making what is missing. Throws if they cannot be opened or a newer Sluice has written them. */
export async function openStores(config: StoresConfig, clock: Clock): Promise<Stores> {
  const { retention, maxSeries, uploadExpiry } = config;
  const onDisk = isOnDisk(config);
  if (onDisk) await Deno.mkdir(config.data, { recursive: true });
  const db = await Deno.openKv(config.kv);
  const kv = new KvClient(db, clock);
  try {
    await openSchema(kv);
  } catch (error) {
    db.close();
    throw error;
  }
  const committer = new Committer(kv);
  const space = onDisk ? createDiskSpace(config.data, config.minFreeBytes, clock) : unlimitedSpace;
  const blobs = await openBlobs(config, kv, clock);
  return {
    files: createFileStore({ kv, committer, blobs, space, clock, uploadExpiry }),
    points: createPointStore({ kv, committer, space, clock, retention, maxSeries }),
    logs: createLogStore({ kv, committer, space, clock, retention }),
    async isReady() {
      try {
        await Promise.all([kv.ensure(), space.ensure()]);
        return true;
      } catch {
        return false;
      }
    },
    keepHouse: (signal) => keepHouse({ kv, blobs, clock, retention, uploadExpiry }, signal),
    close: () => db.close(),
  };
}

async function openBlobs(config: StoresConfig, kv: KvClient, clock: Clock): Promise<BlobStore> {
  const { blobs } = config;
  if (blobs.kind === "kv") return createKvBlobStore(kv);
  if (blobs.kind === "memory") return createMemoryBlobStore(clock);
  await Deno.mkdir(blobs.path, { recursive: true });
  return createFileBlobStore(blobs.path);
}

/** Whether anything is kept on a disk of ours. */
function isOnDisk({ kv, blobs }: StoresConfig): boolean {
  const kvOnDisk = kv !== undefined && kv !== ":memory:" && !/^https?:/.test(kv);
  return kvOnDisk || blobs.kind === "file";
}
