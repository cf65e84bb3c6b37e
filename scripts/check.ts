/**
 * Verifies everything in the stores that the environment names, those of a running server too. Prints a line for each
 * finding. Exits with 0 if all is sound, 1 if something is damaged, 2 if the stores cannot be opened or read.
 *
 * @module
 */
import { systemClock } from "../clock.ts";
import { readConfig } from "../config.ts";
import { openRaw, reasonOf } from "../store/open_raw.ts";
import { systemPlatform } from "../store/platform.ts";
import { printCheck } from "./print_check.ts";

if (Deno.args.length > 0) {
  console.error("Usage: [SLUICE_DATA=DIR] deno task check");
  Deno.exit(2);
}
try {
  const config = readConfig(Deno.env.toObject());
  const stores = await openRaw(config, systemPlatform(systemClock));
  const isSound = await printCheck(stores, config.retention);
  stores.close();
  Deno.exit(isSound ? 0 : 1);
} catch (error) {
  console.error(`Cannot check the stores: ${reasonOf(error)}`);
  Deno.exit(2);
}
