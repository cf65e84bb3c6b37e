/**
 * The same data and questions, or the nearest that there are, for VictoriaMetrics and VictoriaLogs:
 * `deno task bench:scale:peers [--points N] [--logs N] [--days N] [--times N] [--only metrics|logs]`. Needs both on PATH:
 *
 *     go install github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics@v1.102.0
 *     go install github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-logs@v1.102.0
 *
 * @module
 */
import { parseArgs } from "node:util";
import { DAY, HOUR, MIB, MINUTE, SECOND } from "../../limits.ts";
import { Random } from "../../tests/store/format/random.ts";
import { freePort } from "../../tests/support/free_port.ts";
import { ResidentMemory } from "../memory/resident.ts";
import { beginOf, logsOfDay, METRICS, pointsOfDay, RACK, RARE, SOURCES } from "./data.ts";
import { askOften, type Row, sizeOf, table } from "./measure.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    points: { type: "string", default: "100000000" },
    logs: { type: "string", default: "10000000" },
    days: { type: "string", default: "30" },
    times: { type: "string", default: "50" },
    only: { type: "string" },
  },
});
const [points, logs, days, times] = [values.points, values.logs, values.days, values.times].map(Number);
const begin = beginOf(Date.now(), days);
const end = begin + days * DAY;

/** Bytes of a body with which data is loaded. */
const BODY_BYTES = 8 * MIB;

interface Peer extends AsyncDisposable {
  readonly url: string;
  readonly dir: string;
  readonly memory: ResidentMemory;
}

async function startPeer(program: string): Promise<Peer> {
  const dir = await Deno.makeTempDir({ prefix: "sluice-peer-" });
  const port = freePort();
  const args = [`-storageDataPath=${dir}`, `-httpListenAddr=127.0.0.1:${port}`, "-retentionPeriod=100d"];
  const child = new Deno.Command(program, { args, stdout: "null", stderr: "null" }).spawn();
  const url = `http://127.0.0.1:${port}`;
  while (!await fetch(`${url}/health`).then(({ ok }) => ok, () => false)) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const memory = new ResidentMemory(child.pid);
  return {
    ...{ url, dir, memory },
    async [Symbol.asyncDispose]() {
      memory[Symbol.dispose]();
      child.kill("SIGTERM");
      await child.status;
      await Deno.remove(dir, { recursive: true });
    },
  };
}

/** Posts lines in bodies of some size. Returns how many seconds that took. */
async function load(url: string, lines: Iterable<string>): Promise<number> {
  const start = performance.now();
  let body: string[] = [];
  let bytes = 0;
  const post = async () => {
    const response = await fetch(url, { method: "POST", body: body.join("") });
    if (!response.ok) throw new Error(`${url}: HTTP ${response.status} ${await response.text()}`);
    await response.body?.cancel();
    body = [];
    bytes = 0;
  };
  for (const line of lines) {
    body.push(line);
    if ((bytes += line.length) >= BODY_BYTES) await post();
  }
  if (body.length > 0) await post();
  return (performance.now() - start) / 1000;
}

function* metricLines(): Generator<string> {
  const perDay = Math.round(points / days / SOURCES / METRICS.length);
  for (let day = 0; day < days; day++) {
    for (const { source, timestamp, metrics, tags } of pointsOfDay(begin, day, perDay)) {
      const labels = `{source="${source}",rack="${tags!.rack}"}`;
      let lines = "";
      for (const name in metrics) lines += `${name}${labels} ${metrics[name]} ${timestamp}\n`;
      yield lines;
    }
  }
}

function* logLines(): Generator<string> {
  for (let day = 0; day < days; day++) {
    for (
      const { application, level, timestamp, message, fields } of logsOfDay(begin, day, Math.round(logs / days), days)
    ) {
      const time = new Date(Number(timestamp)).toISOString();
      yield `${JSON.stringify({ _time: time, app: application, level, _msg: message, ...fields })}\n`;
    }
  }
}

/** Waits until what was loaded is written: the folder has stood still for a while. */
async function settled(dir: string): Promise<number> {
  for (let before = -1;;) {
    const size = await sizeOf(dir);
    if (size === before) return size;
    before = size;
    await new Promise((resolve) => setTimeout(resolve, 10 * SECOND));
  }
}

function range(random: Random, length: number): { start: number; end: number } {
  const to = end - (length < days * DAY ? random.below(days * DAY - length + 1) : 0);
  return { start: to - length, end: to };
}

async function ask(url: string, parameters: Record<string, string | number>): Promise<string> {
  const response = await fetch(
    `${url}?${new URLSearchParams(Object.entries(parameters).map(([k, v]) => [k, String(v)]))}`,
  );
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: HTTP ${response.status} ${text}`);
  return text;
}

async function measureMetrics(): Promise<void> {
  await using peer = await startPeer("victoria-metrics");
  const seconds = await load(`${peer.url}/api/v1/import/prometheus`, metricLines());
  await fetch(`${peer.url}/internal/force_flush`);
  const size = await settled(peer.dir);
  console.log(
    `VictoriaMetrics: loaded in ${seconds.toFixed(0)} s, ${(size / points).toFixed(2)} bytes a sample on disk`,
  );
  const query = (length: number, step: number, make: (random: Random) => string) => async (random: Random) => {
    const { start, end } = range(random, length);
    const parameters = { query: make(random), start: start / 1000, end: end / 1000, step: step / 1000, nocache: 1 };
    const text = await ask(`${peer.url}/api/v1/query_range`, parameters);
    return text.split("],[").length;
  };
  const one = (window: string) => (random: Random) =>
    `avg_over_time(${random.pick(METRICS)}{source="host-${random.below(SOURCES)}"}[${window}])`;
  const rack = (random: Random) =>
    `quantile(0.99, quantile_over_time(0.99, ${random.pick(METRICS)}{rack="r${random.below(SOURCES / RACK)}"}[1h]))`;
  const rows: Row[] = [];
  for (
    const [name, work] of [
      ["one series, 1 h", query(HOUR, MINUTE, one("1m"))],
      ["one series, 24 h", query(DAY, 10 * MINUTE, one("10m"))],
      [`one series, ${days} d`, query(days * DAY, HOUR, one("1h"))],
      ["p99 over 100 series, 24 h", query(DAY, HOUR, rack)],
    ] as const
  ) rows.push(await askOften(name, times, work));
  console.log(`${table(rows)}\nmemory: at the most ${peer.memory.summary().peak} MiB\n`);
}

async function measureLogs(): Promise<void> {
  await using peer = await startPeer("victoria-logs");
  const seconds = await load(`${peer.url}/insert/jsonline?_stream_fields=app`, logLines());
  const size = await settled(peer.dir);
  console.log(`VictoriaLogs: loaded in ${seconds.toFixed(0)} s, ${(size / logs).toFixed(2)} bytes an entry on disk`);
  const search = (length: number, make: (random: Random) => string) => async (random: Random) => {
    const { start, end } = range(random, length);
    const text = await ask(`${peer.url}/select/logsql/query`, {
      query: make(random),
      start: iso(start),
      end: iso(end),
      limit: 100,
    });
    return text.split("\n").length - 1;
  };
  const hits = (step: string) => async (random: Random) => {
    const { start, end } = range(random, DAY);
    const parameters = { query: "*", start: iso(start), end: iso(end), step, field: "level" };
    return (await ask(`${peer.url}/select/logsql/hits`, parameters)).length;
  };
  const month = days * DAY;
  const rows: Row[] = [];
  for (
    const [name, work] of [
      [
        "a common word, the newest 100",
        search(
          month,
          (r) => `${r.pick(["request", "connection", "timeout", "user"])} | sort by (_time) desc | limit 100`,
        ),
      ],
      [`a rare word, ${days} d`, search(month, () => RARE)],
      ["a word of one application, 24 h", search(DAY, (r) => `_stream:{app="app-${r.below(1000)}"} timeout`)],
      ["entries by level, 24 h by 1 h", hits("1h")],
      ["entries by level, 24 h by 5 min", hits("5m")],
    ] as const
  ) {
    rows.push(
      await askOften(name, times, work).catch((error) => ({ name, found: 0, p50: NaN, p95: NaN, note: `${error}` })),
    );
  }
  console.log(`${table(rows)}\nmemory: at the most ${peer.memory.summary().peak} MiB\n`);
}

const iso = (ms: number): string => new Date(ms).toISOString();

if (values.only !== "logs") await measureMetrics();
if (values.only !== "metrics") await measureLogs();
