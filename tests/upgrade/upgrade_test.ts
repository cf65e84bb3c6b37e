import { assert, assertEquals, assertRejects } from "@std/assert";
import { createHash } from "node:crypto";
import { encodeValue, FORMAT } from "../../store/format/value.ts";
import { schemaKey } from "../../store/kv/keys.ts";
import { SCHEMA_VERSION } from "../../store/kv/schema.ts";
import { systemPlatform } from "../../store/platform.ts";
import { openStores } from "../../store/open.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { EVERY_ENTRY } from "../../store/log_condition.ts";
import { NEVER } from "../support/stores.ts";
import { FILE_BYTES, logs, NOW, points, storesConfig } from "./content.ts";

const HERE = new URL("./", import.meta.url).pathname;
const ALL_TIME = { from: 0, to: NOW + 1 };

for await (const { name, isDirectory } of Deno.readDir(HERE)) {
  if (!isDirectory) continue;
  Deno.test(`openStores() reads a store of ${name}`, async () => {
    const directory = await Deno.makeTempDir();
    try {
      await copy(HERE + name, directory);
      const stores = await openStores(storesConfig(directory), systemPlatform(new FakeClock(NOW)));

      const [file] = await stores.files.list("default", 10, undefined);
      assertEquals([file.name, file.contentType, file.chunkCount], ["bytes.csv", "text/csv", 2]);
      const hash = createHash("sha256");
      const range = { start: 0, end: file.size };
      for await (const part of stores.files.read("default", file.id, range, NEVER)) hash.update(part);
      assertEquals(hash.digest("hex"), createHash("sha256").update(FILE_BYTES).digest("hex"));

      const query = { ...ALL_TIME, tags: [], metric: "cpu", step: 0, quantiles: [] };
      const { series } = await stores.points.query("default", query, NEVER);
      const values = points.values.filter((_, i) => points.series[points.seriesOf[i]].metric === "cpu");
      const [bucket] = series[0].buckets;
      assertEquals([bucket.count, bucket.min, bucket.max, bucket.last], [
        values.length,
        Math.min(...values),
        Math.max(...values),
        values[0],
      ]);
      assertEquals((await stores.points.series("default", { tags: [] }, 10, undefined, NEVER)).series.length, 2);

      const search = { ...ALL_TIME, where: EVERY_ENTRY, newestFirst: true, limit: 1000 };
      const { hits } = await stores.logs.search("default", search, NEVER);
      assertEquals(hits.map(({ id: _, ...record }) => record), logs);
      await stores.close();
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}

Deno.test("openStores() refuses a store that a newer Sluice has written", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const config = storesConfig(directory);
    const kv = await Deno.openKv(config.kv);
    const payload = new Uint8Array(4);
    new DataView(payload.buffer).setUint32(0, SCHEMA_VERSION + 1);
    await kv.set(schemaKey, encodeValue(FORMAT.schema, 0, payload));
    kv.close();
    const error = await assertRejects(() => openStores(config, systemPlatform(new FakeClock(NOW))), Error);
    assert(error.message.includes(`version is ${SCHEMA_VERSION + 1}`), error.message);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copy(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}
