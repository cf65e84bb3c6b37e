/**
 * The demo with what is on this machine.
 *
 * @module
 */
import { countHits, demoFile, summarise } from "./demo_generated.ts";
import { sampleMachine } from "./demo_machine.ts";
import { pace, type Report } from "./demo_report.ts";
import { plainLogs } from "./readers/plain.ts";
import { Aggregation, type LogInit, type PointInit, type Sluice } from "./mod.ts";

/** Samples a second. */
const HERTZ = 10;
/** Bytes of a chunk in the demo's upload. */
const CHUNK_BYTES = 256 * 1024;

/** How old a line's own time may be to be used, ms: a server keeps 30 days by default. */
const MAX_AGE_MS = 29 * 24 * 60 * 60 * 1000;

/** What is sent. */
export interface RealOptions {
  /** How long the machine is sampled. */
  seconds: number;
  /** Path of a log file. */
  log?: string;
  /** Path of a file. */
  file?: string;
}

/** Runs the demo; `run` marks what it sends, so that two runs on one server do not mix. */
export async function demoReal(sluice: Sluice, run: string, options: RealOptions, report: Report): Promise<void> {
  await realPoints(sluice, run, options.seconds, report);
  if (options.log !== undefined) await realLogs(sluice, run, options.log, report);
  if (options.file !== undefined) {
    await demoFile(sluice, options.file, baseName(options.file), CHUNK_BYTES, report);
  }
}

async function realPoints(sluice: Sluice, run: string, seconds: number, report: Report): Promise<void> {
  report.say(`Sampling this machine for ${seconds} s at ${HERTZ} Hz, in one stream`);
  const sent = new Map<string, number[]>();
  async function* remembered(): AsyncGenerator<PointInit> {
    for await (const point of sampleMachine(run, seconds, 1000 / HERTZ)) {
      for (const [metric, value] of Object.entries(point.metrics)) {
        if (!sent.has(metric)) sent.set(metric, []);
        sent.get(metric)!.push(value);
      }
      yield point;
    }
  }
  const from = Date.now();
  const { totalProcessed, successfulCount, errorCount, rejections } = await sluice.sendPoints(remembered());
  report.say(`Collection completed: ${totalProcessed} total, ${successfulCount} successful, ${errorCount} errors`);
  for (const line of summarise(rejections)) report.say(`  rejected ${line}`);
  report.check("points rejected", errorCount, 0);
  for (const [metric, values] of sent) {
    const { series } = await sluice.queryMetrics({
      metric,
      tags: { run },
      from: BigInt(from),
      to: BigInt(Date.now() + 1),
      aggregations: [Aggregation.COUNT, Aggregation.MIN, Aggregation.AVG, Aggregation.MAX],
      quantiles: [0.95],
    });
    const bucket = series[0]?.buckets[0];
    const row = [bucket?.min, bucket?.avg, bucket?.quantiles[0], bucket?.max].map((n) => n?.toPrecision(6) ?? "none");
    report.holds(
      `${metric}: ${bucket?.count ?? 0} of ${values.length} samples, min ${row[0]}, avg ${row[1]}, p95 ${row[2]}, ` +
        `max ${row[3]}`,
      Number(bucket?.count) === values.length && bucket?.min === Math.min(...values) &&
        bucket?.max === Math.max(...values),
    );
  }
}

async function realLogs(sluice: Sluice, run: string, path: string, report: Report): Promise<void> {
  let from = Infinity;
  let to = 0;
  let count = 0;
  async function* entries(): AsyncGenerator<LogInit> {
    const file = await Deno.open(path);
    for await (const entry of plainLogs(file.readable, { application: baseName(path) })) {
      const time = Number(entry.timestamp);
      const now = Date.now();
      const timestamp = time > now - MAX_AGE_MS && time <= now ? time : now;
      from = Math.min(from, timestamp);
      to = Math.max(to, timestamp + 1);
      count++;
      yield { ...entry, timestamp, fields: { run, line: `${count}` } };
    }
  }
  const start = performance.now();
  const receipt = await sluice.sendLogs(entries());
  const took = performance.now() - start;
  const { totalReceived, indexedCount, filteredCount, errorCount } = receipt;
  report.say(
    `Log collection completed: ${totalReceived} total, ${indexedCount} indexed, ${filteredCount} filtered, ` +
      `${errorCount} errors (${path})`,
  );
  report.say(`  (${pace(count, took)})`);
  for (const line of summarise(receipt.rejections)) report.say(`  rejected ${line}`);
  report.check("lines received", totalReceived, count);
  if (count === 0) return;
  const range = { fields: { run }, from: BigInt(from), to: BigInt(to) };
  report.check("log entries found", await countHits(sluice, range, report), indexedCount);
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
