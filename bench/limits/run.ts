/**
 * Where the time goes: the stages that a body passes through, each on its own and beside the whole server:
 * `deno task bench:limits`.
 *
 *     --rounds N   rounds, in each of which every stage runs once; default 9
 *     --only KIND  points, logs or file
 *
 * @module
 */
import { parseArgs } from "node:util";
import { ROOT } from "../../scripts/run.ts";
import { table } from "../charts/table.ts";
import { type Bodies, writeBodies } from "../peers/loads.ts";
import { fileStages } from "./files.ts";
import { logStages } from "./logs.ts";
import { pointStages } from "./points.ts";
import { hostStages, startHosts } from "./servers.ts";
import { measure, type Stage, type Timing } from "./stage.ts";
import { AT_ONCE, type BothStores, openBoth } from "./stores.ts";

type LongKind = "points" | "logs" | "file";

const KINDS: readonly {
  readonly kind: LongKind;
  readonly title: string;
  stages(body: Uint8Array, stores: BothStores): Stage[];
}[] = [
  { kind: "points", title: "10,000 data points", stages: pointStages },
  { kind: "logs", title: "10,000 log entries", stages: logStages },
  { kind: "file", title: "A file of 10 MiB in chunks of 32 KiB", stages: fileStages },
];

const { values } = parseArgs({
  args: Deno.args,
  options: { rounds: { type: "string", default: "9" }, only: { type: "string" } },
});

function report(timings: readonly Timing[]): string {
  const whole = timings.find(({ stage }) => stage.isWhole)?.cpu ?? NaN;
  const rest = timings.reduce((left, { stage, cpu }) => stage.isPart ? left - cpu : left, whole);
  const row = (
    title: string,
    wall: string,
    cpu: number,
  ) => [title, wall, ms(cpu), `${(cpu / whole * 100).toFixed(0)} %`];
  const rows = timings.map(({ stage, wall, cpu }) => row(stage.title, ms(wall), cpu));
  const at = timings.findIndex(({ stage }) => stage.isWhole);
  rows.splice(at, 0, row("the rest: calls, promises, collecting garbage", "", rest));
  return table(["stage", "ms a body", "CPU ms a body", "of the whole"], rows);
}

function ms(value: number): string {
  return value.toPrecision(3);
}

async function run(bodies: Bodies, scratch: string, data: string): Promise<void> {
  await using hosts = await startHosts(data);
  const stores = await openBoth(data);
  try {
    for (const { kind, title, stages } of KINDS) {
      if (values.only !== undefined && values.only !== kind) continue;
      const own = stages(await Deno.readFile(bodies.paths[kind]), stores);
      const [http2, ...whole] = await hostStages(kind, bodies, hosts, scratch);
      const timings = await measure([http2, ...own, ...whole], Number(values.rounds));
      console.log(`\n### ${title}, ${AT_ONCE} streams at once\n\n${report(timings)}`);
    }
  } finally {
    stores.memory.close();
    stores.durable.close();
  }
}

const scratch = await Deno.makeTempDir({ prefix: "sluice-limits-" });
// Not in a temporary folder: that may be in memory, where nothing is durable and all is fast.
await Deno.mkdir(`${ROOT}data`, { recursive: true });
const data = await Deno.makeTempDir({ dir: `${ROOT}data`, prefix: "limits-" });
try {
  await run(await writeBodies(scratch), scratch, data);
} finally {
  for (const folder of [scratch, data]) await Deno.remove(folder, { recursive: true });
}
