/**
 * Kills the server at random moments while 16 clients stream with resume, over a network that is bad for some of them,
 * and compares what was sent with what is stored: `deno task test:crash --kills 1000 --seed 1`. Half of the kills hit a
 * server with blobs in files, the other half one with blobs in KV.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { runKills } from "./kills.ts";
import { report } from "./report.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    kills: { type: "string", default: "30" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    blobs: { type: "string", multiple: true, default: ["file", "kv"] },
  },
});
const kills = Number(values.kills);
const kinds = values.blobs as ("file" | "kv")[];
console.log(`seed ${values.seed}`);
let right = true;
for (const [i, blobs] of kinds.entries()) {
  const began = performance.now();
  const share = Math.floor(kills * (i + 1) / kinds.length) - Math.floor(kills * i / kinds.length);
  const result = await runKills({
    kills: share,
    seed: Number(values.seed) + i,
    blobs,
    onProgress: (n) => n % 100 === 0 && console.log(`${n} kills in ${seconds(began)} s`),
  });
  const { workload: { sent, traffic } } = result;
  console.log(`blobs in ${blobs}: ${result.kills} kills, ${result.stops} times stopped, ${seconds(began)} s`);
  console.log(`deno task check: ${result.check}`);
  right = report(result.comparison, traffic, sent.replays, result.faults) && result.kills === share && right;
}
if (!right) Deno.exit(1);

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1);
}
