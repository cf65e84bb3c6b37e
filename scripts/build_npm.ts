/**
 * `deno task build:npm [FOLDER]`: makes the client's npm package, in dist/npm by default.
 *
 * @module
 */
import { resolve } from "node:path";
import { buildPackage } from "./client_package.ts";
import { ROOT } from "./run.ts";

const folder = resolve(Deno.args[0] ?? `${ROOT}dist/npm`);
if (!await buildPackage(folder)) Deno.exit(1);
console.log(`npm install ${folder}`);
