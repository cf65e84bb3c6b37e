/**
 * Sluice against other stacks that do the same work: `deno task bench:peers`.
 *
 *     --rounds N       rounds of each load, default 5; loads of 256 long streams have three fifths of them
 *     --only NAME,...  servers, see servers.ts
 *     --load NAME,...  loads (points-16), or kinds of them (points), see loads.ts
 *     --quick          one short round, without the loads of 256 long streams
 *
 * A whole run (without --only, --load and --quick) writes its tables into bench/README.md.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { ROOT } from "../../scripts/run.ts";
import { build, missingPrograms } from "./build.ts";
import { type Load, LOADS, writeBodies } from "./loads.ts";
import { measure, type Result } from "./measure.ts";
import { aimsTable, loadTable, preamble, wholeReport, writeReadme } from "./report.ts";
import { PEERS } from "./servers.ts";

/** Whether a load is the one that was asked for, or of that kind. */
const isOf = (name: string, asked: string) => name === asked || name.startsWith(`${asked}-`);

const { values } = parseArgs({
  args: Deno.args,
  options: {
    rounds: { type: "string" },
    only: { type: "string" },
    load: { type: "string" },
    quick: { type: "boolean", default: false },
  },
});
const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
const seconds = values.quick ? 0.3 : 0.8;
if (!Number.isInteger(rounds) || rounds < 1) fail(`--rounds must be a number from 1: it is ${values.rounds}`);
const only = values.only?.split(",");
const chosen = values.load?.split(",");
const peers = PEERS.filter(({ name }) => only?.includes(name) ?? true);
const loads = LOADS.filter(({ name, heavy }) => chosen?.some((c) => isOf(name, c)) ?? !(values.quick && heavy));
const unknown = [
  ...(only ?? []).filter((name) => !PEERS.some((p) => p.name === name)),
  ...(chosen ?? []).filter((name) => !LOADS.some((l) => isOf(l.name, name))),
];
if (unknown.length > 0) {
  fail(
    `there is no ${unknown.join(", ")}; servers: ${PEERS.map(({ name }) => name).join(" ")}; ` +
      `loads: ${LOADS.map(({ name }) => name).join(" ")}`,
  );
}
const missing = await missingPrograms();
if (missing.length > 0) fail(`these programs are needed and not installed:\n- ${missing.join("\n- ")}`);

const scratch = await Deno.makeTempDir({ prefix: "sluice-bench-" });
// Not in a temporary folder: that may be in memory, where nothing is durable and all is fast.
await Deno.mkdir(`${ROOT}data`, { recursive: true });
const data = await Deno.makeTempDir({ dir: `${ROOT}data`, prefix: "bench-" });
// Ctrl-C stops the servers and removes the folders too.
const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(name, () => interrupted.abort(new Error("interrupted")));
}
const { signal } = interrupted;
try {
  console.log("building the peers (some minutes the first time)");
  const { folder: built, versions } = await build(scratch);
  const bodies = await writeBodies(scratch);
  const command = ["deno task bench:peers", ...Deno.args].join(" ");
  const head = await preamble(versions, bodies, data, command);
  console.log(head);

  const results = new Map<Load, Result[]>();
  for (const load of loads) {
    const all = await measure(load, peers, { rounds, seconds, bodies, built, data, scratch, signal });
    results.set(load, all);
    console.log(`\n### ${load.title}\n\n${loadTable(load, all)}`);
  }
  console.log(`\n### Aims\n\n${aimsTable(results)}`);
  if (!only && !chosen && !values.quick) {
    await writeReadme(wholeReport(head, results));
    console.log("\nbench/README.md is written");
  }
} catch (error) {
  if (!signal.aborted) throw error;
  console.error("interrupted");
  Deno.exitCode = 1;
} finally {
  for (const folder of [scratch, data]) await Deno.remove(folder, { recursive: true });
}
Deno.exit();

function fail(message: string): never {
  console.error(message);
  Deno.exit(2);
}
