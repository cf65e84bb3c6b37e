/**
 * The stores in this process: in memory, and on disk as by default.
 *
 * @module
 */
import { systemClock } from "../../clock.ts";
import { readConfig } from "../../config.ts";
import { openStores, type Stores } from "../../store/open.ts";
import { systemPlatform } from "../../store/platform.ts";

export interface BothStores {
  readonly memory: Stores;
  readonly durable: Stores;
}

export const TENANT = "default";
/** Streams at once, of every stage that waits. */
export const AT_ONCE = 16;
export const IN_MEMORY = { SLUICE_KV: ":memory:", SLUICE_BLOBS: "memory:" };

/** Opens both; `data` is a folder on a disk. */
export async function openBoth(data: string): Promise<BothStores> {
  const open = (env: Record<string, string>) =>
    openStores(readConfig({ SLUICE_DATA: `${data}/stores`, ...env }), systemPlatform(systemClock));
  return { memory: await open(IN_MEMORY), durable: await open({}) };
}
