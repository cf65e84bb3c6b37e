import { assert, assertEquals, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { createSluice, type Sluice } from "../../client/mod.ts";
import { DAY, SHUTDOWN_MS } from "../../limits.ts";
import { download } from "../support/ask.ts";
import { sha256, textBytes } from "../support/chunks.ts";
import { piecesIn } from "../support/data_dir.ts";
import { ROOT, startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const now = Date.now();
const TLS = `${ROOT}tests/support/tls`;
/** Enough that all of them reach the same worker once in 2 ** 23 runs. */
const CLIENTS = 24;
const ITEMS = 400;
const FILE_BYTES = 1_500_000;

const workers = (count: number, env: Record<string, string> = {}) => ({ SLUICE_WORKERS: String(count), ...env });

/** Runs with a directory that outlives its servers. */
async function withDir(fn: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "sluice-test-" });
  try {
    await fn(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** A client on connections of its own, one for each call, which fails when one does. */
function ownConnections(url: string): Sluice {
  return createSluice({
    url,
    retry: false,
    async fetch(input, init) {
      const client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
      const response = await fetch(input, { ...init, client });
      if (!response.body) {
        client.close();
        return response;
      }
      const body = response.body.pipeThrough(new TransformStream({ flush: () => client.close() }));
      return new Response(body, response);
    },
  });
}

/** Runs `fn` for each client, all at once. */
function forAll<T>(url: string, fn: (sluice: Sluice, name: string, index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: CLIENTS }, (_, i) => fn(ownConnections(url), `client-${i}`, i)));
}

/** Every client has points, logs and a file acknowledged. Returns the files' ids. */
function sendAll(url: string): Promise<string[]> {
  return forAll(url, async (sluice, name, index) => {
    const points = Array.from({ length: ITEMS }, (_, i) => ({ source: name, timestamp: now - i, metrics: { x: 1 } }));
    const logs = Array.from(
      { length: ITEMS },
      (_, i) => ({ application: name, timestamp: now - i, message: `line ${i}` }),
    );
    const [collected, logged, file] = await Promise.all([
      sluice.sendPoints(points),
      sluice.sendLogs(logs),
      sluice.uploadFile(textBytes(FILE_BYTES, index), { name: `${name}.csv` }),
    ]);
    assertEquals([collected.successfulCount, logged.indexedCount], [ITEMS, ITEMS]);
    return file.fileId;
  });
}

/** Every client finds all that `sendAll` had acknowledged, once. */
async function assertAllThere(url: string, ids: readonly string[]): Promise<void> {
  await forAll(url, async (sluice, name, index) => {
    // Of every client one finds what another, perhaps on another worker, has sent.
    const [other, id] = [`client-${CLIENTS - 1 - index}`, ids[index]];
    const { series } = await sluice.queryMetrics({ source: other, metric: "x" });
    assertEquals(series.map(({ buckets }) => buckets[0].count), [BigInt(ITEMS)], name);
    const { hits } = await sluice.searchLogs({ application: other, pageSize: 1000 });
    assertEquals(new Set(hits.map(({ entry }) => entry?.message)).size, ITEMS, name);
    assertEquals(hits.length, ITEMS, name);
    assertEquals(sha256(await download(sluice, id)), sha256(textBytes(FILE_BYTES, index)), name);
    const { files } = await sluice.files.list();
    assertEquals(files.map(({ fileId }) => fileId).sort(), [...ids].sort(), name);
  });
}

/** How many sockets listen on the server's port. */
async function listeners({ url, pid }: TestServer): Promise<number> {
  const port = Number(new URL(url).port).toString(16).toUpperCase().padStart(4, "0");
  const table = await Deno.readTextFile(`/proc/${pid}/net/tcp`);
  return table.split("\n").filter((line) => line.includes(`:${port} 00000000:0000 0A`)).length;
}

async function* endlessPoints(source: string) {
  for (;;) {
    for (let i = 0; i < 200; i++) yield { source, timestamp: now, metrics: { x: i } };
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A stream of each client that goes on for as long as its call lives. Resolves when points of all of them are stored. */
async function openStreams(server: TestServer): Promise<{ broken: Promise<unknown> }> {
  const streams = forAll(
    server.url,
    (sluice, name) => assertRejects(() => sluice.sendPoints(endlessPoints(`open-${name}`))),
  );
  const asking = createSluice({ url: server.url });
  await until(async () => {
    const { series } = await asking.listSeries({ pageSize: 1000 });
    return series.filter(({ source }) => source.startsWith("open-")).length === CLIENTS;
  }, 30_000);
  return { broken: streams };
}

Deno.test("SLUICE_WORKERS: every item is stored once and found through every worker, also after a restart", () =>
  withDir(async (dir) => {
    let ids: string[] = [];
    {
      await using server = await startServer({ dir, env: workers(3) });
      assertEquals(await listeners(server), 3);
      ids = await sendAll(server.url);
      await assertAllThere(server.url, ids);
      assertEquals((await piecesIn(dir)).length, CLIENTS);
      assertEquals((await server.stop()).code, 0);
      assertStringIncludes(server.stderr(), '"stopping"');
      assert(!server.stderr().includes('"error"'), server.stderr());
    }
    await using next = await startServer({ dir });
    assertEquals(await listeners(next), 1);
    await assertAllThere(next.url, ids);
  }));

Deno.test("SLUICE_WORKERS: SIGTERM ends all workers in time although streams are open", () =>
  withDir(async (dir) => {
    let ids: string[] = [];
    {
      await using server = await startServer({ dir, env: workers(2) });
      ids = await sendAll(server.url);
      const { broken } = await openStreams(server);
      const began = performance.now();
      server.kill("SIGTERM");
      assertEquals((await server.ended).code, 0);
      assertLess(performance.now() - began, SHUTDOWN_MS);
      await broken;
    }
    await using next = await startServer({ dir, env: workers(2) });
    await assertAllThere(next.url, ids);
  }));

Deno.test("SLUICE_WORKERS: a second signal ends all of them at once", async () => {
  await using server = await startServer({ env: workers(2) });
  const { broken } = await openStreams(server);
  server.kill("SIGTERM");
  await until(() => server.stderr().includes('"stopping"'), 5000);
  server.kill("SIGTERM");
  assertEquals((await server.ended).code, 130);
  await broken;
});

Deno.test("SLUICE_WORKERS: kill -9 in the middle of streams loses nothing that was acknowledged", () =>
  withDir(async (dir) => {
    let ids: string[] = [];
    {
      await using server = await startServer({ dir, env: workers(2) });
      ids = await sendAll(server.url);
      const { broken } = await openStreams(server);
      server.kill("SIGKILL");
      assertEquals((await server.ended).signal, "SIGKILL");
      await broken;
    }
    await using next = await startServer({ dir, env: workers(2) });
    await assertAllThere(next.url, ids);
  }));

Deno.test("SLUICE_WORKERS: a worker that dies ends the server", async () => {
  const preload = ["--preload", join(ROOT, "tests/support/kill_worker.ts")];
  await using server = await startServer({ env: workers(2), permissions: ["-A", ...preload] });
  server.kill("SIGUSR1");
  assertEquals((await server.ended).code, 1);
  assertStringIncludes(server.stderr(), '"message":"a worker died, so the server ends","worker":2');
});

Deno.test("SLUICE_WORKERS: a worker that cannot be loaded ends the server", async () => {
  // No thread can load code that it may not read.
  const dir = await Deno.makeTempDir({ prefix: "sluice-test-" });
  try {
    const permissions = ["--allow-net", "--allow-env", "--allow-sys", `--allow-read=${dir}`, `--allow-write=${dir}`];
    const error = await assertRejects(() => startServer({ dir, env: workers(2), permissions }), Error);
    assertStringIncludes(error.message, "a worker died, so the server ends");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("SLUICE_WORKERS: a port that another server has is refused, though it too shares its port", async () => {
  await using server = await startServer({ env: workers(2) });
  const env = workers(2, { SLUICE_LISTEN: `127.0.0.1:${new URL(server.url).port}` });
  const error = await assertRejects(() => startServer({ env }), Error);
  assertEquals(error.message.match(/Cannot listen: Address already in use/g)?.length, 1, error.message);
  assertEquals(await listeners(server), 2);
});

Deno.test("SLUICE_WORKERS: faults of the configuration are reported once", async () => {
  const error = await assertRejects(() => startServer({ env: workers(2, { SLUICE_MAX_SERIES: "many" }) }), Error);
  assertEquals(error.message.match(/SLUICE_MAX_SERIES/g)?.length, 1, error.message);
});

Deno.test("SLUICE_WORKERS: SIGHUP changes the certificate of all workers", async () => {
  const dir = await Deno.makeTempDir({ prefix: "sluice-test-" });
  const tls = { SLUICE_TLS_CERT: `${dir}/cert.pem`, SLUICE_TLS_KEY: `${dir}/key.pem` };
  const install = async (name: string) => {
    await Deno.copyFile(`${TLS}/${name}.pem`, tls.SLUICE_TLS_CERT);
    await Deno.copyFile(`${TLS}/${name}.key`, tls.SLUICE_TLS_KEY);
  };
  /** How many of many new connections trust the server. */
  const trusting = async (url: string, name: string) => {
    const caCerts = [await Deno.readTextFile(`${TLS}/${name}.pem`)];
    const answers = Array.from({ length: CLIENTS }, async () => {
      using client = Deno.createHttpClient({ caCerts });
      return await fetch(`${url}/healthz`, { client }).then((r) => r.text(), () => "");
    });
    return (await Promise.all(answers)).filter((text) => text === "ok\n").length;
  };
  try {
    await install("a");
    await using server = await startServer({ env: workers(2, tls) });
    assertEquals(await trusting(server.url, "a"), CLIENTS);
    await install("b");
    server.kill("SIGHUP");
    await until(() => server.stderr().includes("certificates were read again"), 5000);
    assertEquals([await trusting(server.url, "b"), await trusting(server.url, "a")], [CLIENTS, 0]);
    await Deno.writeTextFile(tls.SLUICE_TLS_CERT, "no certificate");
    server.kill("SIGHUP");
    await until(() => server.stderr().includes("certificates could not be read"), 5000);
    assertEquals([await trusting(server.url, "b"), await listeners(server)], [CLIENTS, 2]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("SLUICE_WORKERS: one of them keeps house", () =>
  withDir(async (dir) => {
    {
      await using server = await startServer({ dir });
      const sluice = createSluice({ url: server.url });
      await sluice.sendPoints([{ source: "old", timestamp: now - 3 * DAY, metrics: { x: 1 } }]);
    }
    const env = { SLUICE_RETENTION_DAYS: "1", SLUICE_HOUSEKEEPING_SECONDS: "1" };
    await using server = await startServer({ dir, env: workers(3, env) });
    await until(() => server.stderr().includes('"housekeeping"'), 15_000);
    // Another worker's round would come within the second.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assertEquals(server.stderr().match(/"housekeeping"/g)?.length, 1);
  }));
