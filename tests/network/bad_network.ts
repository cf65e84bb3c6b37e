/**
 * Much of everything, through a network that cuts all connections each second and loses every tenth answer.
 *
 * @module
 */
import { assertEquals, assertGreater } from "@std/assert";
import { createHash } from "node:crypto";
import { createSluice, type LogInit, type Sluice, type Way } from "../../client/mod.ts";
import { MIB } from "../../limits.ts";
import { numberedPoints, storedOf } from "../client/buffered_points.ts";
import { Random } from "../store/format/random.ts";
import { searchAll } from "../support/ask.ts";
import { startProxy } from "../support/proxy.ts";
import { startServer } from "../support/server.ts";

/** How much is sent. */
export interface Amounts {
  points: number;
  logs: number;
  files: number;
}

/** How fast the network is, in both runs: that of one machine alone would have done before the second cut. */
const BYTES_PER_SECOND = 4 * MIB;

/** Points of a stream, so that sums of their squares are whole numbers. */
const POINTS_PER_STREAM = 100_000;
const LOG_STREAMS = 4;

/** Bytes of a file in which no two places look the same, by its number. */
function contentOf(index: number): Uint8Array<ArrayBuffer> {
  const random = new Random(index);
  const line = () => `${random.next()} ${random.next()}\n`;
  return new TextEncoder().encode(Array.from({ length: 1 + random.below(15_000) }, line).join(""));
}

function* entries(application: string, count: number): Generator<LogInit> {
  const begin = Date.now() - 3600_000;
  for (let i = 0; i < count; i++) yield { application, timestamp: begin + i, message: `line ${i} of ${application}` };
}

/** Sends all of it, with some streams at once. Resolves with how long it took, ms. */
async function sendAll(sluice: Sluice, { points, logs, files }: Amounts): Promise<number> {
  const start = performance.now();
  const streams = Math.ceil(points / POINTS_PER_STREAM);
  const names = Array.from({ length: files }, (_, i) => i);
  const [, , outcomes] = await Promise.all([
    Promise.all(
      Array.from({ length: streams }, (_, i) => sluice.sendPoints(numberedPoints(`p${i}`, 0, points / streams))),
    ),
    Promise.all(Array.from({ length: LOG_STREAMS }, (_, i) => sluice.sendLogs(entries(`l${i}`, logs / LOG_STREAMS)))),
    sluice.uploadFiles(names.map((i) => ({ source: contentOf(i), name: `file-${i}.txt` })), { maxConcurrency: 4 }),
  ]);
  for (const outcome of outcomes) if (!outcome.ok) throw outcome.error;
  return performance.now() - start;
}

/** @throws {AssertionError} if anything is not there exactly once. */
async function verify(url: string, { points, logs, files }: Amounts): Promise<void> {
  const sluice = createSluice({ url });
  const streams = Math.ceil(points / POINTS_PER_STREAM);
  for (let i = 0; i < streams; i++) assertEquals(await storedOf(url, `p${i}`), points / streams);
  for (let i = 0; i < LOG_STREAMS; i++) {
    const { hits } = await searchAll(sluice, { application: `l${i}`, pageSize: 1000 });
    const messages = hits.map(({ entry }) => entry!.message);
    assertEquals([messages.length, new Set(messages).size], [logs / LOG_STREAMS, logs / LOG_STREAMS]);
  }
  const stored = new Map<string, string>();
  for (let pageToken = "";;) {
    const page = await sluice.files.list({ pageSize: 1000, pageToken });
    for (const { fileName, checksum } of page.files) {
      assertEquals(stored.has(fileName), false, `${fileName} is stored twice`);
      stored.set(fileName, checksum);
    }
    if ((pageToken = page.nextPageToken) === "") break;
  }
  assertEquals(stored.size, files);
  for (let i = 0; i < files; i++) {
    assertEquals(stored.get(`file-${i}.txt`), createHash("sha256").update(contentOf(i)).digest("hex"));
  }
}

/** Sends all of it by one way, first as it comes and then through the bad network, and prints a line of the table. */
export async function throughBadNetwork(transport: Way, amounts: Amounts, seed: number): Promise<void> {
  const runs = [];
  for (const bad of [false, true]) {
    await using server = await startServer();
    await using proxy = startProxy({
      ...{ port: Number(new URL(server.url).port), random: new Random(seed), faults: ["none"] },
      bytesPerSecond: BYTES_PER_SECOND,
      ...bad && { cutEveryMs: 1000, losesAnswers: 0.1 },
    });
    let failures = 0;
    const sluice = createSluice({
      url: proxy.url,
      transport,
      retry: { budget: 1000, budgetPerSecond: 100 },
      onEvent: ({ type }) => type === "retry" && failures++,
    });
    const ms = await sendAll(sluice, amounts);
    await verify(server.url, amounts);
    runs.push({ ms, failures, bytes: proxy.bytesUp(), cuts: proxy.cuts(), lost: proxy.lost() });
  }
  const [calm, bad] = runs;
  assertGreater(bad.failures, 0);
  const again = (bad.bytes / calm.bytes - 1) * 100;
  console.log(
    `${transport.padEnd(8)}  ${seconds(calm.ms)} s undisturbed, ${seconds(bad.ms)} s through ${bad.cuts} cuts and ` +
      `${bad.lost} lost answers, ${bad.failures} retries; ${
        again.toFixed(1)
      } % more bytes sent; all stored exactly once`,
  );
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
