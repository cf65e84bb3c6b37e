/**
 * `deno task backup DIR`: copies the stores that the environment names, those of a running server too, into the directory
 * DIR, and checks the copy. Exits with 0 if it is sound, 1 if it is damaged, 2 if there is none.
 *
 * @module
 */
import { resolve } from "node:path";
import { systemClock } from "../clock.ts";
import { readConfig } from "../config.ts";
import { backupStores } from "../store/backup.ts";
import { openRaw, reasonOf } from "../store/open_raw.ts";
import { systemPlatform } from "../store/platform.ts";
import { printCheck } from "./print_check.ts";

const [target, ...more] = Deno.args;
if (target === undefined || target.startsWith("-") || more.length > 0) {
  console.error("Usage: deno task backup DIR");
  Deno.exit(2);
}
try {
  const config = readConfig(Deno.env.toObject());
  const platform = systemPlatform(systemClock);
  const copy = await backupStores(config, platform, resolve(target));
  console.log(
    `copied ${copy.pieces} pieces of ${copy.bytes} bytes; ${copy.deleted} blobs were deleted meanwhile; ` +
      `runs with SLUICE_DATA=${target}${copy.config.blobs.kind === "kv" ? " SLUICE_BLOBS=kv:" : ""}`,
  );
  const stores = await openRaw(copy.config, platform);
  const isSound = await printCheck(stores, config.retention);
  stores.close();
  Deno.exit(isSound ? 0 : 1);
} catch (error) {
  console.error(`Cannot back up the stores: ${reasonOf(error)}`);
  Deno.exit(2);
}
