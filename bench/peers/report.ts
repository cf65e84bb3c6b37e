/**
 * The figures as tables, and bench/README.md with them.
 *
 * @module
 */
import { table } from "../charts/table.ts";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { GIB, MIB } from "../../limits.ts";
import { deno } from "../../scripts/run.ts";
import { AIMS } from "./aims.ts";
import { median } from "./h2load.ts";
import { amount, type Bodies, type Load } from "./loads.ts";
import { ratio, type Result } from "./measure.ts";
import { PEERS } from "./servers.ts";

const README = fileURLToPath(new URL("../README.md", import.meta.url));
const BEGIN = "<!-- bench:peers: what follows is written by the program -->";
const END = "<!-- bench:peers: end -->";

export type Results = ReadonlyMap<Load, readonly Result[]>;

/** What the figures were made on and with. */
export async function preamble(
  versions: Readonly<Record<string, string>>,
  bodies: Bodies,
  data: string,
  command: string,
): Promise<string> {
  const [{ model }] = cpus();
  const stat = await new Deno.Command("stat", { args: ["-f", "-c", "%T", data] }).output();
  const fileSystem = new TextDecoder().decode(stat.stdout).trim();
  return [
    `- ${new Date().toISOString().slice(0, 10)}, \`${command}\``,
    `- ${model}, ${cpus().length} cores, ${(totalmem() / GIB).toFixed(0)} GiB of memory, Linux ${Deno.osRelease()}, ` +
    `data on ${fileSystem}`,
    `- ${Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ")}`,
    `- a point has ${bodies.pointBytes.toFixed(0)} bytes on average, a log entry ${bodies.entryBytes.toFixed(0)}`,
  ].join("\n");
}

/** The figures of one load. */
export function loadTable(load: Load, results: readonly Result[]): string {
  const baseName = load.kind === "connect" ? "connect-es" : "grpc-go";
  const base = results.find(({ peer }) => peer.name === baseName);
  const { count, unit } = amount(load.kind);
  const rows = results.map((result) => {
    if (result.fault !== undefined) return [result.peer.title, `failed: ${result.fault.replaceAll(/[|\n]/g, " ")}`];
    const rate = median(result.rates);
    return [
      result.peer.title,
      significant(rate),
      ...count > 1 ? [grouped(rate * count)] : [],
      base && base.fault === undefined ? ratio(result.rates, base.rates).toFixed(2) : "",
      significant(median(result.p50s)),
      significant(median(result.p99s)),
      (result.peakMemory / MIB).toFixed(0),
    ];
  });
  return table([
    "server",
    "streams/s",
    ...count > 1 ? [`${unit}/s`] : [],
    `ratio to ${baseName}`,
    "p50 ms",
    "p99 ms",
    "peak MiB",
  ], rows);
}

/** What the project aims at, and what it reached. */
export function aimsTable(results: Results): string {
  const columns = [1, 16, 256];
  const measured = new Set([...results].flatMap(([{ kind }, all]) => all.map(({ peer }) => `${kind} ${peer.name}`)));
  const rows = AIMS.flatMap(({ work, against, kind, of, to, at, latency }) =>
    of.filter((name) => measured.has(`${kind} ${name}`)).map((name) => {
      const title = PEERS.find((peer) => peer.name === name)?.title ?? name;
      const reached = new Map<number, number>();
      for (const [load, all] of results) {
        const [mine, theirs] = [name, to].map((n) => all.find(({ peer }) => peer.name === n));
        if (load.kind !== kind || !mine || !theirs || mine.fault || theirs.fault) continue;
        reached.set(load.streams, latency ? ratio(mine.p99s, theirs.p99s) : ratio(mine.rates, theirs.rates));
      }
      const met = [...reached].filter(([, r]) => latency ? r <= at : r >= at).map(([streams]) => streams);
      const verdict = met.length === reached.size ? "yes" : met.length === 0 ? "no" : `at ${met.join(" and ")}`;
      return [
        work,
        title,
        against,
        `${latency ? "at most" : "at least"} ${at}`,
        ...columns.map((c) => reached.get(c)?.toFixed(2) ?? ""),
        reached.size === 0 ? "not measured" : verdict,
      ];
    })
  );
  return table(["work", "server", "against", "aim", ...columns.map((c) => `${c} at once`), "met"], rows);
}

/** All of it, as it stands in bench/README.md. */
export function wholeReport(head: string, results: Results): string {
  const loads = [...results].map(([load, all]) => `### ${load.title}\n\n${loadTable(load, all)}`);
  return [head, `### Aims\n\n${aimsTable(results)}`, ...loads].join("\n\n");
}

/** Puts the report between the markers; what stands around them stays. */
export async function writeReadme(report: string): Promise<void> {
  const text = await Deno.readTextFile(README);
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${README} does not have the markers ${BEGIN} and ${END}`);
  await Deno.writeTextFile(README, `${text.slice(0, begin + BEGIN.length)}\n\n${report}\n\n${text.slice(end)}`);
  await deno("fmt", "--quiet", README);
}

/** Three digits, or all before the point. */
function significant(value: number): string {
  return value >= 100 ? grouped(value) : value.toPrecision(3);
}

function grouped(value: number): string {
  return Math.round(value).toLocaleString("en");
}
