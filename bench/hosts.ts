/**
 * The same services on our own hosts and on Deno.serve, driven by h2load in turn: `deno run -A bench/hosts.ts [ROUNDS]`.
 * h2load is in nghttp2's packages (Debian: nghttp2-client). Prints requests a second, the median of the rounds, and ratios.
 *
 * @module
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { createHash } from "node:crypto";
import { DataPointSchema } from "../gen/sluice/v1/data_collection_pb.ts";
import { FileChunkSchema } from "../gen/sluice/v1/file_upload_pb.ts";
import { KIB, MIB } from "../limits.ts";
import { startServer } from "../tests/support/server.ts";

const rounds = Number(Deno.args[0] ?? 5);
const dir = await Deno.makeTempDir({ prefix: "sluice-bench-" });

function envelopes(messages: readonly Uint8Array[]): Uint8Array {
  const body = new Uint8Array(messages.reduce((sum, { length }) => sum + 5 + length, 0));
  let at = 0;
  for (const message of messages) {
    new DataView(body.buffer).setUint32(at + 1, message.length);
    body.set(message, at + 5);
    at += 5 + message.length;
  }
  return body;
}

const now = Date.now();
const points = Array.from({ length: 10_000 }, (_, i) =>
  toBinary(
    DataPointSchema,
    create(DataPointSchema, {
      source: `host-${i % 10}`,
      timestamp: BigInt(now - i),
      metrics: { cpu: (i * 37 % 1000) / 10, mem: i },
      tags: { zone: "a", rack: `${i % 4}` },
    }),
  ));
const size = 10 * MIB;
const file = new TextEncoder().encode("1795472327513,host-17,cpu,42.125\n".repeat(330_000)).subarray(0, size);
const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");
const chunks = Array.from({ length: size / (32 * KIB) }, (_, i) => {
  const data = file.subarray(i * 32 * KIB, (i + 1) * 32 * KIB);
  const isLastChunk = (i + 1) * 32 * KIB === size;
  const chunk = create(FileChunkSchema, {
    fileName: "bench.csv",
    data,
    offset: BigInt(i * 32 * KIB),
    totalSize: BigInt(size),
    isLastChunk,
    checksum: sha256(data),
    fileChecksum: isLastChunk ? sha256(file) : "",
  });
  return toBinary(FileChunkSchema, chunk);
});
await Deno.writeFile(`${dir}/points`, envelopes(points));
await Deno.writeFile(`${dir}/file`, envelopes(chunks));

await using ours = await startServer();
// The shape of Deno Deploy: Deno.serve and nothing else, here over the same kinds of store.
await using deno = await startServer({
  env: { DENO_DEPLOYMENT_ID: "bench", SLUICE_KV: `${dir}/kv.sqlite`, SLUICE_BLOBS: `file:${dir}/blobs` },
});

const POINTS = "/sluice.v1.DataCollectionService/CollectDataPoints";
const FILE = "/sluice.v1.FileUploadService/UploadFile";
const grpc = ["-H", "content-type: application/grpc", "-H", "te: trailers"];
const grpcWeb = ["-H", "content-type: application/grpc-web+proto"];
const connect = ["-H", "content-type: application/connect+proto"];
const many = ["-n", "200", "-c", "4", "-m", "4"];
const uploads = ["--h1", "-n", "60", "-c", "2", "-d", `${dir}/file`, ...connect];
/** Name, and the arguments for either host. */
const loads: [name: string, path: string, ours: string[], deno: string[]][] = [
  ["10,000 points, gRPC against gRPC-Web, HTTP/2", POINTS, [...many, "-d", `${dir}/points`, ...grpc], [
    ...many,
    "-d",
    `${dir}/points`,
    ...grpcWeb,
  ]],
  ["UploadFile 10 MiB, both checksums, HTTP/1.1", FILE, uploads, uploads],
  ["a handler that does nothing, HTTP/1.1", "/healthz", ["--h1", "-n", "40000", "-c", "32"], [
    "--h1",
    "-n",
    "40000",
    "-c",
    "32",
  ]],
];

async function rate(args: string[], url: string): Promise<number> {
  const { stdout } = await new Deno.Command("h2load", { args: [...args, url] }).output();
  const text = new TextDecoder().decode(stdout);
  const done = /(\d+) succeeded, (\d+) failed/.exec(text);
  const perSecond = /, ([\d.]+) req\/s/.exec(text);
  if (!done || !perSecond || done[2] !== "0") throw new Error(`h2load failed on ${url}: ${text}`);
  return Number(perSecond[1]);
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];
try {
  for (const [name, path, oursArgs, denoArgs] of loads) {
    const rates = { ours: [] as number[], deno: [] as number[] };
    for (let i = 0; i < rounds; i++) {
      rates.ours.push(await rate(oursArgs, ours.url + path));
      rates.deno.push(await rate(denoArgs, deno.url + path));
    }
    const [a, b] = [median(rates.ours), median(rates.deno)];
    console.log(`${name}: ${a.toFixed(1)}/s on ours, ${b.toFixed(1)}/s on Deno.serve, ratio ${(a / b).toFixed(2)}`);
  }
} finally {
  await Deno.remove(dir, { recursive: true });
}
