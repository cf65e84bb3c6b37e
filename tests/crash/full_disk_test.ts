import { assert, assertEquals, assertRejects } from "@std/assert";
import { Code, ConnectError, createSluice, type Sluice } from "../../client/mod.ts";
import { DAY, HOUR, MIB } from "../../limits.ts";
import { Random } from "../store/format/random.ts";
import { sha256, textBytes } from "../support/chunks.ts";
import { keysIn } from "../support/data_dir.ts";
import { isRetryable, sleep } from "../support/resuming_client.ts";
import { until } from "../support/until.ts";
import { freePort, Instance } from "./instance.ts";
import { makeSmallDisk } from "./small_disk.ts";
import { compareStores, differs } from "./verify.ts";
import { Workload } from "./workload.ts";

const now = Date.now();
const FILE = textBytes(2 * MIB);

/** Points and entries of this age, and their number that can be seen. */
const point = (age: number) => ({ source: "old", timestamp: now - age, metrics: { x: 1 } });
const entry = (age: number) => ({ application: "old", timestamp: now - age, message: "hello" });

async function visible(sluice: Sluice): Promise<[points: number, logs: number]> {
  const from = BigInt(now - 100 * DAY);
  const { series } = await sluice.queryMetrics({ source: "old", metric: "x", from });
  const points = series.flatMap(({ buckets }) => buckets).reduce((sum, { count }) => sum + Number(count), 0);
  const { hits } = await sluice.searchLogs({ application: "old", from });
  return [points, hits.length];
}

async function readiness(url: string): Promise<number> {
  const response = await fetch(`${url}/readyz`);
  await response.body?.cancel();
  return response.status;
}

/** Refused in a way that tells the client to try again. */
async function assertRefused(call: () => Promise<unknown>): Promise<void> {
  const error = await assertRejects(call, ConnectError);
  assert(isRetryable(error), `${Code[error.code]}: ${error.message}`);
}

for (const [what, floor] of [["to the floor", 8 * MIB], ["to the last byte", 0]] as const) {
  for (const blobs of ["file", "kv"] as const) {
    Deno.test(`full disk ${what}, blobs in ${blobs}: refuses, serves reads, keeps house, and goes on by itself`, async () => {
      await using disk = await makeSmallDisk(200);
      const port = freePort();
      const url = `http://127.0.0.1:${port}`;
      const sluice = createSluice({ url, retry: false });
      const env = {
        SLUICE_DATA: `${disk.path}/data`,
        SLUICE_BLOBS: blobs === "file" ? `file:${disk.path}/data/blobs` : "kv:",
        SLUICE_MIN_FREE_BYTES: String(floor),
        SLUICE_HOUSEKEEPING_SECONDS: "1",
      };
      const before = new Instance({ port, env: { ...env, SLUICE_RETENTION_DAYS: "30" } });
      await before.ready;
      const { fileId } = await sluice.uploadFile(FILE, { name: "before.csv" });
      // Past retention in the next life of the server, so there is much to expire when the disk is full.
      for (const age of [0, 3 * DAY, 4 * DAY, 5 * DAY]) {
        await sluice.sendPoints([point(age)]);
        await sluice.sendLogs([entry(age)]);
      }
      await before.end();

      const instance = new Instance({ port, env: { ...env, SLUICE_RETENTION_DAYS: "1" } });
      try {
        await instance.ready;
        const random = new Random(11);
        const workload = new Workload({
          clients: { files: 3, points: 3, logs: 3 },
          endpoints: () => [url],
          random: () => new Random(random.below(2 ** 32)),
        });
        await sleep(300);
        await disk.fill();
        await until(async () => await readiness(url) === 503, 10_000);
        for (const end = performance.now() + 4000; performance.now() < end;) {
          await assertRefused(() => sluice.uploadFile(FILE, { name: "during.csv" }));
          await assertRefused(() => sluice.sendPoints([point(HOUR)]));
          await assertRefused(() => sluice.sendLogs([entry(HOUR)]));
          assertEquals(sha256(await new Response(sluice.files.download(fileId)).bytes()), sha256(FILE));
          assertEquals(await visible(sluice), [1, 1]);
          assert((await sluice.files.list()).files.some((file) => file.fileId === fileId));
        }
        assert(!instance.died, instance.stderr);

        await disk.clear();
        await until(async () => await readiness(url) === 200, 10_000);
        await sleep(500);
        await workload.finish();
        assertEquals(workload.faults.map(({ message }) => message), []);
        const old = String(Math.floor((now - 2 * DAY) / HOUR));
        await until(async () => {
          const hours = (await keysIn(env.SLUICE_DATA, "points", "logs", "logindex")).map((key) => key.split("/")[2]);
          return hours.every((hour) => hour > old);
        }, 15_000);
        assertEquals(await visible(sluice), [1, 1]);
        await sluice.files.delete(fileId);
        const comparison = await compareStores(workload.sent, url, env, (name) => name === "old");
        assert(!differs(comparison), comparison.wrong.join("\n"));
      } finally {
        await instance.end("SIGKILL");
      }
    });
  }
}
