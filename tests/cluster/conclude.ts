/**
 * The end of a run: every client finishes, and what was sent is compared with what is stored.
 *
 * @module
 */
import { checkStores } from "../crash/check.ts";
import { report } from "../crash/report.ts";
import { compareStores } from "../crash/verify.ts";
import type { Workload } from "../crash/workload.ts";
import type { Cluster } from "./cluster.ts";

/** Prints what came of the run; returns whether all is as it should be. Items named `other` are none of the workload's. */
export async function conclude(
  cluster: Cluster,
  workload: Workload,
  faults: string[],
  other?: string,
): Promise<boolean> {
  const { urls, instances, denokv, env } = cluster;
  await workload.finish();
  for (const [i, instance] of instances.entries()) {
    if (instance.died) faults.push(`instance ${i} ended by itself: ${instance.stderr}`);
  }
  Deno.env.set("DENO_KV_ACCESS_TOKEN", denokv.env.DENO_KV_ACCESS_TOKEN);
  const comparison = await compareStores(workload.sent, urls[0], env, (name) => name === other);
  const { summary, damage } = await checkStores(env);
  console.log(`deno task check: ${summary}`);
  faults.push(...workload.faults.map(({ message }) => message), ...damage);
  return report(comparison, workload.traffic, workload.sent.replays, faults);
}
