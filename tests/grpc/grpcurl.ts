/**
 * grpcurl, which knows the contract by reflection alone.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { chunksOf, sha256, textBytes } from "../support/chunks.ts";
import { target } from "./server.ts";
import { findTool, outputOf, type RunOptions, runProgram } from "./tools.ts";

const program = await findTool("grpcurl");
const grpcurl = (args: readonly string[], options?: RunOptions) => outputOf(program, ["-plaintext", ...args], options);

Deno.test("grpcurl list: names all services and their other names", async () => {
  assertEquals((await grpcurl([target, "list"])).trim().split("\n"), [
    "DataCollectionService",
    "FileUploadService",
    "fileupload.FileUploadService",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "sluice.v1.DataCollectionService",
    "sluice.v1.DeletionService",
    "sluice.v1.FileUploadService",
    "sluice.v1.QueryService",
    "sluice.v1.StreamService",
  ]);
});

Deno.test("grpcurl describe: a service, an alias and a message", async () => {
  for (const service of ["sluice.v1.FileUploadService", "FileUploadService"]) {
    assertStringIncludes(
      await grpcurl([target, "describe", service]),
      "rpc UploadFile ( stream .sluice.v1.FileChunk ) returns ( .sluice.v1.UploadResult );",
    );
  }
  assertStringIncludes(await grpcurl([target, "describe", "sluice.v1.FileChunk"]), "string checksum = 6;");
});

Deno.test("grpcurl: the tutorial's line makes an empty file", async () => {
  const receipt = JSON.parse(
    await grpcurl(["-d", '{"file_name":"test.txt"}', target, "FileUploadService/UploadFile"]),
  );
  assertEquals([receipt.fileName, receipt.status, receipt.checksum], [
    "test.txt",
    "completed",
    sha256(new Uint8Array(0)),
  ]);
});

Deno.test("grpcurl: an upload through standard input", async () => {
  const data = textBytes(1_000_000);
  const stdin = chunksOf(data, { name: "grpcurl.csv", checksums: true }).map(({ fileName, offset, ...chunk }) =>
    JSON.stringify({
      ...{ file_name: fileName, offset: String(offset), data: chunk.data?.toBase64(), checksum: chunk.checksum },
      ...{ is_last_chunk: chunk.isLastChunk, file_checksum: chunk.fileChecksum },
    })
  ).join("\n");
  const receipt = JSON.parse(
    await grpcurl(["-d", "@", target, "sluice.v1.FileUploadService/UploadFile"], { stdin }),
  );
  assertEquals([receipt.totalSize, receipt.checksum], [String(data.length), sha256(data)]);
});

Deno.test("grpcurl: 10,000 points through standard input", async () => {
  const now = Date.now();
  const stdin = Array.from(
    { length: 10_000 },
    (_, i) => JSON.stringify({ source: "grpcurl", timestamp: String(now - i), metrics: { x: i } }),
  ).join("\n");
  const receipt = JSON.parse(
    await grpcurl(["-d", "@", target, "sluice.v1.DataCollectionService/CollectDataPoints"], { stdin }),
  );
  assertEquals([receipt.totalProcessed, receipt.successfulCount, receipt.committed], [10_000, 10_000, "10000"]);
});

Deno.test("grpcurl: Check says SERVING of all and of each service, NOT_FOUND of others", async () => {
  for (const service of ["", "sluice.v1.FileUploadService", "FileUploadService"]) {
    const answer = await grpcurl(["-d", JSON.stringify({ service }), target, "grpc.health.v1.Health/Check"]);
    assertEquals(JSON.parse(answer), { status: "SERVING" });
  }
  const args = ["-plaintext", "-d", '{"service":"nobody"}', target, "grpc.health.v1.Health/Check"];
  assertStringIncludes((await runProgram(program, args)).stderr, "Code: NotFound");
});

Deno.test("grpcurl: Watch tells the status at once, and goes on", async () => {
  const args = ["-plaintext", "-max-time", "1", target, "grpc.health.v1.Health/Watch"];
  const { code, stdout, stderr } = await runProgram(program, args);
  assertEquals(JSON.parse(stdout), { status: "SERVING" });
  assert(code !== 0);
  assertStringIncludes(stderr, "Code: DeadlineExceeded");
});

Deno.test("grpcurl: reflection v1 and v1alpha answer alike", async () => {
  const answers = await Promise.all(["v1", "v1alpha"].map(async (version) => {
    const method = `grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    return JSON.parse(await grpcurl(["-d", '{"list_services":""}', target, method]));
  }));
  assertEquals(answers[0], answers[1]);
  assertEquals(answers[0].listServicesResponse.service.length, 11);
});
