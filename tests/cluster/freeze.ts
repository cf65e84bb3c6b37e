/**
 * An instance is frozen while it keeps house and owns uploads. Others finish the uploads and take over the house; when it
 * wakes up, nothing of what it still wants to do may happen.
 *
 * @module
 */
import { makeFile } from "../crash/content.ts";
import { Workload } from "../crash/workload.ts";
import { LEASE_MS, MIB } from "../../limits.ts";
import { leaseKey } from "../../store/kv/keys.ts";
import { Random } from "../store/format/random.ts";
import { newStreamId, ResumingClient, sleep } from "../support/resuming_client.ts";
import { uploadFile } from "../support/resuming_streams.ts";
import { until } from "../support/until.ts";
import { startCluster } from "./cluster.ts";
import { conclude } from "./conclude.ts";

export async function runFreeze({ seconds, seed }: { seconds: number; seed: number }): Promise<boolean> {
  const random = new Random(seed);
  await using cluster = await startCluster({ instances: 3, env: { SLUICE_HOUSEKEEPING_SECONDS: "1" } });
  const { urls, denokv } = cluster;
  Deno.env.set("DENO_KV_ACCESS_TOKEN", denokv.env.DENO_KV_ACCESS_TOKEN);
  using kv = await Deno.openKv(denokv.url);
  // What follows the count of its renewals.
  const holder = async () => (await kv.get<Uint8Array>(leaseKey("housekeeping"))).value?.subarray(-26).toHex();

  const frozen = await cluster.start(0);
  const first = await until(holder, 30_000);
  await cluster.start(1);
  await cluster.start(2);
  const workload = new Workload({
    clients: { files: 3, points: 3, logs: 3 },
    endpoints: (index) => urls.map((_, i) => urls[(index + i) % urls.length]),
    random: () => new Random(random.below(2 ** 32)),
    callMs: 3000,
  });
  // Uploads that have begun on the instance, at a speed that has them under way when it freezes.
  let paced = true;
  const files = Array.from({ length: 4 }, (_, i) => makeFile(`frozen-${i}.csv`, (i + 1) * 8 * MIB));
  const client = new ResumingClient({
    endpoints: urls,
    random: new Random(seed + 2),
    callMs: 5000,
    pace: () => paced ? sleep(20) : undefined,
  });
  workload.sent.files.push(...files);
  const uploads = files.map((file) => uploadFile(client, file, { id: newStreamId("frozen-") }));
  await sleep(2500);
  frozen.signal("SIGSTOP");
  paced = false;
  const began = performance.now();
  const faults: string[] = [];
  const takeover = async () => {
    await until(async () => await holder() !== first, 2 * LEASE_MS);
    console.log(`the lease has gone to another ${elapsed(began)} s after the freeze`);
  };
  const finishing = async () => {
    for (const [i, upload] of (await Promise.allSettled(uploads)).entries()) {
      if (upload.status === "rejected") faults.push(`${files[i].name}: ${upload.reason}`);
      else if (upload.value.checksum !== files[i].sha256) faults.push(`${files[i].name} has another SHA-256`);
    }
    console.log(`uploads of the frozen instance finished by others after ${elapsed(began)} s`);
  };
  await Promise.all([takeover(), finishing()]);
  await sleep(Math.max(0, seconds * 1000 - (performance.now() - began)));
  console.log(`frozen for ${elapsed(began)} s`);
  frozen.signal("SIGCONT");
  await sleep(5000);
  const response = await fetch(`${urls[0]}/readyz`);
  await response.body?.cancel();
  if (response.status !== 200) faults.push(`the instance that was frozen is not ready: ${response.status}`);
  return await conclude(cluster, workload, faults);
}

function elapsed(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1);
}
