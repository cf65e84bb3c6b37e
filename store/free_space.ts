/**
 * The floor of free disk space: writes stop before the disk is full, so that deleting, which also writes, always has
 * room.
 *
 * @module
 */
import { statfs } from "node:fs/promises";
import type { Clock } from "../clock.ts";
import { unavailable } from "../errors.ts";
import { FREE_SPACE_AGE_MS, MIB } from "../limits.ts";

export interface FreeSpace {
  /** Resolves if there is room; UNAVAILABLE, with RetryInfo, if the disk is at its floor. */
  ensure(): Promise<void>;
}

/** Watches the disk that `directory` is on; the figure is at most a second old. */
export function createDiskSpace(directory: string, floor: number, clock: Clock): FreeSpace {
  let free = Infinity;
  let readAt = -Infinity;
  return {
    async ensure() {
      if (Math.abs(clock.now() - readAt) >= FREE_SPACE_AGE_MS) {
        const stats = await statfs(directory).catch((error) => {
          throw unavailable("Cannot tell how much disk space is free", error);
        });
        free = stats.bavail * stats.bsize;
        readAt = clock.now();
      }
      if (free < floor) {
        throw unavailable(
          `Cannot store anything: ${Math.floor(free / MIB)} MiB of disk are free, and the floor is ${
            Math.floor(floor / MIB)
          } MiB`,
        );
      }
    },
  };
}

/** For stores that are on no disk of ours. */
export const unlimitedSpace: FreeSpace = { ensure: () => Promise.resolve() };
