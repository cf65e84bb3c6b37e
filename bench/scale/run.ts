/**
 * A month of points and logs, loaded through the real server, compacted, and asked about: `deno task bench:scale`.
 *
 *     --points N    samples, of 10,000 series; default 100,000,000
 *     --logs N      entries, of 1,000 streams; default 10,000,000
 *     --days N      default 30
 *     --times N     how often each question is asked; default 50
 *     --data DIR    where the stores are kept afterwards; there already, it is asked only
 *
 * @module
 */
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { createSluice } from "../../client/mod.ts";
import { DAY, MIB } from "../../limits.ts";
import { ROOT } from "../../scripts/run.ts";
import { startServer, type TestServer } from "../../tests/support/server.ts";
import { ResidentMemory } from "../memory/resident.ts";
import { beginOf, METRICS, SOURCES } from "./data.ts";
import { daysToCompact } from "./left.ts";
import { askOften, percentile, type Row, sizeOf, table } from "./measure.ts";
import { questions } from "./questions.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    points: { type: "string", default: "100000000" },
    logs: { type: "string", default: "10000000" },
    days: { type: "string", default: "30" },
    times: { type: "string", default: "50" },
    data: { type: "string" },
  },
});
const [points, logs, days, times] = [values.points, values.logs, values.days, values.times].map(Number);
const dir = values.data ?? await Deno.makeTempDir({ prefix: "sluice-scale-" });
const isThere = await Deno.stat(`${dir}/begin`).then(() => true, () => false);
const begin = isThere ? Number(await Deno.readTextFile(`${dir}/begin`)) : beginOf(Date.now(), days);
const env = { SLUICE_RETENTION_DAYS: String(days + 2), SLUICE_MAX_SERIES: "20000", SLUICE_COLD_HOURS: "0" };

console.log(`${cpus().length} cores, ${cpus()[0].model}; ${points} samples, ${logs} entries, ${days} days`);
if (!isThere) {
  await load();
  await Deno.writeTextFile(`${dir}/begin`, String(begin));
  await compact();
}
await answer();
if (values.data === undefined) await Deno.remove(dir, { recursive: true });

/** Sends all of it. Nothing is compacted meanwhile, so that it can be measured by itself. */
async function load(): Promise<void> {
  await using server = await startServer({ dir, env: { ...env, SLUICE_HOUSEKEEPING_SECONDS: "86400" } });
  const stepsPerDay = Math.round(points / days / SOURCES / METRICS.length);
  const entriesPerDay = Math.round(logs / days);
  for (const [kind, perDay, unit] of [["points", stepsPerDay, SOURCES], ["logs", entriesPerDay, 1]] as const) {
    const before = await sizeOf(dir);
    const start = performance.now();
    const stored = await send(server, kind, perDay);
    if (stored !== perDay * days * unit) throw new Error(`${stored} of ${perDay * days * unit} ${kind} were stored`);
    const seconds = (performance.now() - start) / 1000;
    const items = kind === "points" ? stored * METRICS.length : stored;
    const bytes = await sizeOf(dir) - before;
    console.log(
      `loaded ${items} ${kind} in ${seconds.toFixed(0)} s, ${rate(items / seconds)}/s, ${perItem(bytes, items)}`,
    );
  }
}

async function send({ url }: TestServer, kind: string, perDay: number): Promise<number> {
  const args = [url, kind, begin, 0, days, perDay, days].map(String);
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", `${ROOT}bench/scale/send.ts`, ...args],
    stdout: "piped",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`sending ${kind} failed`);
  return Number(new TextDecoder().decode(stdout));
}

/** Lets the server compact until there is one run a day, while points come in and their commits are timed. */
async function compact(): Promise<void> {
  await using server = await startServer({ dir, env: { ...env, SLUICE_HOUSEKEEPING_SECONDS: "1" } });
  using memory = new ResidentMemory(server.pid);
  const sluice = createSluice({ url: server.url });
  const start = performance.now();
  const waits: number[] = [];
  let seconds = 0;
  while (await daysToCompact(dir) > 0) {
    for (let i = 0; i < 20; i++) {
      const asked = performance.now();
      await sluice.sendPoints([{ source: "now", timestamp: Date.now(), metrics: { wait: i } }]);
      waits.push(performance.now() - asked);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    seconds = (performance.now() - start) / 1000;
  }
  console.log(
    `compacted in ${seconds.toFixed(0)} s, at the most ${memory.summary().peak} MiB; a point meanwhile: ${
      percentiles(waits)
    }`,
  );
  const calm: number[] = [];
  for (let i = 0; i < 400; i++) {
    const asked = performance.now();
    await sluice.sendPoints([{ source: "now", timestamp: Date.now(), metrics: { wait: i } }]);
    calm.push(performance.now() - asked);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  console.log(`a point with nothing to compact: ${percentiles(calm)}`);
}

async function answer(): Promise<void> {
  await using server = await startServer({ dir, env: { ...env, SLUICE_HOUSEKEEPING_SECONDS: "86400" } });
  using memory = new ResidentMemory(server.pid);
  const sluice = createSluice({ url: server.url });
  const rows: Row[] = [];
  for (const { name, aim, ask } of questions(begin + days * DAY, days)) {
    const row = await askOften(name, times, (random) => ask(sluice, random));
    rows.push({ ...row, ...aim && { note: `aim ${aim}` } });
  }
  console.log(`\n${table(rows)}\n`);
  console.log(`memory of the server: at the most ${memory.summary().peak} MiB`);
  console.log(`on disk: ${mib(await sizeOf(dir))} MiB`);
}

function percentiles(waits: readonly number[]): string {
  const at = (q: number) => percentile(waits, q).toFixed(1);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms of ${waits.length}`;
}

function rate(perSecond: number): string {
  return Math.round(perSecond).toLocaleString("en");
}

function perItem(bytes: number, items: number): string {
  return `${(bytes / items).toFixed(2)} bytes each`;
}

function mib(bytes: number): string {
  return (bytes / MIB).toFixed(0);
}
