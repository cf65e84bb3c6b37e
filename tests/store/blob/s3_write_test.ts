import { assert, assertEquals, assertRejects } from "@std/assert";
import { Code, type ConnectError } from "@connectrpc/connect";
import { createHash } from "node:crypto";
import { RetryInfoSchema } from "../../../gen/google/rpc/error_details_pb.ts";
import { S3_TIMEOUT_MS } from "../../../limits.ts";
import { bytes } from "../../contract/blob_contract.ts";
import { answer, type Script, serveScript } from "./http_script.ts";
import { brisk, EMPTY, hurried, HURRY, ID, open, PIECE, refusal } from "./s3_support.ts";

/** Writes 1000 bytes as one part to a server that lists nothing. */
async function writePart(put: Script, clock = brisk) {
  await using server = serveScript((request, n) => request.query.has("list-type") ? EMPTY : put(request, n - 1));
  const piece = await open(server, clock).create(ID, 1);
  await piece.append(bytes(1000));
  try {
    const { length } = await piece.sync(true);
    return { length, error: undefined, requests: server.requests.slice(1) };
  } catch (error) {
    return { length: 0, error: error as ConnectError, requests: server.requests.slice(1) };
  } finally {
    await piece.seal();
  }
}

Deno.test("createS3BlobStore() puts parts with their length, both checksums and a signature", async () => {
  const { length, requests: [put, ...more] } = await writePart(() => answer(200));
  assertEquals([length, more.length], [1000, 0]);
  assertEquals([put.method, put.path, put.body], ["PUT", `/bucket/${PIECE}000000000000`, bytes(1000)]);
  const sha256 = createHash("sha256").update(bytes(1000));
  assertEquals(put.headers.get("x-amz-checksum-sha256"), sha256.copy().digest("base64"));
  assertEquals(put.headers.get("x-amz-content-sha256"), sha256.digest("hex"));
  assertEquals([put.headers.get("if-none-match"), put.headers.get("transfer-encoding")], ["*", null]);
  assertEquals(put.headers.get("x-amz-security-token"), "token");
  const authorization = put.headers.get("authorization") ?? "";
  assert(/^AWS4-HMAC-SHA256 Credential=key\/\d{8}\/somewhere-1\/s3\/aws4_request, /.test(authorization), authorization);
  for (const name of ["host", "if-none-match", "x-amz-checksum-sha256", "x-amz-content-sha256"]) {
    assert(/SignedHeaders=([^,]+),/.exec(authorization)?.[1].split(";").includes(name), `${name} is not signed`);
  }
});

Deno.test("createS3BlobStore() tries again after what may pass, and sends the same", async () => {
  const passing = [
    refusal(500),
    refusal(503, "SlowDown"),
    refusal(429),
    "",
    "HTTP/1.1 2",
    refusal(409),
    refusal(400, "BadDigest"),
  ];
  const { length, requests } = await writePart((_, n) => passing[n - 1] ?? answer(200));
  assertEquals([length, requests.length], [1000, passing.length + 1]);
  for (const { path, body } of requests) assertEquals([path, body], [requests[0].path, bytes(1000)]);
});

Deno.test("createS3BlobStore() gives up at its deadline: UNAVAILABLE, with RetryInfo and the last answer", async () => {
  for (const put of [() => refusal(500, "InternalError"), () => "", () => undefined]) {
    const began = performance.now();
    const { error, requests } = await writePart(put, hurried);
    const took = performance.now() - began;
    assertEquals(error?.code, Code.Unavailable);
    assert(error!.findDetails(RetryInfoSchema).length === 1 && error!.cause instanceof Error);
    assert(took >= S3_TIMEOUT_MS / HURRY - 20 && took < S3_TIMEOUT_MS / HURRY + 2000, `${took} ms`);
    // With pauses that grow, and not in a loop.
    assert(requests.length >= 1 && requests.length < 60, `${requests.length} requests`);
    if (put()?.length) {
      assertEquals(error!.cause.message, `PUT /bucket/${PIECE}000000000000: the server answered 500 InternalError`);
    }
  }
});

Deno.test("createS3BlobStore() does not try again what cannot pass, and follows no redirect", async () => {
  await using elsewhere = serveScript(() => answer(200));
  const finals = [
    refusal(403, "AccessDenied"),
    refusal(404, "NoSuchBucket"),
    refusal(400, "InvalidRequest"),
    refusal(501, "NotImplemented"),
    answer(307, "", { location: `${elsewhere.url}/bucket` }),
  ];
  for (const final of finals) {
    const { error, requests } = await writePart(() => final);
    assertEquals([error?.code, requests.length], [Code.Unavailable, 1]);
  }
  assertEquals(elsewhere.requests.length, 0);
});

Deno.test("createS3BlobStore() takes a part that exists for its own if it has the same bytes", async () => {
  for (
    const [there, code] of [
      [bytes(1000), undefined],
      [bytes(1000, 2), Code.Aborted],
      [bytes(999), Code.Aborted],
      [bytes(1001), Code.Aborted],
    ] as const
  ) {
    const { error, length } = await writePart(({ method }) =>
      method === "PUT" ? refusal(412, "PreconditionFailed") : answer(200, there)
    );
    assertEquals([error?.code, length], [code, code === undefined ? 1000 : 0]);
  }
});

Deno.test("createS3BlobStore() seals a piece at once, whatever is under way", async () => {
  await using server = serveScript(({ method }) => method === "GET" ? EMPTY : undefined);
  const piece = await open(server).create(ID, 1);
  await piece.append(bytes(1000));
  const syncing = assertRejects(() => piece.sync(true));
  while (server.requests.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  await piece.seal();
  await syncing;
  assertEquals(server.requests.length, 2);
});
