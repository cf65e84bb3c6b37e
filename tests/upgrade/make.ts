/**
 * Makes a store with today's version: `deno run -A tests/upgrade/make.ts v1`. To be run once before each release.
 *
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { toLogColumns } from "../../store/format/log_columns.ts";
import { systemPlatform } from "../../store/platform.ts";
import { openStores } from "../../store/open.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FILE_BYTES, logs, NOW, points, storesConfig } from "./content.ts";

const directory = new URL(`${Deno.args[0]}/`, import.meta.url).pathname;
await Deno.mkdir(directory);
const stores = await openStores(storesConfig(directory), systemPlatform(new FakeClock(NOW)));

const file = await stores.files.writer("default");
await file.append(FILE_BYTES);
await file.finish({ name: "bytes.csv", contentType: "text/csv", chunkCount: 2 });
const pointWriter = stores.points.writer("default");
await pointWriter.refused(points.series);
await pointWriter.write(points);
await pointWriter.flush();
const logWriter = stores.logs.writer("default");
await logWriter.write(toLogColumns(logs));
await logWriter.flush();
await stores.close();

// One file instead of three: the write-ahead log goes into the database.
const database = new DatabaseSync(`${directory}/kv.sqlite`);
database.exec("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE; VACUUM");
database.close();
