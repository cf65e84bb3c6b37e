/**
 * `deno task test:network [--points N] [--logs N] [--files N] [--seconds N] [--seed N]`: the client over bad networks, with
 * no server for a while, and with endpoints that die.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { throughBadNetwork } from "./bad_network.ts";
import { failOver } from "./failover.ts";
import { whileStopped } from "./stopped_server.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    points: { type: "string", default: "1000000" },
    logs: { type: "string", default: "100000" },
    files: { type: "string", default: "200" },
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
  },
});
const amounts = { points: Number(values.points), logs: Number(values.logs), files: Number(values.files) };
console.log(`seed ${values.seed}`);
for (const way of ["stream", "windows"] as const) await throughBadNetwork(way, amounts, Number(values.seed));
for (const way of ["stream", "windows"] as const) await whileStopped(way, Number(values.seconds));
for (const signal of ["SIGKILL", "SIGSTOP"] as const) await failOver(signal);
