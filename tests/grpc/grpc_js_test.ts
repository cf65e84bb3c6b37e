import { assert, assertEquals } from "@std/assert";
import { encodeBinaryHeader } from "@connectrpc/connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import { Buffer } from "node:buffer";
import { createSluice } from "../../client/mod.ts";
import { DataCollectionService } from "../../gen/sluice/v1/data_collection_pb.ts";
import { FileUploadService } from "../../gen/sluice/v1/file_upload_pb.ts";
import { download } from "../support/ask.ts";
import { chunksOf, sha256, textBytes } from "../support/chunks.ts";
import { piecesIn } from "../support/data_dir.ts";
import { sharedServer } from "../support/shared_server.ts";
import { until } from "../support/until.ts";
import { badFields } from "../support/wire.ts";
import { GrpcClient, Metadata, type ServiceError, status } from "./grpc_js.ts";

const server = await sharedServer();
const sluice = createSluice({ url: server.url });
const { uploadFile } = FileUploadService.method;
const { collectDataPoints, collectLogs } = DataCollectionService.method;

const pointsOf = (source: string, count: number) =>
  Array.from({ length: count }, (_, i) => ({ source, timestamp: BigInt(Date.now() - i), metrics: { x: i } }));

/** The error of a call that fails. */
async function failure(receipt: Promise<unknown>): Promise<ServiceError> {
  try {
    await receipt;
  } catch (error) {
    return error as ServiceError;
  }
  throw new Error("the call succeeded");
}

Deno.test("grpc-js: a file, points and logs", async () => {
  using client = new GrpcClient(server.url);
  const data = textBytes(3_000_000);
  const file = await client.send(uploadFile, chunksOf(data, { name: "js.csv", checksums: true }));
  assertEquals([file.status, file.checksum], ["completed", sha256(data)]);
  assertEquals(sha256(await download(sluice, file.fileId)), sha256(data));

  const points = await client.send(collectDataPoints, [...pointsOf("js", 3000), { source: "" }]);
  assertEquals([points.successfulCount, points.errorCount, points.rejections[0].index], [3000, 1, 3000n]);

  const entries = pointsOf("js", 3000).map(({ timestamp }) => ({ application: "js", timestamp, message: "a line" }));
  assertEquals((await client.send(collectLogs, entries)).indexedCount, 3000);
});

Deno.test("grpc-js: the services answer to their other names", async () => {
  using client = new GrpcClient(server.url);
  for (const service of ["FileUploadService", "fileupload.FileUploadService"]) {
    const receipt = await client.send(uploadFile, chunksOf(textBytes(10), { name: "alias.txt" }), { service });
    assertEquals(receipt.status, "completed");
  }
  const receipt = await client.send(collectDataPoints, pointsOf("alias", 1), { service: "DataCollectionService" });
  assertEquals(receipt.successfulCount, 1);
});

Deno.test("grpc-js: gzip", async () => {
  using client = new GrpcClient(server.url, { gzip: true });
  const data = textBytes(1_000_000, 7);
  const receipt = await client.send(uploadFile, chunksOf(data, { name: "gzip.csv", checksums: true }));
  assertEquals(receipt.checksum, sha256(data));
});

Deno.test("grpc-js: a call that is open at its deadline ends with DEADLINE_EXCEEDED", async () => {
  using client = new GrpcClient(server.url);
  const call = client.begin(collectDataPoints, { deadline: Date.now() + 300 });
  await call.write(pointsOf("late", 1)[0]);
  assertEquals((await failure(call.receipt)).code, status.DEADLINE_EXCEEDED);
});

Deno.test("grpc-js: a cancelled upload leaves neither file nor piece", async () => {
  using client = new GrpcClient(server.url);
  const before = await piecesIn(server.dir);
  const call = client.begin(uploadFile);
  const chunks = chunksOf(textBytes(1_000_000), { name: "cancelled.csv" });
  for (const chunk of chunks.slice(0, chunks.length / 2)) await call.write(chunk);
  await until(async () => (await piecesIn(server.dir)).length > before.length, 10_000);
  call.cancel();
  assertEquals((await failure(call.receipt)).code, status.CANCELLED);
  await until(async () => (await piecesIn(server.dir)).length === before.length, 10_000);
  const { files } = await sluice.files.list();
  assert(!files.some(({ fileName }) => fileName === "cancelled.csv"));
});

Deno.test("grpc-js: a refused upload names the field in a BadRequest", async () => {
  using client = new GrpcClient(server.url);
  const error = await failure(client.send(uploadFile, chunksOf(textBytes(10), { name: "../js.csv" })));
  assertEquals(error.code, status.INVALID_ARGUMENT);
  const [details] = error.metadata.get("grpc-status-details-bin") as Uint8Array[];
  const trailer = new Headers({
    "grpc-status": String(error.code),
    "grpc-status-details-bin": encodeBinaryHeader(details),
  });
  const decoded = findTrailerError(trailer);
  assertEquals(decoded && badFields(decoded), ["file_name"]);
});

Deno.test("grpc-js: binary metadata of every byte is taken", async () => {
  using client = new GrpcClient(server.url);
  const metadata = new Metadata();
  metadata.add("trace-bin", Buffer.from(Array.from({ length: 256 }, (_, i) => i)));
  metadata.add("trace-bin", Buffer.alloc(0));
  metadata.add("note", "plain");
  assertEquals((await client.send(collectDataPoints, pointsOf("bin", 1), { metadata })).successfulCount, 1);
});

Deno.test("grpc-js: 100 uploads at once", async () => {
  using client = new GrpcClient(server.url);
  const calls = Array.from({ length: 100 }, (_, i) => {
    const data = textBytes(100_000, i + 1);
    return { data, chunks: chunksOf(data, { name: `${i}.csv`, checksums: true }), call: client.begin(uploadFile) };
  });
  // All are open before any of them goes on.
  await Promise.all(calls.map(({ call, chunks }) => call.write(chunks[0])));
  const receipts = await Promise.all(calls.map(async ({ call, chunks }) => {
    for (const chunk of chunks.slice(1)) await call.write(chunk);
    call.end();
    return await call.receipt;
  }));
  assertEquals(receipts.map(({ checksum }) => checksum), calls.map(({ data }) => sha256(data)));
});
