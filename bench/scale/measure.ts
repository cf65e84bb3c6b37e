/**
 * How long answers take, and what lies on the disk.
 *
 * @module
 */
import { Random } from "../../tests/store/format/random.ts";

/** A line of the table. Times are in ms. */
export interface Row {
  readonly name: string;
  /** How much an answer held, on average. */
  readonly found: number;
  readonly p50: number;
  readonly p95: number;
  readonly note?: string;
}

/** Asks so many times, each about something else: the same each time that this runs. */
export async function askOften(name: string, times: number, ask: (random: Random) => Promise<number>): Promise<Row> {
  const random = new Random(1);
  const waits: number[] = [];
  let found = 0;
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    found += await ask(random);
    waits.push(performance.now() - start);
  }
  const [p50, p95] = [0.5, 0.95].map((q) => percentile(waits, q));
  return { name, found: Math.round(found / times), p50, p95 };
}

/** Of nearest rank. */
export function percentile(waits: readonly number[], q: number): number {
  return waits.toSorted((a, b) => a - b)[Math.floor(q * (waits.length - 1))];
}

/** In Markdown. */
export function table(rows: readonly Row[]): string {
  const lines = rows.map(({ name, found, p50, p95, note = "" }) =>
    `| ${name} | ${found} | ${p50.toFixed(0)} | ${p95.toFixed(0)} | ${note} |`
  );
  return ["| question | finds, about | p50 ms | p95 ms | |", "|---|---|---|---|---|", ...lines].join("\n");
}

/** Bytes of all files in a folder. */
export async function sizeOf(folder: string): Promise<number> {
  let bytes = 0;
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    // What is removed meanwhile counts for nothing.
    const size = async () => (await Deno.stat(path).catch(() => undefined))?.size ?? 0;
    bytes += isDirectory ? await sizeOf(path).catch(() => 0) : await size();
  }
  return bytes;
}
