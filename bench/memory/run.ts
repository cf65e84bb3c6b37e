/**
 * How much memory the real server takes, with its stores on disk, while much passes through it: `deno task bench:memory`.
 *
 *     --points N    points, by the project's own client in two calls; default 100,000,000
 *     --gib N       files of 1 GiB, each deleted once it is stored; default 8
 *     --streams N   gRPC streams at once, of ten points a second each; default 1,000
 *     --seconds N   how long these last; default 60
 *     --watched N   of how many streams the points are looked for by queries meanwhile; default 1
 *     --only NAME   points, files or streams
 *
 * A part at its defaults needs up to 2 GiB of disk and writes its chart and figures into bench/memory/; another prints.
 *
 * @module
 */
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { createSluice } from "../../client/mod.ts";
import { FLUSH_MS, GIB, MIB, SECOND } from "../../limits.ts";
import { deno, ROOT } from "../../scripts/run.ts";
import { startServer } from "../../tests/support/server.ts";
import { lineChart } from "../charts/line_chart.ts";
import { ResidentMemory, type Sample, type Summary } from "./resident.ts";
import { watchDelays } from "./visibility.ts";

/** What memory may grow by, MiB. */
const GROWTH = 128;
const CALLS = 2;
/** How long after the end memory is still looked at. */
const AFTER_MS = 3 * SECOND;
const DEFAULTS = { points: "100000000", gib: "8", streams: "1000", seconds: "60", watched: "1" };

interface Part {
  readonly name: string;
  readonly title: string;
  /** Drives a server; returns what else there is to say. */
  drive(url: string): Promise<Record<string, number>>;
}

const { values } = parseArgs({
  args: Deno.args,
  options: {
    points: { type: "string", default: DEFAULTS.points },
    gib: { type: "string", default: DEFAULTS.gib },
    streams: { type: "string", default: DEFAULTS.streams },
    seconds: { type: "string", default: DEFAULTS.seconds },
    watched: { type: "string", default: DEFAULTS.watched },
    only: { type: "string" },
  },
});
const { points, gib, streams, seconds, watched } = Object.fromEntries(
  Object.entries(DEFAULTS).map(([name]) => [name, Number(values[name as keyof typeof DEFAULTS])]),
);
const isWhole = Object.entries(DEFAULTS).every(([name, value]) => values[name as keyof typeof DEFAULTS] === value);

const PARTS: readonly Part[] = [
  {
    name: "points",
    title: `while ${points.toLocaleString("en")} points pass through`,
    async drive(url) {
      const stored = Number(await load("send_points.ts", url, points, CALLS));
      if (stored !== points) throw new Error(`${stored} points were stored of ${points}`);
      return { points };
    },
  },
  {
    name: "files",
    title: `while ${gib} GiB of files pass through`,
    async drive(url) {
      const bytes = Number(await load("send_files.ts", url, gib));
      if (bytes !== gib * GIB) throw new Error(`${bytes} bytes were stored of ${gib * GIB}`);
      return { gib };
    },
  },
  {
    name: "streams",
    title: `while ${streams.toLocaleString("en")} streams bring 10 points a second each`,
    async drive(url) {
      const epoch = Date.now();
      const over = new AbortController();
      const sources = Array.from({ length: watched }, (_, i) => `stream-${Math.floor(i * streams / watched)}`);
      const watching = watchDelays(createSluice({ url }), sources, epoch, over.signal);
      const result = JSON.parse(await load("send_streams.ts", url, streams, seconds, epoch));
      over.abort();
      const { maximum, median, queries } = await watching;
      if (result.failed > 0 || result.stored !== result.sent) throw new Error(JSON.stringify(result));
      const bound = FLUSH_MS + SECOND;
      if (maximum > bound) throw new Error(`a point was found ${maximum} ms after it was sent, not within ${bound}`);
      return { streams, points: result.sent, maximumDelayMs: maximum, medianDelayMs: median, queries };
    },
  },
];

/** Runs a load in a process of its own; returns what it prints. */
async function load(script: string, ...args: (string | number)[]): Promise<string> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", `${ROOT}bench/memory/${script}`, ...args.map(String)],
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`${script} failed`);
  return new TextDecoder().decode(stdout);
}

async function bytesIn(folder: string): Promise<number> {
  let bytes = 0;
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    bytes += isDirectory ? await bytesIn(path) : (await Deno.stat(path)).size;
  }
  return bytes;
}

function draw({ title }: Part, samples: readonly Sample[]): string {
  return lineChart({
    title: `Memory of the server ${title}`,
    xLabel: "time, s",
    yLabel: "resident set, MiB",
    points: samples,
    mark: { y: samples[0][1] + GROWTH, label: `start-up + ${GROWTH} MiB` },
  });
}

/** Writes the chart, and the figures beside those of the other parts. */
async function keep(part: Part, samples: readonly Sample[], figures: Summary & Record<string, number>): Promise<void> {
  const chart = `${ROOT}bench/memory/${part.name}.svg`;
  await Deno.writeTextFile(chart, draw(part, samples));
  await deno("fmt", "--quiet", chart);
  const path = `${ROOT}bench/memory/results.json`;
  const others = JSON.parse(await Deno.readTextFile(path).catch(() => "{}"));
  const date = new Date().toISOString().slice(0, 10);
  const machine = `${cpus()[0].model}, ${cpus().length} cores, Deno ${Deno.version.deno}`;
  const all = { ...others, [part.name]: { date, machine, ...figures } };
  await Deno.writeTextFile(path, JSON.stringify(all, null, 2) + "\n");
}

// Not in a temporary folder: that may be in memory.
await Deno.mkdir(`${ROOT}data`, { recursive: true });
for (const part of PARTS) {
  if (values.only !== undefined && values.only !== part.name) continue;
  const dir = await Deno.makeTempDir({ dir: `${ROOT}data`, prefix: "memory-" });
  try {
    await using server = await startServer({ dir });
    using memory = new ResidentMemory(server.pid);
    const began = performance.now();
    const more = await part.drive(server.url);
    const took = Math.round((performance.now() - began) / 100) / 10;
    await new Promise((resolve) => setTimeout(resolve, AFTER_MS));
    memory.take();
    const summary = memory.summary();
    const figures = { ...summary, seconds: took, diskMib: Math.round(await bytesIn(dir) / MIB), ...more };
    console.log(
      `${part.name}: ${took} s; resident ${summary.start} MiB at start-up, ${summary.peak} at the peak, ` +
        `${summary.end} in the end: + ${summary.growth} of ${GROWTH}\n${JSON.stringify(figures)}`,
    );
    if (isWhole) await keep(part, memory.samples, figures);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
