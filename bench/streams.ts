/**
 * What exactly-once costs: the same items with stream ids and without, on one server with its durable stores, in
 * interleaved rounds of one run.
 *
 *     deno run -A bench/streams.ts [--rounds 7] [--calls 160]
 *
 * A body is 10,000 points, 10,000 log entries or a file of 10 MiB; 16 are on their way at a time. In windows, a body is sent
 * as ten calls, one after the other.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { concat } from "../tests/support/wire.ts";
import { ulid } from "ulid";
import { writeChunk } from "../client/chunks.ts";
import { EnvelopeBatch } from "../client/envelope.ts";
import { writeLog, writePoint } from "../client/items.ts";
import { createSluice } from "../client/mod.ts";
import { KIB, MIB } from "../limits.ts";
import { startServer } from "../tests/support/server.ts";
import { table } from "./charts/table.ts";

const ITEMS = 10_000;
const WINDOWS = 10;
const AT_ONCE = 16;

const { rounds, calls } = parseArgs({
  options: { rounds: { type: "string", default: "7" }, calls: { type: "string", default: "160" } },
}).values;

/** What is sent, whole and in windows. */
interface Load {
  readonly name: string;
  readonly path: string;
  /** Bodies of one stream, and the sequence with which each begins. */
  readonly whole: readonly Window[];
  readonly windows: readonly Window[];
  readonly calls: number;
}

interface Window {
  readonly start: number;
  readonly body: Uint8Array<ArrayBuffer>;
}

const now = Date.now();

function windows(count: number, write: (batch: EnvelopeBatch, index: number) => void): Window[] {
  const size = ITEMS / count;
  return Array.from({ length: count }, (_, w) => {
    const batch = new EnvelopeBatch();
    const parts: Uint8Array[] = [];
    for (let i = w * size; i < (w + 1) * size; i++) {
      batch.begin();
      write(batch, i);
      batch.end();
      if (batch.full) parts.push(batch.take());
    }
    while (!batch.empty) parts.push(batch.take());
    return { start: w * size, body: concat(parts) };
  });
}

function fileWindow(): Window {
  const chunk = 256 * KIB;
  const size = 10 * MIB;
  const data = new TextEncoder().encode("0123456789abcde\n".repeat(chunk / 16));
  const batch = new EnvelopeBatch();
  const parts: Uint8Array[] = [];
  for (let offset = 0; offset < size; offset += chunk) {
    batch.begin();
    writeChunk(batch, {
      fileName: offset === 0 ? "bench.csv" : "",
      data,
      offset,
      totalSize: size,
      isLastChunk: offset + chunk === size,
      contentType: "",
      checksum: "",
      fileChecksum: "",
    });
    batch.end();
    while (!batch.empty) parts.push(batch.take());
  }
  return { start: 0, body: concat(parts) };
}

const point = (batch: EnvelopeBatch, i: number) =>
  writePoint(batch, {
    source: `host-${i % 10}`,
    timestamp: now - i,
    metrics: { cpu: (i * 37 % 1000) / 10, mem: i },
    tags: { zone: "a", rack: `${i % 4}` },
  }, i);
const entry = (batch: EnvelopeBatch, i: number) =>
  writeLog(batch, {
    application: `app-${i % 5}`,
    level: "info",
    timestamp: now - i,
    message: `GET /items/${i * 7919 % 100_000} took ${i % 97} ms`,
    fields: { user: `u${i % 1000}` },
  }, i);

const file = [fileWindow()];
const loads: Load[] = [
  {
    name: "10,000 points",
    path: "sluice.v1.DataCollectionService/CollectDataPoints",
    whole: windows(1, point),
    windows: windows(WINDOWS, point),
    calls: Number(calls),
  },
  {
    name: "10,000 logs",
    path: "sluice.v1.DataCollectionService/CollectLogs",
    whole: windows(1, entry),
    windows: windows(WINDOWS, entry),
    calls: Number(calls) / 2,
  },
  {
    name: "10 MiB file",
    path: "sluice.v1.FileUploadService/UploadFile",
    whole: file,
    windows: [],
    calls: Number(calls) / 4,
  },
];

/** Sends one stream, with an id or without. */
async function sendStream(
  url: string,
  { path, name }: Load,
  bodies: readonly Window[],
  isNamed: boolean,
): Promise<void> {
  const id = ulid();
  for (const { start, body } of bodies) {
    const named = {
      "sluice-stream-id": id,
      "sluice-start": String(start),
      ...!name.endsWith("file") && { "sluice-end": String(ITEMS) },
    };
    const response = await fetch(`${url}/${path}`, {
      method: "POST",
      headers: { "content-type": "application/connect+proto", ...isNamed && named },
      body,
    });
    const answer = new Uint8Array(await response.arrayBuffer());
    // A message, and an end without an error.
    if (response.status !== 200 || answer[0] !== 0 || !new TextDecoder().decode(answer).endsWith("{}")) {
      throw new Error(`not a receipt: ${response.status} ${new TextDecoder().decode(answer)}`);
    }
  }
}

/** Streams a second. */
async function measure(url: string, load: Load, bodies: readonly Window[], isNamed: boolean): Promise<number> {
  let left = load.calls;
  const began = performance.now();
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (left-- > 0) await sendStream(url, load, bodies, isNamed);
  }));
  return load.calls / (performance.now() - began) * 1000;
}

async function emptyFiles(url: string): Promise<void> {
  const { files } = createSluice({ url });
  for (let page = await files.list(); page.files.length > 0; page = await files.list()) {
    for (const { fileId } of page.files) await files.delete(fileId);
  }
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];

await using server = await startServer();
const rows: string[][] = [];
for (const load of loads) {
  const ways = [["one call", load.whole], ["ten windows", load.windows]] as const;
  for (const [name, bodies] of ways) {
    if (bodies.length === 0) continue;
    const ratios: number[] = [];
    const rates: number[][] = [[], []];
    for (let round = 0; round <= Number(rounds); round++) {
      const pair = [await measure(server.url, load, bodies, false), await measure(server.url, load, bodies, true)];
      await emptyFiles(server.url);
      // The first one warms up.
      if (round === 0) continue;
      ratios.push(pair[1] / pair[0]);
      for (const i of [0, 1]) rates[i].push(pair[i]);
    }
    rows.push([load.name, name, ...rates.map((r) => median(r).toFixed(1)), median(ratios).toFixed(2)]);
    console.error(rows.at(-1)?.join("  "));
  }
}
console.log(table(["stream", "sent as", "streams/s without ids", "with ids", "ratio"], rows));
