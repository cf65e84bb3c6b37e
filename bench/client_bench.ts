/**
 * The client's speed against that of connect-es's own client over fetch, in interleaved rounds:
 *
 *     deno run -A bench/client_bench.ts [--points 1000000] [--peer-points 200000] [--rounds 5] [--server]
 *
 * Both send to one sink, in a process of its own, that only counts the messages of a body and answers with a receipt: so
 * it is the clients that are measured. `--server` sends to the real server too, with its real stores.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createFetchClient } from "@connectrpc/connect/protocol";
import { createTransport } from "@connectrpc/connect/protocol-connect";
import { BATCH_BYTES, EnvelopeBatch } from "../client/envelope.ts";
import { writePoint } from "../client/items.ts";
import { createSluice, type PointInit } from "../client/mod.ts";
import { DataCollectionService, DataPointSchema } from "../gen/sluice/v1/data_collection_pb.ts";
import { startServer } from "../tests/support/server.ts";
import { startSink } from "./client_sink.ts";

const MAX_MESSAGE_BYTES = 0xffffffff;

/** One way to do the work: it does so many points, and gives how many have arrived if it knows. */
interface Runner {
  name: string;
  points: number;
  run(points: number): Promise<bigint | undefined> | bigint | undefined;
  /** Points per second, of each round. */
  rates: number[];
}

/** New objects for each point, as a caller would have them. */
function* makePoints(count: number): Generator<PointInit & { timestamp: number }> {
  const now = Date.now();
  for (let i = 0; i < count; i++) {
    yield {
      source: `host-${i % 10}`,
      timestamp: now - i % 10_000,
      metrics: { cpu: (i * 37 % 1000) / 10, mem: i },
      tags: { zone: "a", rack: `${i % 4}` },
    };
  }
}

async function* makePointsSlowly(count: number): AsyncGenerator<PointInit> {
  for (const point of makePoints(count)) yield point;
}

/** connect-es takes an int64 as a bigint. */
async function* makeMessages(count: number) {
  for (const { timestamp, ...point } of makePoints(count)) yield { ...point, timestamp: BigInt(timestamp) };
}

/** connect-web refuses to stream a request; this is the transport beneath it, over fetch. */
function createPeer(url: string) {
  return createClient(
    DataCollectionService,
    createTransport({
      baseUrl: url,
      httpClient: createFetchClient(fetch),
      useBinaryFormat: true,
      interceptors: [],
      acceptCompression: [],
      sendCompression: null,
      compressMinBytes: 0,
      readMaxBytes: MAX_MESSAGE_BYTES,
      writeMaxBytes: MAX_MESSAGE_BYTES,
    }),
  );
}

/** What fetch itself takes: the same number of bytes in chunks that are there already. */
async function sendPrebuilt(url: string, bytes: number): Promise<void> {
  const chunk = new Uint8Array(BATCH_BYTES);
  let left = bytes;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      if (left <= 0) return controller.close();
      controller.enqueue(chunk.slice(0, Math.min(left, chunk.length)));
      left -= chunk.length;
    },
  }, { highWaterMark: 0 });
  const response = await fetch(url, { method: "POST", body, duplex: "half" } as RequestInit);
  await response.arrayBuffer();
}

/** Gives the bytes that it comes to. */
function encodeOnly(points: number): number {
  const batch = new EnvelopeBatch();
  let bytes = 0;
  let index = 0;
  for (const point of makePoints(points)) {
    batch.begin();
    writePoint(batch, point, index++);
    batch.end();
    if (batch.full) bytes += batch.take().length;
  }
  while (!batch.empty) bytes += batch.take().length;
  return bytes;
}

function protobufOnly(points: number): undefined {
  for (const { timestamp, metrics, tags = {}, source } of makePoints(points)) {
    toBinary(DataPointSchema, {
      $typeName: "sluice.v1.DataPoint",
      source,
      timestamp: BigInt(timestamp),
      metrics,
      tags,
    });
  }
}

function againstSink(url: string, points: number, peerPoints: number): Runner[] {
  const sluice = createSluice({ url });
  const peer = createPeer(url);
  const bytesPerPoint = encodeOnly(10_000) / 10_000;
  const runners: Omit<Runner, "rates">[] = [
    { name: "encode only", points, run: (count) => void encodeOnly(count) },
    { name: "encode only, protobuf-es", points: peerPoints, run: protobufOnly },
    {
      name: "fetch only, of prebuilt chunks",
      points,
      run: (count) => sendPrebuilt(url, Math.round(bytesPerPoint * count)).then(() => undefined),
    },
    {
      name: "client, from a generator",
      points,
      run: async (count) => (await sluice.sendPoints(makePoints(count))).committed,
    },
    {
      name: "client, from an async generator",
      points,
      run: async (count) => (await sluice.sendPoints(makePointsSlowly(count))).committed,
    },
    {
      name: "connect-es over fetch",
      points: peerPoints,
      run: async (count) => (await peer.collectDataPoints(makeMessages(count))).committed,
    },
  ];
  return runners.map((runner) => ({ ...runner, rates: [] }));
}

function againstServer(url: string, points: number, peerPoints: number): Runner[] {
  const sluice = createSluice({ url });
  const peer = createPeer(url);
  return [
    {
      name: "client to the real server",
      points,
      run: async (count) => expectAll(count, (await sluice.sendPoints(makePoints(count))).successfulCount),
      rates: [],
    },
    {
      name: "connect-es to the real server",
      points: peerPoints,
      run: async (count) => expectAll(count, (await peer.collectDataPoints(makeMessages(count))).successfulCount),
      rates: [],
    },
  ];
}

function expectAll(sent: number, stored: number): undefined {
  if (sent !== stored) throw new Error(`${stored} points were stored of ${sent}`);
}

async function measure(runners: Runner[], rounds: number): Promise<void> {
  // The first round warms up.
  for (let round = -1; round < rounds; round++) {
    for (const runner of runners) {
      const count = round < 0 ? Math.min(runner.points, 100_000) : runner.points;
      const start = performance.now();
      const arrived = await runner.run(count);
      if (round >= 0) runner.rates.push(count / ((performance.now() - start) / 1000));
      if (arrived !== undefined) expectAll(count, Number(arrived));
    }
  }
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

function print(runners: Runner[]): void {
  for (const { name, points, rates } of runners) {
    const rate = Math.round(median(rates)).toLocaleString("en");
    const all = rates.map((r) => Math.round(r / 1000)).join(" ");
    console.log(`${name.padEnd(34)}${rate.padStart(11)} points/s   (${points} points; thousands/s: ${all})`);
  }
}

function printRatio(runners: Runner[], ours: string, peer: string): void {
  const [a, b] = [ours, peer].map((name) => runners.find((runner) => runner.name === name)?.rates ?? []);
  const ratios = a.map((rate, round) => rate / b[round]);
  console.log(`${ours} / ${peer}: ${median(ratios).toFixed(1)} (${ratios.map((ratio) => ratio.toFixed(1)).join(" ")})`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      points: { type: "string", default: "1000000" },
      "peer-points": { type: "string", default: "200000" },
      rounds: { type: "string", default: "5" },
      server: { type: "boolean", default: false },
    },
  });
  const [points, peerPoints, rounds] = [values.points, values["peer-points"], values.rounds].map(Number);
  using sink = await startSink();
  let mostMemory = 0;
  const sampling = setInterval(() => mostMemory = Math.max(mostMemory, Deno.memoryUsage().rss), 50);
  const runners = againstSink(sink.url, points, Math.min(points, peerPoints));
  await measure(runners, rounds);
  clearInterval(sampling);
  print(runners);
  printRatio(runners, "client, from a generator", "connect-es over fetch");
  printRatio(runners, "client, from an async generator", "connect-es over fetch");
  console.log(`memory of this process, at the most: ${Math.round(mostMemory / 2 ** 20)} MiB`);
  if (!values.server) return;
  await using server = await startServer();
  const whole = againstServer(server.url, points, Math.min(points, peerPoints));
  await measure(whole, rounds);
  print(whole);
  printRatio(whole, "client to the real server", "connect-es to the real server");
}

if (import.meta.main) await main();
