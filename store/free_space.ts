/**
 * The floor of free disk space: writes stop before the disk is full, so that deleting, which also writes, always has
 * room.
 *
 * @module
 */
import { unavailable } from "../errors.ts";
import { FREE_SPACE_AGE_MS, MIB } from "../limits.ts";
import type { Platform } from "./platform.ts";

export interface FreeSpace {
  /**
   * Resolves if there is room for `bytes` more, which are taken for written from then on. UNAVAILABLE, with RetryInfo, if
   * a disk is at its floor.
   */
  ensure(bytes?: number): Promise<void>;
}

/** Watches the disks that `directories` are on. The figures are at most a second old, less what was written since. */
export function createDiskSpace(
  directories: readonly string[],
  floor: number,
  { clock, freeBytes }: Pick<Platform, "clock" | "freeBytes">,
): FreeSpace {
  let free = Infinity;
  let readAt = -Infinity;
  return {
    async ensure(bytes = 0) {
      if (Math.abs(clock.now() - readAt) >= FREE_SPACE_AGE_MS) {
        const left = await Promise.all(directories.map(freeBytes)).catch((error) => {
          throw unavailable("Cannot tell how much disk space is free", error);
        });
        free = Math.min(...left);
        readAt = clock.now();
      }
      if (free - bytes < floor) {
        throw unavailable(
          `Cannot store anything: ${Math.floor(free / MIB)} MiB of disk are free, ` +
            `and the floor is ${Math.floor(floor / MIB)} MiB`,
        );
      }
      free -= bytes;
    },
  };
}

/** For stores that are on no disk of ours. */
export const unlimitedSpace: FreeSpace = { ensure: () => Promise.resolve() };
