import { assertEquals } from "@std/assert";
import { systemClock } from "../../clock.ts";
import { DAY, HOUR } from "../../limits.ts";
import { backupStores } from "../../store/backup.ts";
import { checkStore, type Finding } from "../../store/check/check.ts";
import { toLogColumns } from "../../store/format/log_columns.ts";
import { EVERY_ENTRY } from "../../store/log_condition.ts";
import { openStores } from "../../store/open.ts";
import { openRaw } from "../../store/open_raw.ts";
import { systemPlatform } from "../../store/platform.ts";
import { NEVER } from "../support/stores.ts";

const ENTRIES = 40;

Deno.test("backupStores() copies runs, also those that are replaced while it does", async () => {
  const directory = await Deno.makeTempDir();
  let offset = 0;
  const clock = { ...systemClock, now: () => Date.now() + offset };
  const platform = systemPlatform(clock);
  const config = { kv: `${directory}/kv.sqlite`, blobs: { kind: "file" as const, path: `${directory}/blobs` } };
  const settings = {
    ...{ minFreeBytes: 0, retention: 7 * DAY, maxSeries: 10, maxStreams: 10, coldAfter: HOUR, compactFrom: 2 },
    ...{ uploadExpiry: DAY, streamLifetime: DAY },
  };
  try {
    await Deno.mkdir(config.blobs.path);
    const stores = await openStores({ ...config, ...settings, data: directory }, platform);
    const begin = Math.floor(Date.now() / DAY) * DAY - DAY;
    offset = begin + 10 * HOUR - Date.now();
    for (let i = 0; i < ENTRIES; i++) {
      const writer = stores.logs.writer("default");
      // Some hours, each of some segments.
      const timestamp = begin + (i % 4) * HOUR + i;
      await writer.write(toLogColumns([{ application: "a", level: 2, timestamp, message: `m${i}`, fields: [] }]));
      await writer.flush();
    }
    // The hours are over, and the day is not.
    offset += HOUR;
    assertEquals((await stores.keepHouse(NEVER)).runs, 4);
    let replaced = 0;
    const copied = `${directory}/copy`;
    await backupStores(config, {
      ...platform,
      async openKv(path) {
        // The snapshot is made, and what it names beyond what was copied is not yet.
        if (path?.endsWith(".partial")) {
          offset += 2 * DAY;
          replaced = (await stores.keepHouse(NEVER)).runs;
        }
        return await platform.openKv(path);
      },
    }, copied);
    await stores.close();

    const copy = await openStores({
      ...settings,
      ...{ kv: `${copied}/kv.sqlite`, blobs: { kind: "file", path: `${copied}/blobs` }, data: copied },
    }, platform);
    const search = { where: EVERY_ENTRY, from: 0, to: clock.now() + DAY, newestFirst: false, limit: 1000 };
    const { hits, damaged } = await copy.logs.search("default", search, NEVER);
    assertEquals([new Set(hits.map(({ message }) => message)).size, hits.length, damaged], [ENTRIES, ENTRIES, 0]);
    await copy.close();
    const raw = await openRaw(
      { kv: `${copied}/kv.sqlite`, blobs: { kind: "file", path: `${copied}/blobs` } },
      platform,
    );
    const findings: Finding[] = [];
    await checkStore({ ...raw, clock, retention: settings.retention }, (finding) => findings.push(finding));
    raw.close();
    assertEquals(findings.filter(({ garbage }) => !garbage), []);
    assertEquals(replaced, 1);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
