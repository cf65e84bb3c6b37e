/**
 * Where the server's main thread is while points and log entries come in: `deno task bench:flame`. Runs the real server, in
 * its default form, under V8's profiler, drives it with h2load, draws docs/profile-points.svg and docs/profile-logs.svg,
 * and prints the time that each part takes by itself.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { SECOND } from "../limits.ts";
import { deno, ROOT } from "../scripts/run.ts";
import { flameChart, type Frame } from "./charts/flame_chart.ts";
import { table } from "./charts/table.ts";
import { h2load } from "./peers/h2load.ts";
import { type Kind, PATHS, writeBodies } from "./peers/loads.ts";

/** See https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  /** Microseconds, one a sample: since the one before. */
  readonly timeDeltas: readonly number[];
}

const LOADS: readonly { readonly kind: Kind; readonly requests: number; readonly title: string }[] = [
  { kind: "points", requests: 1200, title: "10,000 points a stream" },
  { kind: "logs", requests: 400, title: "10,000 log entries a stream" },
];
const CONNECTIONS = 4;
const STREAMS_EACH = 4;
const IDLE = new Set(["(idle)", "(program)", "(root)"]);

/** What code belongs to, by the beginning of its path; the first that fits. */
const PARTS: readonly (readonly [path: string, part: string])[] = [
  ["http/", "http2"],
  ["http2/", "http2"],
  ["rpc/", "rpc"],
  ["decode/", "decode"],
  ["services/", "services"],
  ["store/format/", "store/format"],
  ["store/", "store/kv"],
  ["", "Deno"],
];
/** What is not of the project has a part by its name. */
const NATIVE: readonly (readonly [name: RegExp, part: string])[] = [
  [/^op_kv_|deno_kv/, "Deno KV"],
  [/^writeSync|zlib/, "compression"],
  [/^op_(read|write)\b/, "sockets"],
  [/./, "Deno"],
];
const GROUPS = [
  ...["http2", "rpc", "decode", "services", "store/format", "store/kv"],
  ...["Deno KV", "compression", "sockets", "garbage collection", "Deno", "npm"],
];

const NEVER = new AbortController().signal;
const scratch = await Deno.makeTempDir({ prefix: "sluice-flame-" });
// Not in a temporary folder: that may be in memory.
await Deno.mkdir(`${ROOT}data`, { recursive: true });
const data = await Deno.makeTempDir({ dir: `${ROOT}data`, prefix: "flame-" });
try {
  const bodies = await writeBodies(scratch);
  for (const { kind, requests, title } of LOADS) {
    const profile = await record(kind, requests, bodies.paths[kind]);
    const { root, self, idle } = merge(profile);
    const chart = flameChart(root, `The server's main thread, ${title}, stored on disk`, GROUPS);
    const path = `${ROOT}docs/profile-${kind}.svg`;
    await Deno.writeTextFile(path, chart);
    await deno("fmt", "--quiet", path);
    const busy = [...self.values()].reduce((sum, time) => sum + time, 0);
    const rows = [...self].sort((a, b) => b[1] - a[1]).map((
      [part, time],
    ) => [part, `${(time / busy * 100).toFixed(1)} %`]);
    console.log(`\n### ${title}\n\n${table(["part", "of the busy time"], rows)}\n`);
    console.log(`idle or waiting: ${(idle / (idle + busy) * 100).toFixed(1)} % of the time`);
    console.log(table(["function", "of the busy time"], topFunctions(root, busy)));
  }
} finally {
  for (const folder of [scratch, data]) await Deno.remove(folder, { recursive: true });
}

/** A profile of the server from its start to its end; the load is most of it. */
async function record(kind: Kind, requests: number, body: string): Promise<CpuProfile> {
  const folder = `${scratch}/profile-${kind}`;
  const server = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--cpu-prof", `--cpu-prof-dir=${folder}`, `${ROOT}main.ts`],
    env: { SLUICE_LISTEN: "127.0.0.1:0", SLUICE_DATA: `${data}/${kind}` },
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const output = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const line = (await output.read()).value ?? "";
  const url = /listening on (http\S+)/.exec(line)?.[1];
  if (!url) throw new Error(`the server did not start: ${line}`);
  const { seconds } = await h2load({
    requests,
    connections: CONNECTIONS,
    perConnection: STREAMS_EACH,
    http1: false,
    body,
    headers: { "content-type": "application/grpc", te: "trailers" },
    urls: [url + PATHS[kind]],
    folder: scratch,
    signal: NEVER,
  });
  server.kill("SIGINT");
  await server.status;
  await output.cancel();
  for await (const { name } of Deno.readDir(folder)) {
    console.log(
      `${kind}: ${requests} streams in ${seconds.toFixed(1)} s (${(seconds * SECOND / requests).toFixed(2)} ms each)`,
    );
    return JSON.parse(await Deno.readTextFile(`${folder}/${name}`));
  }
  throw new Error("there is no profile");
}

/** Stacks merged from their bottom, without the time in which the thread had nothing to do, and self times by part. */
function merge({ nodes, samples, timeDeltas }: CpuProfile) {
  const times = new Map<number, number>();
  samples.forEach((id, i) => times.set(id, (times.get(id) ?? 0) + timeDeltas[i]));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const root: Frame = { name: "all", group: "", total: 0, children: new Map() };
  const self = new Map<string, number>();
  let idle = 0;
  const visit = (id: number, parent: Frame): number => {
    const node = byId.get(id);
    if (!node) throw new Error(`the profile has no node ${id}`);
    const { functionName } = node.callFrame;
    const own = times.get(id) ?? 0;
    if (IDLE.has(functionName) && !node.children?.length) {
      idle += own;
      return 0;
    }
    const { name, group } = describe(node.callFrame);
    let frame = parent.children.get(name);
    if (!frame) parent.children.set(name, frame = { name, group, total: 0, children: new Map() });
    self.set(group, (self.get(group) ?? 0) + own);
    let total = own;
    for (const child of node.children ?? []) total += visit(child, frame);
    frame.total += total;
    return total;
  };
  for (const child of nodes[0].children ?? []) root.total += visit(child, root);
  return { root, self, idle };
}

function describe({ functionName, url, lineNumber }: CpuProfile["nodes"][number]["callFrame"]) {
  if (functionName === "(garbage collector)") return { name: "garbage collector", group: "garbage collection" };
  const name = functionName || "(anonymous)";
  if (!url.startsWith("file:")) {
    const native = `${name} ${url}`.trim();
    return { name: native, group: NATIVE.find(([pattern]) => pattern.test(native))?.[1] ?? "Deno" };
  }
  const path = fileURLToPath(url);
  if (!path.startsWith(ROOT) || path.includes("/node_modules/")) {
    return { name: `${name} ${path.split("/").slice(-2).join("/")}`, group: "npm" };
  }
  const own = path.slice(ROOT.length);
  const [, group] = PARTS.find(([prefix]) => own.startsWith(prefix)) ?? ["", "Deno"];
  return { name: `${name} ${own}:${lineNumber + 1}`, group };
}

function topFunctions(root: Frame, busy: number): string[][] {
  const times = new Map<string, number>();
  const visit = (frame: Frame) => {
    let own = frame.total;
    for (const child of frame.children.values()) {
      own -= child.total;
      visit(child);
    }
    times.set(frame.name, (times.get(frame.name) ?? 0) + own);
  };
  for (const child of root.children.values()) visit(child);
  const top = [...times].sort((a, b) => b[1] - a[1]).slice(0, 20);
  return top.map(([name, time]) => [name, `${(time / busy * 100).toFixed(1)} %`]);
}
