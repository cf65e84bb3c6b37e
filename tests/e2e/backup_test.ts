import { assert, assertEquals, assertMatch } from "@std/assert";
import { createSluice, type Sluice } from "../../client/mod.ts";
import { KIB } from "../../limits.ts";
import { download } from "../support/ask.ts";
import { sha256, textBytes } from "../support/chunks.ts";
import { startServer } from "../support/server.ts";
import { runTask } from "../support/tasks.ts";
import { until } from "../support/until.ts";

const CLIENTS = 8;
/** Points, and log entries, that a client sends at once. */
const ITEMS = 50;
/** Rounds of each client before the backup begins: a file, points and entries each. */
const ROUNDS = 3;

interface Acknowledged {
  readonly name: string;
  readonly fileId: string;
  readonly sha256: string;
}

/** Sends until `signal` aborts, and deletes every third of its files a round later; names what was acknowledged and stays. */
async function client(sluice: Sluice, number: number, acknowledged: Acknowledged[], signal: AbortSignal) {
  let deleteNext: string | undefined;
  for (let round = 0; !signal.aborted; round++) {
    const name = `c${number}-${round}`;
    const times = Array.from({ length: ITEMS }, (_, i) => Date.now() - i);
    const bytes = textBytes(20 * KIB + (number * 7 + round) % 5 * 400 * KIB, number * 1000 + round);
    const { fileId } = await sluice.uploadFile(bytes, { name: `${name}.csv` });
    await sluice.sendPoints(times.map((timestamp) => ({ source: name, timestamp, metrics: { load: 1 } })));
    await sluice.sendLogs(times.map((timestamp) => ({ application: name, timestamp, message: `${name} works` })));
    if (deleteNext) await sluice.files.delete(deleteNext);
    deleteNext = round % 3 === 2 ? fileId : undefined;
    if (!deleteNext) acknowledged.push({ name, fileId, sha256: sha256(bytes) });
  }
}

Deno.test("a backup that is taken while 8 clients write is sound, and has all that was acknowledged before", async () => {
  const parent = await Deno.makeTempDir({ prefix: "sluice-test-" });
  const copy = `${parent}/copy`;
  try {
    const acknowledged: Acknowledged[] = [];
    const ended = new AbortController();
    let before: readonly Acknowledged[];
    {
      await using server = await startServer();
      const sluice = createSluice({ url: server.url });
      const clients = Array.from({ length: CLIENTS }, (_, n) => client(sluice, n, acknowledged, ended.signal));
      try {
        await until(() => acknowledged.length >= CLIENTS * ROUNDS, 60_000);
        before = [...acknowledged];
        const backup = await runTask(server.dir, "backup", [copy]);
        assertEquals([backup.code, backup.stderr], [0, ""], backup.stdout);
        assertMatch(backup.stdout, /\nsound; /);
        // A store that servers write to is as sound.
        const live = await runTask(server.dir, "check");
        assertEquals(live.code, 0, live.stdout);
      } finally {
        ended.abort();
        await Promise.all(clients);
      }
      assert(acknowledged.length > before.length, "the clients went on meanwhile");
      const again = await runTask(server.dir, "backup", [copy]);
      assertEquals(again.code, 2);
      assertMatch(again.stderr, /is not empty/);
    }

    await using server = await startServer({ dir: copy });
    const sluice = createSluice({ url: server.url });
    for (const { name, fileId, sha256: expected } of before) {
      assertEquals(sha256(await download(sluice, fileId)), expected, name);
      const { series } = await sluice.queryMetrics({ metric: "load", source: name });
      assertEquals(series[0].buckets[0].count, BigInt(ITEMS), name);
      const { hits } = await sluice.searchLogs({ application: name, pageSize: 1000 });
      assertEquals(hits.length, ITEMS, name);
    }
    // And it takes more.
    await sluice.uploadFile(textBytes(1000), { name: "new.csv" });
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
});

Deno.test("backup has the blobs that are kept in KV", async () => {
  const parent = await Deno.makeTempDir({ prefix: "sluice-test-" });
  const copy = `${parent}/copy`;
  const env = { SLUICE_BLOBS: "kv:" };
  const bytes = textBytes(300 * KIB);
  try {
    let fileId: string;
    {
      await using server = await startServer({ env });
      ({ fileId } = await createSluice({ url: server.url }).uploadFile(bytes, { name: "a.csv" }));
      const backup = await runTask(server.dir, "backup", [copy], env);
      assertEquals([backup.code, backup.stderr], [0, ""], backup.stdout);
      assertMatch(backup.stdout, /SLUICE_BLOBS=kv:/);
    }
    await using server = await startServer({ dir: copy, env });
    assertEquals(await download(createSluice({ url: server.url }), fileId), bytes);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
});

Deno.test("backup says where there is nothing that it can copy, and ends with 2", async () => {
  const parent = await Deno.makeTempDir({ prefix: "sluice-test-" });
  try {
    const remote = await runTask(parent, "backup", [`${parent}/copy`], { SLUICE_KV: "http://127.0.0.1:9" });
    assertEquals(remote.code, 2);
    assertMatch(remote.stderr, /use that database's own backup/);
    assertEquals((await runTask(parent, "backup", [`${parent}/copy`])).code, 2);
    assertEquals((await runTask(parent, "backup")).code, 2);
    assertEquals(await Array.fromAsync(Deno.readDir(parent)), []);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
});
