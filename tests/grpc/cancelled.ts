/**
 * Calls that their clients cancel, on each host. On HTTP/2, Deno.serve hands a handler a clean end of the body when the
 * client in fact reset the stream: none may be taken for a finished one.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { createSluice } from "../../client/mod.ts";
import { DataPointSchema, LogEntrySchema } from "../../gen/sluice/v1/data_collection_pb.ts";
import { FileChunkSchema } from "../../gen/sluice/v1/file_upload_pb.ts";
import { type ChunkInit, chunksOf, textBytes } from "../support/chunks.ts";
import { piecesIn } from "../support/data_dir.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { concat, encode, envelope } from "../support/wire.ts";
import { RawCalls } from "./raw_calls.ts";

const CALLS = 200;
/** Few enough that their bodies fit the window that a connection begins with. */
const CALLS_PER_CONNECTION = 20;
const POINTS_PER_CALL = 3;

const DEPLOY = { DENO_DEPLOYMENT_ID: "x", SLUICE_KV: ":memory:" };

interface Case {
  readonly host: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly contentType: string;
  /** Whether the host tells a body that was cut from one that ended. */
  readonly seesCancel: boolean;
}

const CASES: readonly Case[] = [
  { host: "the front", contentType: "application/grpc+proto", seesCancel: true },
  { host: "the front", contentType: "application/connect+proto", seesCancel: true },
  { host: "Deno.serve", env: DEPLOY, contentType: "application/grpc-web+proto", seesCancel: false },
  { host: "Deno.serve", env: DEPLOY, contentType: "application/connect+proto", seesCancel: false },
];

/** Begins calls, half of which reach the service before they are cancelled. */
async function cancelCalls(url: string, path: string, contentType: string, bodies: readonly Uint8Array[]) {
  for (let at = 0; at < CALLS; at += CALLS_PER_CONNECTION) {
    using calls = await RawCalls.open(url);
    const streams: number[] = [];
    for (let i = at; i < at + CALLS_PER_CONNECTION; i++) {
      streams.push(await calls.begin(path, contentType, bodies[i % bodies.length]));
    }
    if (at % (2 * CALLS_PER_CONNECTION) === 0) await calls.ask("/sluice.v1.FileUploadService/ListFiles");
    for (const stream of streams) await calls.cancel(stream);
    // So that they are cancelled one by one, not all by the connection's end.
    await calls.ask("/sluice.v1.FileUploadService/ListFiles");
  }
}

/** Bodies of uploads of which none is finished. */
function unfinishedFiles(seesCancel: boolean): Uint8Array[] {
  const chunks = chunksOf(textBytes(4000), { name: "cancelled.csv", chunkSize: 1000, checksums: true });
  const ofUnknownSize = chunks.map((chunk) => ({ ...chunk, totalSize: 0n, isLastChunk: false }));
  const beginnings = [
    chunks.slice(0, 2),
    ofUnknownSize.slice(0, 2),
    ofUnknownSize,
    [{ fileName: "cancelled.csv" }],
    // All there is of the file: only the cancelling says that it is not wanted.
    ...(seesCancel ? [chunks] : []),
  ];
  return beginnings.map((parts: ChunkInit[]) =>
    concat(parts.map((chunk) => envelope(encode(FileChunkSchema, chunk, "connect+proto"))))
  );
}

function bodyOfItems(item: (i: number) => Uint8Array): Uint8Array {
  return concat(Array.from({ length: POINTS_PER_CALL }, (_, i) => envelope(item(i))));
}

function start({ env }: Case): Promise<TestServer> {
  return startServer({ env, permissions: env && ["--allow-net", "--allow-env"] });
}

for (const scenario of CASES) {
  const { host, contentType, env, seesCancel } = scenario;
  Deno.test(`${CALLS} cancelled uploads on ${host}, ${contentType}: no file`, async () => {
    await using server = await start(scenario);
    const path = "/sluice.v1.FileUploadService/UploadFile";
    await cancelCalls(server.url, path, contentType, unfinishedFiles(seesCancel));
    const sluice = createSluice({ url: server.url });
    const { fileId } = await sluice.uploadFile(textBytes(1000), { name: "whole.csv" });
    if (!env) await until(async () => (await piecesIn(server.dir)).length === 1, 10_000);
    assertEquals((await sluice.files.list()).files.map((file) => file.fileId), [fileId]);
    assert(!server.stderr().includes('"level":"error"'), server.stderr());
  });

  Deno.test(`${CALLS} cancelled calls with points and logs on ${host}, ${contentType}: no more than was sent`, async () => {
    await using server = await start(scenario);
    const timestamp = BigInt(Date.now());
    const points = bodyOfItems((i) =>
      encode(DataPointSchema, { source: "cancelled", timestamp, metrics: { x: i } }, "connect+proto")
    );
    const logs = bodyOfItems((i) =>
      encode(LogEntrySchema, { application: "cancelled", timestamp, message: `entry ${i}` }, "connect+proto")
    );
    const service = "/sluice.v1.DataCollectionService";
    await cancelCalls(server.url, `${service}/CollectDataPoints`, contentType, [points]);
    await cancelCalls(server.url, `${service}/CollectLogs`, contentType, [logs]);

    const sluice = createSluice({ url: server.url });
    const now = Date.now();
    const { successfulCount } = await sluice.sendPoints([{ source: "whole", timestamp: now, metrics: { x: 1 } }]);
    const { indexedCount } = await sluice.sendLogs([{ application: "whole", timestamp: now, message: "one" }]);
    assertEquals([successfulCount, indexedCount], [1, 1]);
    const { series } = await sluice.queryMetrics({ source: "cancelled", metric: "x" });
    const { hits } = await sluice.searchLogs({ application: "cancelled", pageSize: 1000 });
    assert(Number(series[0]?.buckets[0].count ?? 0) <= CALLS * POINTS_PER_CALL);
    assert(hits.length <= CALLS * POINTS_PER_CALL);
    console.log(
      `${series[0]?.buckets[0].count ?? 0} points and ${hits.length} entries of ${CALLS * POINTS_PER_CALL} kept`,
    );
    assert(!server.stderr().includes('"level":"error"'), server.stderr());
  });
}
