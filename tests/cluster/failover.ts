/**
 * Instances are killed in turn, while clients go from one to the next; two of the instances reach denokv over a network
 * that holds answers up and loses them.
 *
 * @module
 */
import { Workload } from "../crash/workload.ts";
import { Random } from "../store/format/random.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";
import { sleep } from "../support/resuming_client.ts";
import { startCluster } from "./cluster.ts";
import { conclude } from "./conclude.ts";

const INSTANCES = 3;

export async function runFailover({ kills, seed }: { kills: number; seed: number }): Promise<boolean> {
  const random = new Random(seed);
  let proxy: Proxy | undefined;
  let calm = false;
  await using cluster = await startCluster({
    instances: INSTANCES,
    env: { SLUICE_HOUSEKEEPING_SECONDS: "1" },
    kv(index, denokv) {
      proxy ??= startProxy({
        port: Number(new URL(denokv.url).port),
        random: new Random(seed + 1),
        faults: ["none", "none", "cut", "stall", "lose answers", "duplicate"],
        calm: () => calm,
      });
      return index === 0 ? denokv.url : proxy.url;
    },
  });
  try {
    for (let i = 0; i < INSTANCES; i++) await cluster.start(i);
    const { urls, instances } = cluster;
    const workload = new Workload({
      clients: { files: 4, points: 4, logs: 4 },
      endpoints: (index) => urls.map((_, i) => urls[(index + i) % INSTANCES]),
      random: () => new Random(random.below(2 ** 32)),
    });
    const faults: string[] = [];
    for (let i = 0; i < kills && workload.faults.length === 0; i++) {
      await sleep(random.next() * 1500);
      const index = i % INSTANCES;
      if (instances[index].died) faults.push(`instance ${index} ended by itself: ${instances[index].stderr}`);
      await instances[index].end("SIGKILL");
      await sleep(random.next() * 1000);
      await cluster.start(index);
    }
    calm = true;
    const connections = [...proxy?.counts ?? []].map(([fault, count]) => `${count} ${fault}`).join(", ");
    console.log(`${kills} kills of ${INSTANCES} instances; connections to denokv over the bad network: ${connections}`);
    return await conclude(cluster, workload, faults);
  } finally {
    await proxy?.[Symbol.asyncDispose]();
  }
}
