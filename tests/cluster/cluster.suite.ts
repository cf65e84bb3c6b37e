/**
 * Three instances over a real denokv and a real S3 server: `deno task test:cluster --kills 60 --freeze 60 --outage 30`
 * (the last two in seconds). Clients fail over while instances are killed in turn; one is frozen while it keeps house and
 * owns an upload; denokv hangs, and is gone. After each, what was sent is compared with what is stored.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { runFailover } from "./failover.ts";
import { runFreeze } from "./freeze.ts";
import { runOutages } from "./outages.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    kills: { type: "string", default: "30" },
    freeze: { type: "string", default: "60" },
    outage: { type: "string", default: "30" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    only: { type: "string", multiple: true, default: ["failover", "freeze", "outages"] },
  },
});
const seed = Number(values.seed);
const runs = {
  failover: () => runFailover({ kills: Number(values.kills), seed }),
  freeze: () => runFreeze({ seconds: Number(values.freeze), seed }),
  outages: () => runOutages({ seconds: Number(values.outage), seed }),
};
console.log(`seed ${seed}`);
let right = true;
for (const [name, run] of Object.entries(runs)) {
  if (!values.only.includes(name)) continue;
  const began = performance.now();
  console.log(`--- ${name}`);
  right = await run() && right;
  console.log(`${((performance.now() - began) / 1000).toFixed(1)} s`);
}
if (!right) Deno.exit(1);
