/**
 * All that stores ask of the machine: time, chance, disk, network, KV and digests. There is one for life, and one that a
 * simulation makes up, under which the stores run unchanged.
 *
 * @module
 */
import { statfs } from "node:fs/promises";
import { ulid } from "ulid";
import type { Clock } from "../clock.ts";
import { type Disk, systemDisk } from "./blob/disk.ts";
import type { Kv } from "./kv/kv.ts";

export interface Platform {
  readonly clock: Clock;
  /** From 0 (inclusive) up to 1 (exclusive). */
  random(): number;
  /** A ULID of this moment. */
  newId(): string;
  /** SHA-256. */
  digest(data: Uint8Array): Promise<Uint8Array>;
  /** The key-value store at a path or URL; undefined for the one that Deno Deploy attaches. */
  openKv(path: string | undefined): Promise<Kv & { close(): void }>;
  readonly disk: Disk;
  /** Bytes that the disk of a directory has left. */
  freeBytes(directory: string): Promise<number>;
  readonly fetch: typeof globalThis.fetch;
}

export function systemPlatform(clock: Clock): Platform {
  return {
    clock,
    random: Math.random,
    newId: () => ulid(clock.now()),
    // A view of a buffer that is never shared memory.
    digest: async (data) => new Uint8Array(await crypto.subtle.digest("SHA-256", data as Uint8Array<ArrayBuffer>)),
    openKv: (path) => Deno.openKv(path),
    disk: systemDisk,
    async freeBytes(directory) {
      const { bavail, bsize } = await statfs(directory);
      return bavail * bsize;
    },
    fetch: (input, init) => fetch(input, init),
  };
}
