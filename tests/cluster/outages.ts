/**
 * denokv hangs, and then is gone; and so is the bucket. Calls are UNAVAILABLE within their deadline, /readyz says 503, and
 * when it is back everything goes on by itself.
 *
 * @module
 */
import { Code, ConnectError, createSluice } from "../../client/mod.ts";
import { Workload } from "../crash/workload.ts";
import { KV_TIMEOUT_MS, MIB, S3_TIMEOUT_MS } from "../../limits.ts";
import { Random } from "../store/format/random.ts";
import { textBytes } from "../support/chunks.ts";
import { sleep } from "../support/resuming_client.ts";
import { until } from "../support/until.ts";
import { startCluster } from "./cluster.ts";
import { conclude } from "./conclude.ts";

/** Commits wait for one another: each takes its deadline and a look at what became of it. */
const KV_DEADLINE_MS = 8 * KV_TIMEOUT_MS;
const S3_DEADLINE_MS = 2 * S3_TIMEOUT_MS;
const FILE = textBytes(12 * MIB);

export async function runOutages({ seconds, seed }: { seconds: number; seed: number }): Promise<boolean> {
  const random = new Random(seed);
  await using cluster = await startCluster({ instances: 3 });
  const { urls, denokv, s3 } = cluster;
  for (let i = 0; i < urls.length; i++) await cluster.start(i);
  const workload = new Workload({
    clients: { files: 3, points: 3, logs: 3 },
    endpoints: (index) => urls.map((_, i) => urls[(index + i) % urls.length]),
    random: () => new Random(random.below(2 ** 32)),
  });
  const faults: string[] = [];
  const point = { source: "outage", timestamp: Date.now(), metrics: { x: 1 } };
  const entry = { application: "outage", timestamp: Date.now(), message: "hello" };
  const calls = urls.map((url) => createSluice({ url, retry: false })).map((sluice) => ({
    file: () => sluice.uploadFile(FILE, { name: "outage.csv" }),
    points: () => sluice.sendPoints([point]),
    logs: () => sluice.sendLogs([entry]),
  }));

  /** Has every instance refuse what it cannot do, for as long as `end` has not come. */
  async function during(what: string, names: readonly ("file" | "points" | "logs")[], deadline: number, end: number) {
    let slowest = 0;
    let refused = 0;
    do {
      await Promise.all(calls.flatMap((instance) =>
        names.map(async (name) => {
          const began = performance.now();
          const code = await instance[name]().then(() => "an answer", codeOf);
          slowest = Math.max(slowest, performance.now() - began);
          refused++;
          if (code !== "Unavailable") faults.push(`${what}: ${name} had ${code}`);
        })
      ));
    } while (performance.now() < end);
    console.log(`${what}: ${refused} calls UNAVAILABLE, the slowest after ${(slowest / 1000).toFixed(1)} s`);
    if (slowest > deadline) faults.push(`${what}: a call took ${slowest} ms`);
  }
  async function ready(what: string, status: number) {
    const began = performance.now();
    await Promise.all(urls.map((url) => until(async () => await readiness(url) === status, 20_000)));
    console.log(`${what}: /readyz ${status} after ${((performance.now() - began) / 1000).toFixed(1)} s`);
  }

  const kinds = ["file", "points", "logs"] as const;
  await sleep(2000);
  for (
    const [what, stop, start] of [
      ["denokv hangs", () => denokv.signal("SIGSTOP"), () => denokv.signal("SIGCONT")],
      ["denokv is gone", () => denokv.stop(), () => denokv.start()],
    ] as const
  ) {
    const end = performance.now() + seconds * 1000;
    await stop();
    await Promise.all([during(what, kinds, KV_DEADLINE_MS, end), ready(what, 503)]);
    await start();
    await ready(`${what} no more`, 200);
    for (const { points } of calls) await points().catch((error) => faults.push(`${what} no more: ${error}`));
    await sleep(2000);
  }
  const end = performance.now() + seconds * 500;
  s3.signal("SIGSTOP");
  await during("the bucket hangs", ["file"], S3_DEADLINE_MS, end);
  for (const { points } of calls) await points().catch((error) => faults.push(`the bucket hangs: ${error}`));
  s3.signal("SIGCONT");
  for (const { file } of calls) await file().catch((error) => faults.push(`the bucket hangs no more: ${error}`));

  // What was sent without a stream's id was sent once, and may be there or not: it is none of the comparison's.
  const { files } = createSluice({ url: urls[0] });
  for (;;) {
    const own = (await files.list({ pageSize: 1000 })).files.filter(({ fileName }) => fileName === "outage.csv");
    for (const { fileId } of own) await files.delete(fileId);
    if (own.length === 0) break;
  }
  return await conclude(cluster, workload, faults, "outage");
}

function codeOf(error: unknown): string {
  return error instanceof ConnectError ? Code[error.code] : String(error);
}

async function readiness(url: string): Promise<number> {
  const response = await fetch(`${url}/readyz`);
  await response.body?.cancel();
  return response.status;
}
