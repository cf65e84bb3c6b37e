/**
 * Speed of the storage formats, and the bytes that they take for a value and for a log entry. `deno bench` runs the
 * benches after the report; `deno run -A bench/codecs_bench.ts` prints the report alone.
 *
 * @module
 */
import { encodePointSegment, openPointSegment, type PointColumns } from "../store/format/point_segment.ts";
import { encodeTimestamps, encodeValues } from "../store/format/gorilla.ts";
import { toLogColumns } from "../store/format/log_columns.ts";
import { decodeLogIndex, encodeLogIndex } from "../store/format/log_index.ts";
import { mayMatch } from "../store/format/log_may_match.ts";
import { decodeLogSegment } from "../store/format/log_reader.ts";
import { encodeLogSegment, packLogSegments } from "../store/format/log_segment.ts";
import { makeSeries, seriesId } from "../store/format/series.ts";
import type { LogCondition } from "../store/log_condition.ts";
import type { LogRecord } from "../store/log_types.ts";
import type { Series } from "../store/types.ts";
import { Random } from "../tests/store/format/random.ts";

const ORIGIN = "01HF7YAT00ABCDEFGHJKMNPQRS";
const START = 1_700_000_000_000;
const DPKG_LOG = "/var/log/dpkg.log";

const random = new Random(1);

// ---- data ----

/** One series of `count` samples 15 s apart, of a counter that grows by a little. */
function regular(count: number): PointColumns {
  let value = 0;
  return oneSeries(count, (i) => START + i * 15_000, () => value += random.below(4));
}

/** One series of a gauge with all the digits of a double, at times that vary by some ms. */
function noisy(count: number): PointColumns {
  return oneSeries(
    count,
    (i) => START + i * 15_000 + Math.round(20 * random.gaussian()),
    () => 50 + 10 * random.gaussian(),
  );
}

function oneSeries(count: number, time: (i: number) => number, value: () => number): PointColumns {
  const indexes = Array.from({ length: count }, (_, i) => i);
  const series = [makeSeries("host-1", "requests_total", { region: "eu-west-1", service: "api" })];
  return { series, seriesOf: indexes.map(() => 0), timestamps: indexes.map(time), values: indexes.map(value) };
}

/** Samples as a fleet sends them: points of four metrics from 25 hosts, a point a second each. */
function fleet(count: number): PointColumns {
  const series: Series[] = [];
  for (let host = 0; host < 25; host++) {
    const tags = { host: `host-${host}`, region: "eu-west-1", service: "api" };
    for (const metric of ["cpu", "memory", "requests_total", "latency_ms"]) {
      series.push(makeSeries("agent", metric, tags));
    }
  }
  const make = [
    () => random.below(1000) / 10,
    () => 4_000_000 + random.below(100_000),
    (i: number) => i * 10 + random.below(10),
    () => 20 + random.gaussian(),
  ];
  const indexes = Array.from({ length: count }, (_, i) => i);
  return {
    series,
    seriesOf: indexes.map((i) => i % 100),
    timestamps: indexes.map((i) => START + Math.floor(i / 100) * 1000 + (Math.floor(i / 4) % 25) * 7),
    values: indexes.map((i) => make[i % 4](i)),
  };
}

/** What this machine's kernel counts, read for two seconds and taken as points a second apart. */
async function real(): Promise<PointColumns> {
  const series: Series[] = [];
  const indexes = new Map<string, number>();
  const columns = { series, seriesOf: [] as number[], timestamps: [] as number[], values: [] as number[] };
  const end = performance.now() + 2000;
  for (let time = START; performance.now() < end; time += 1000) {
    for (const [metric, value] of kernelMetrics()) {
      const index = indexes.get(metric) ?? series.push(makeSeries("host-1", metric, { os: "linux" })) - 1;
      indexes.set(metric, index);
      columns.seriesOf.push(index);
      columns.timestamps.push(time);
      columns.values.push(value);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return columns;
}

function* kernelMetrics(): Iterable<[string, number]> {
  const lines = (path: string) => Deno.readTextFileSync(path).trim().split("\n");
  for (const line of lines("/proc/meminfo")) {
    const [name, value] = line.split(/:\s+/);
    yield [`memory.${name}`, parseInt(value)];
  }
  for (const line of lines("/proc/stat")) {
    const [name, ...values] = line.split(/\s+/);
    if (name === "intr" || name === "softirq") yield [`stat.${name}`, Number(values[0])];
    else for (const [i, value] of values.entries()) yield [`stat.${name}.${i}`, Number(value)];
  }
  for (const [i, value] of lines("/proc/loadavg")[0].split(" ").slice(0, 3).entries()) {
    yield [`load.${i}`, Number(value)];
  }
}

/** Entries such as a web service writes. */
function generatedLogs(count: number): LogRecord[] {
  const users = Array.from({ length: 200 }, () => `user${random.below(1e6)}`);
  return Array.from({ length: count }, (_, i) => {
    const path = `/api/v1/${random.pick(["orders", "users", "files", "search"])}/${random.below(5000)}`;
    const duration = random.below(900);
    return {
      application: random.pick(["api", "api", "api", "worker", "billing"]),
      level: random.pick([1, 2, 2, 2, 2, 2, 3, 4]),
      timestamp: START + i * 7 + random.below(7),
      message: `${random.pick(["GET", "PUT", "POST"])} ${path} answered ${
        random.pick([200, 200, 404, 500])
      } in ${duration} ms`,
      fields: [["duration", `${duration}`], ["trace", hex(8)], ["user", random.pick(users)]],
    };
  });
}

function hex(bytes: number): string {
  return Array.from(random.bytes(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The last lines of a log that many machines have, or none. */
function realLogs(count: number): LogRecord[] {
  let lines: string[];
  try {
    lines = Deno.readTextFileSync(DPKG_LOG).trim().split("\n").slice(-count);
  } catch {
    return [];
  }
  return lines.map((line) => ({
    application: "dpkg",
    level: 2,
    timestamp: Date.parse(line.slice(0, 19).replace(" ", "T") + "Z") || START,
    message: line.slice(20),
    fields: [],
  }));
}

// ---- report ----

/** Prints bytes per value: columns only, and the whole segment with dictionary, directory and rollups. */
function reportPoints(name: string, input: PointColumns): void {
  const bytes = encodePointSegment(input);
  const segment = openPointSegment(bytes);
  let columns = 0;
  let sketches = 0;
  const times = new Set<Float64Array>();
  for (let i = 0; i < segment.seriesCount; i++) {
    const { timestamps, values } = segment.columns(i);
    if (!times.has(timestamps)) columns += encodeTimestamps(timestamps).length;
    times.add(timestamps);
    columns += encodeValues(values).length;
    if (segment.rollup(i)?.sketch !== undefined) sketches++;
  }
  const perValue = (count: number) => (count / segment.samples).toFixed(2);
  console.log(
    `${name}: ${perValue(columns)} bytes a value in columns, ${perValue(bytes.length)} in the segment ` +
      `(${segment.samples} values, ${segment.seriesCount} series, ${sketches} with sketch)`,
  );
}

/** Prints bytes per entry: as UTF-8, in the segment, and with the index. */
function reportLogs(name: string, records: readonly LogRecord[]): void {
  if (records.length === 0) return;
  const encoder = new TextEncoder();
  let raw = 0;
  for (const { application, message, fields } of records) {
    raw += 8 + 1 + encoder.encode([application, message, ...fields.flat()].join("")).length;
  }
  const packed = packLogSegments(toLogColumns(records), ORIGIN);
  const segments = packed.reduce((sum, { segment }) => sum + segment.length, 0);
  const indexes = packed.reduce((sum, { index }) => sum + index.length, 0);
  const perEntry = (count: number) => (count / records.length).toFixed(1);
  console.log(
    `${name}: ${perEntry(raw)} bytes an entry raw, ${perEntry(segments)} in segments, ` +
      `${perEntry(segments + indexes)} with index (${records.length} entries, ${packed.length} segments)`,
  );
}

reportPoints("regular counter, 240 samples (an hour)", regular(240));
reportPoints("regular counter, 10,000 samples", regular(10_000));
reportPoints("noisy gauge, 240 samples", noisy(240));
reportPoints("noisy gauge, 10,000 samples", noisy(10_000));
reportPoints("fleet, 1,000 samples", fleet(1000));
reportPoints("fleet, 10,000 samples", fleet(10_000));
if (Deno.build.os === "linux") reportPoints("this machine, /proc every 10 ms for 2 s as 1 s apart", await real());
reportLogs("generated log", generatedLogs(1000));
reportLogs(DPKG_LOG, realLogs(1000));

// ---- speed ----

for (const [name, make] of Object.entries({ regular, noisy, fleet })) {
  for (const count of [1000, 10_000]) {
    const input = make(count);
    const bytes = encodePointSegment(input);
    const group = `points, ${name}, ${count}`;
    Deno.bench(`encode ${count} samples, ${name}`, { group }, () => void encodePointSegment(input));
    Deno.bench(`decode ${count} samples, ${name}`, { group }, () => {
      const segment = openPointSegment(bytes);
      for (let i = 0; i < segment.seriesCount; i++) segment.columns(i);
    });
  }
}

const logs = toLogColumns(generatedLogs(1000));
const order = Int32Array.from({ length: 1000 }, (_, i) => i);
const [packedLogs] = packLogSegments(logs, ORIGIN);
const sought: LogCondition = {
  type: "all",
  of: ["orders", "absent"].map((text) => ({ type: "words", where: "anywhere", words: { text, isPrefix: false } })),
};
Deno.bench("encode 1,000 log entries, segment", { group: "logs" }, () => void encodeLogSegment(logs, ORIGIN));
Deno.bench("encode 1,000 log entries, index", { group: "logs" }, () => void encodeLogIndex(logs, order));
Deno.bench("pack 1,000 log entries, both", { group: "logs" }, () => void packLogSegments(logs, ORIGIN));
Deno.bench("decode 1,000 log entries", { group: "logs" }, () => void decodeLogSegment(packedLogs.segment));
Deno.bench("decode and ask an index", { group: "logs" }, () => void mayMatch(decodeLogIndex(packedLogs.index), sought));

Deno.bench("make a series of four tags, and its id", () => {
  seriesId(makeSeries("agent", "cpu", { zone: "a", host: "host-1", region: "eu-west-1", service: "api" }).key);
});
