import { assert, assertEquals } from "@std/assert";
import { Code } from "@connectrpc/connect";
import { createSluice } from "../../client/mod.ts";
import { DataCollectionService, DataPointSchema } from "../../gen/sluice/v1/data_collection_pb.ts";
import { FileChunkSchema } from "../../gen/sluice/v1/file_upload_pb.ts";
import { chunksOf, textBytes } from "../support/chunks.ts";
import { piecesIn } from "../support/data_dir.ts";
import { sharedServer } from "../support/shared_server.ts";
import { until } from "../support/until.ts";
import { concat, encode, envelope, refusal, sendBody } from "../support/wire.ts";
import { RawCalls } from "./raw_calls.ts";

const server = await sharedServer();
const sluice = createSluice({ url: server.url });
const GRPC = "application/grpc+proto";
const UPLOAD = "/sluice.v1.FileUploadService/UploadFile";
const DEADLINE_MS = 3000;

/** More points than are committed at once. */
function manyPoints(source: string): Uint8Array<ArrayBuffer> {
  const timestamp = BigInt(Date.now());
  return concat(
    Array.from(
      { length: 1500 },
      (_, i) => envelope(encode(DataPointSchema, { source, timestamp, metrics: { x: i } }, "connect+proto")),
    ),
  );
}

async function stored(source: string): Promise<number> {
  const { series } = await sluice.queryMetrics({ source, metric: "x" });
  return Number(series[0]?.buckets[0].count ?? 0);
}

function halfAFile(): Uint8Array {
  const chunks = chunksOf(textBytes(100_000), { name: "half.csv" });
  return concat(chunks.slice(0, 2).map((chunk) => envelope(encode(FileChunkSchema, chunk, "connect+proto"))));
}

Deno.test("grpc-timeout: the server ends a call with DEADLINE_EXCEEDED, and what it committed stays", async () => {
  using calls = await RawCalls.open(server.url);
  const path = "/sluice.v1.DataCollectionService/CollectDataPoints";
  const call = await calls.begin(path, GRPC, manyPoints("grpc"), [["grpc-timeout", `${DEADLINE_MS}m`]]);
  const committed = await until(() => stored("grpc"), DEADLINE_MS);
  assertEquals((await calls.outcome(call))["grpc-status"], String(Code.DeadlineExceeded));
  const kept = await stored("grpc");
  assert(committed <= kept && kept <= 1500, `${committed} were committed, and ${kept} are kept`);
});

Deno.test("connect-timeout-ms: the server ends a call with deadline_exceeded, and what it committed stays", async () => {
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: (controller) => controller.enqueue(manyPoints("connect")),
  });
  const answer = sendBody(server.url, DataCollectionService.method.collectDataPoints, body, {
    headers: { "connect-timeout-ms": String(DEADLINE_MS) },
  });
  const committed = await until(() => stored("connect"), DEADLINE_MS);
  assertEquals((await refusal(answer)).code, Code.DeadlineExceeded);
  const kept = await stored("connect");
  assert(committed <= kept && kept <= 1500, `${committed} were committed, and ${kept} are kept`);
});

Deno.test("grpc-timeout: an upload that is not ready at its deadline leaves no piece", async () => {
  using calls = await RawCalls.open(server.url);
  const call = await calls.begin(UPLOAD, GRPC, halfAFile(), [["grpc-timeout", "300m"]]);
  assertEquals((await calls.outcome(call))["grpc-status"], String(Code.DeadlineExceeded));
  await until(async () => (await piecesIn(server.dir)).length === 0, 10_000);
  assertEquals((await sluice.files.list()).files, []);
});

Deno.test("RST_STREAM: an upload that is cancelled once its bytes are on disk leaves no piece", async () => {
  using calls = await RawCalls.open(server.url);
  const call = await calls.begin(UPLOAD, GRPC, halfAFile());
  await until(async () => (await piecesIn(server.dir)).length === 1, 10_000);
  await calls.cancel(call);
  await until(async () => (await piecesIn(server.dir)).length === 0, 10_000);
  assertEquals((await sluice.files.list()).files, []);
  assertEquals(server.stderr(), "");
});
