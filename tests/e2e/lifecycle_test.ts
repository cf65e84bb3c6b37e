import { assert, assertEquals, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import { createSluice, type Sluice } from "../../client/mod.ts";
import { DAY, SHUTDOWN_MS } from "../../limits.ts";
import { sha256, textBytes } from "../support/chunks.ts";
import { keysIn } from "../support/data_dir.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const now = Date.now();
const FILE = textBytes(3_000_000);

/** Runs with a directory that outlives its servers. */
async function withDir(fn: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "sluice-test-" });
  try {
    await fn(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Has a file, points and logs acknowledged; returns the file's id. */
async function sendAll(sluice: Sluice): Promise<string> {
  const points = Array.from({ length: 1500 }, (_, i) => ({ source: "kept", timestamp: now - i, metrics: { x: 1 } }));
  const logs = Array.from(
    { length: 1500 },
    (_, i) => ({ application: "kept", timestamp: now - i, message: `line ${i}` }),
  );
  const [file, collected, logged] = await Promise.all([
    sluice.uploadFile(FILE, { name: "kept.csv" }),
    sluice.sendPoints(points),
    sluice.sendLogs(logs),
  ]);
  assertEquals([collected.successfulCount, logged.indexedCount], [1500, 1500]);
  return file.fileId;
}

/** All that `sendAll` had acknowledged is there, once. */
async function assertAllThere(sluice: Sluice, fileId: string): Promise<void> {
  const bytes = new Uint8Array(await new Response(sluice.files.download(fileId)).arrayBuffer());
  assertEquals(sha256(bytes), sha256(FILE));
  assertEquals((await sluice.files.list()).files.map((file) => file.fileId), [fileId]);
  const { series } = await sluice.queryMetrics({ source: "kept", metric: "x" });
  assertEquals(series.map(({ buckets }) => buckets[0].count), [1500n]);
  assertEquals(await countLogs(sluice, "kept"), 1500);
}

async function countLogs(sluice: Sluice, application: string): Promise<number> {
  let count = 0;
  for (let pageToken = "";;) {
    const page = await sluice.searchLogs({ application, pageSize: 1000, pageToken });
    count += page.hits.length;
    if (page.nextPageToken === "") return count;
    pageToken = page.nextPageToken;
  }
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal}: ends within 5 s although a stream is open, and everything acknowledged is there`, () =>
    withDir(async (dir) => {
      let fileId = "";
      {
        await using server = await startServer({ dir });
        const sluice = createSluice({ url: server.url });
        fileId = await sendAll(sluice);
        // Sends on for as long as the call lives.
        const open = createSluice({ url: server.url, retry: false }).sendPoints(endlessPoints());
        const failure = assertRejects(() => open);
        await until(async () => {
          const { series } = await sluice.queryMetrics({ source: "open", metric: "x" });
          return series.length > 0;
        }, 15_000);
        const began = performance.now();
        server.kill(signal);
        const { code } = await server.ended;
        assertLess(performance.now() - began, SHUTDOWN_MS);
        assertEquals(code, 0);
        await failure;
      }
      await using next = await startServer({ dir });
      await assertAllThere(createSluice({ url: next.url }), fileId);
    }));
}

async function* endlessPoints() {
  for (;;) {
    for (let i = 0; i < 200; i++) yield { source: "open", timestamp: now, metrics: { x: i } };
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

Deno.test("kill -9: everything acknowledged is there after a restart", () =>
  withDir(async (dir) => {
    let fileId = "";
    {
      await using server = await startServer({ dir });
      fileId = await sendAll(createSluice({ url: server.url }));
      server.kill("SIGKILL");
      assertEquals((await server.ended).signal, "SIGKILL");
    }
    await using next = await startServer({ dir });
    const sluice = createSluice({ url: next.url });
    await assertAllThere(sluice, fileId);
    assertEquals(
      (await sluice.sendPoints([{ source: "later", timestamp: now, metrics: { x: 1 } }])).successfulCount,
      1,
    );
  }));

Deno.test("start: refuses an address beyond loopback without SLUICE_AUTH=none", async () => {
  const error = await assertRejects(() => startServer({ env: { SLUICE_LISTEN: "0.0.0.0:0" } }), Error);
  assertStringIncludes(error.message, "SLUICE_LISTEN must be a loopback address unless SLUICE_AUTH=none");
  await using server = await startServer({ env: { SLUICE_LISTEN: "0.0.0.0:0", SLUICE_AUTH: "none" } });
  assertEquals(await (await fetch(`http://127.0.0.1:${new URL(server.url).port}/healthz`)).text(), "ok\n");
});

Deno.test("start: reports all that is wrong with the environment at once", async () => {
  const env = {
    SLUICE_LISTEN: "nowhere",
    SLUICE_MAX_SERIES: "many",
    SLUICE_BLOBS: "ftp:x",
    SLUICE_LOG_RULES: "[{}]",
    SLUICE_RETENTION_DAYS: "-1",
  };
  const error = await assertRejects(() => startServer({ env }), Error);
  assertStringIncludes(error.message, "Cannot start:");
  for (const name of Object.keys(env)) assertStringIncludes(error.message, name);
  assert(!error.message.includes("    at "), error.message);
});

Deno.test("retention: what is past it is in no answer, before and after housekeeping has removed it", () =>
  withDir(async (dir) => {
    const [old, fresh] = [now - 3 * DAY, now];
    {
      await using server = await startServer({ dir, env: { SLUICE_RETENTION_DAYS: "30" } });
      const sluice = createSluice({ url: server.url });
      await sluice.sendPoints([old, fresh].map((timestamp) => ({ source: "s", timestamp, metrics: { x: 1 } })));
      await sluice.sendLogs([old, fresh].map((timestamp) => ({ application: "a", timestamp, message: "hello" })));
      assertEquals(await visible(sluice), [2, 2]);
    }
    const day = { SLUICE_RETENTION_DAYS: "1" };
    const before = await keysIn(dir, "points", "logs", "logindex");
    assertEquals(before.length, 6);
    {
      // No round of housekeeping comes in this server's life.
      await using server = await startServer({ dir, env: { ...day, SLUICE_HOUSEKEEPING_SECONDS: "3600" } });
      assertEquals(await visible(createSluice({ url: server.url })), [1, 1]);
    }
    assertEquals(await keysIn(dir, "points", "logs", "logindex"), before);
    {
      await using server = await startServer({ dir, env: { ...day, SLUICE_HOUSEKEEPING_SECONDS: "1" } });
      await until(() => server.stderr().includes('"housekeeping"'), 15_000);
      assertEquals(await visible(createSluice({ url: server.url })), [1, 1]);
    }
    const hour = String(Math.floor(fresh / 3_600_000));
    const left = await keysIn(dir, "points", "logs", "logindex");
    assertEquals(left.map((key) => key.split("/")[2]), [hour, hour, hour]);
  }));

/** How many points and log entries any question can find. */
async function visible(sluice: Sluice): Promise<[points: number, logs: number]> {
  const from = BigInt(now - 100 * DAY);
  const { series } = await sluice.queryMetrics({ metric: "x", from, stepMs: 3_600_000n });
  const points = series.flatMap(({ buckets }) => buckets).reduce((sum, { count }) => sum + Number(count), 0);
  const { hits } = await sluice.searchLogs({ application: "a", from });
  return [points, hits.length];
}
