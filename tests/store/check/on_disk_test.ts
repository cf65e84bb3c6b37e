import { assert, assertEquals } from "@std/assert";
import { ConnectError } from "@connectrpc/connect";
import { DatabaseSync } from "node:sqlite";
import { systemClock } from "../../../clock.ts";
import { DAY } from "../../../limits.ts";
import { checkStore, type Finding } from "../../../store/check/check.ts";
import { openRaw } from "../../../store/open_raw.ts";
import { systemPlatform } from "../../../store/platform.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { NOW } from "../../upgrade/content.ts";
import { Random } from "../format/random.ts";

const V1 = new URL("../../upgrade/v1/", import.meta.url).pathname;
const FLIPS = 60;
const ULID_CHARACTERS = 26;

async function check(directory: string) {
  const config = { kv: `${directory}/kv.sqlite`, blobs: { kind: "file" as const, path: `${directory}/blobs` } };
  const stores = await openRaw(config, systemPlatform(systemClock));
  try {
    const findings: Finding[] = [];
    const counts = await checkStore(
      { ...stores, clock: new FakeClock(NOW), retention: 30 * DAY },
      (finding) => findings.push(finding),
    );
    return { findings, counts };
  } finally {
    stores.close();
  }
}

/** Copies a store, without what a database leaves beside itself while it is open. */
async function copyStore(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyStore(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}

/** All keys and values, but for the ids of point segments, which name nothing; undefined if the database is so damaged that they cannot be read. */
function contentOf(database: string): string | undefined {
  const db = new DatabaseSync(database, { readOnly: true });
  try {
    // A string is 2, its UTF-8, 0: the first part of the key, and the id, which is the last.
    const points = `02${new TextEncoder().encode("points").toHex()}00`;
    const rows = db.prepare("SELECT hex(k) AS k, hex(v) AS v FROM kv ORDER BY k").all() as { k: string; v: string }[];
    return JSON.stringify(
      rows.map(({ k, v }) => [k.startsWith(points) ? k.slice(0, -2 * (ULID_CHARACTERS + 2)) : k, v]),
    );
  } catch {
    return undefined;
  } finally {
    db.close();
  }
}

Deno.test("checkStore() reads a store of version 1", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await copyStore(V1, directory);
    const { findings, counts } = await check(directory);
    assertEquals(findings, []);
    assertEquals([counts.files, counts.bytes, counts.samples, counts.entries], [1, 70_000, 1000, 300]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("checkStore() calls no database sound in which a bit changed any key or value", async () => {
  const seed = Number(Deno.env.get("SEED") ?? 1);
  const random = new Random(seed);
  const directory = await Deno.makeTempDir();
  try {
    const whole = await Deno.readFile(`${V1}/kv.sqlite`);
    let changed = 0;
    for (let i = 0; i < FLIPS; i++) {
      const store = `${directory}/${i}`;
      await copyStore(V1, store);
      const before = contentOf(`${store}/kv.sqlite`);
      const bytes = whole.slice();
      const at = random.below(bytes.length);
      bytes[at] ^= 1 << random.below(8);
      await Deno.writeFile(`${store}/kv.sqlite`, bytes);
      const isChanged = contentOf(`${store}/kv.sqlite`) !== before;
      if (isChanged) changed++;
      let isSound: boolean;
      try {
        isSound = (await check(store)).findings.length === 0;
      } catch (error) {
        // The database itself does not open, is no store any more, or cannot be read.
        assert(error instanceof Error || error instanceof ConnectError);
        isSound = false;
      }
      assert(!(isChanged && isSound), `SEED=${seed}: a bit of byte ${at} went unnoticed`);
    }
    assert(changed > 0, "no flip changed anything");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
