/**
 * Opens the stores that a configuration names.
 *
 * @module
 */
import { dirname } from "node:path";
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

/** Opens the stores, making what is missing; `onDamage` is told of values that cannot be read. Throws if they cannot be opened or a newer Sluice has written them. */
export async function openStores(
  config: StoresConfig,
  clock: Clock,
  onDamage?: (key: string, error: unknown) => void,
): Promise<Stores> {
  const { retention, maxSeries, uploadExpiry } = config;
  const directories = directoriesOf(config);
  for (const directory of directories) await Deno.mkdir(directory, { recursive: true });
  const db = await Deno.openKv(config.kv);
  const kv = new KvClient(db, clock, onDamage);
  try {
    await openSchema(kv);
  } catch (error) {
    db.close();
    throw error;
  }
  const committer = new Committer(kv);
  const space = directories.length > 0 ? createDiskSpace(directories, config.minFreeBytes, clock) : unlimitedSpace;
  const blobs = openBlobs(config, kv, clock);
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

function openBlobs({ blobs }: StoresConfig, kv: KvClient, clock: Clock): BlobStore {
  if (blobs.kind === "kv") return createKvBlobStore(kv);
  return blobs.kind === "memory" ? createMemoryBlobStore(clock) : createFileBlobStore(blobs.path);
}

/** The directories of ours that anything is kept in. */
function directoriesOf({ kv, blobs }: StoresConfig): string[] {
  const directories: string[] = [];
  if (kv !== undefined && kv !== ":memory:" && !/^https?:/.test(kv)) directories.push(dirname(kv));
  if (blobs.kind === "file") directories.push(blobs.path);
  return directories;
}
