import { assert, assertEquals } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { gzipSync } from "node:zlib";
import { invalidArgument } from "../../../errors.ts";
import { BadRequestSchema } from "../../../gen/google/rpc/error_details_pb.ts";
import { MAX_DEADLINE_MS } from "../../../limits.ts";
import { concat, envelope } from "../../support/wire.ts";
import {
  BINARY,
  bodyOf,
  type CallInit,
  callOf,
  connectHandler,
  counting,
  encoded,
  END_FLAG,
  ingestHandler,
  isJson,
  JSON_TYPES,
  meaning,
  METHOD,
  options,
  points,
  protocolOf,
  type Seen,
  type Serve,
} from "./calls.ts";
import { bytesOf } from "./support.ts";

/** Where connect-es asks the service though the call is refused already, this leaves no trace of it. */
const quiet: Serve = async (points) => {
  for await (const _ of points);
  return {};
};

/** Has both handlers answer the same call, and returns the answer of ours if they are alike. */
async function assertAlike(init: () => CallInit, serve: Serve = counting, handling = options()): Promise<Seen> {
  const theirs = await callOf(connectHandler(serve, handling), init());
  const ours = await callOf(ingestHandler(serve, handling), init());
  assertEquals(ours, theirs);
  return ours;
}

for (const contentType of [...BINARY, ...JSON_TYPES, "application/grpc", "application/grpc-web"]) {
  const name = `createIngestHandler() of ${contentType}`;
  const sent = (...sources: string[]) => ({ contentType, body: bodyOf(points(contentType, ...sources)) });

  Deno.test(`${name} answers as connect-es does`, async () => {
    const answer = await assertAlike(() => ({ ...sent("a", "b", "c"), header: { custom: "x" } }));
    assertEquals(meaning(answer, contentType), [["a", "b", "c"], undefined]);
    assertEquals([answer.status, answer.header["seen-custom"]], [200, "x"]);
    await assertAlike(() => ({ contentType }));
    await assertAlike(() => sent(...Array.from({ length: 3_000 }, (_, i) => `s${i}`)));
  });

  Deno.test(`${name} ends with errors as connect-es does`, async () => {
    const errors = [
      invalidArgument("source", "is not well: “ü”\n"),
      new ConnectError("none", Code.NotFound, { "more-about": "it" }),
      new Error("a secret"),
    ];
    for (const error of errors) {
      const answer = await assertAlike(() => sent("a"), () => Promise.reject(error));
      const [sources, seen] = meaning(answer, contentType);
      assertEquals(sources, undefined);
      assert(seen && !seen.message.includes("secret"));
      if (error === errors[0]) {
        assertEquals(Code[seen.code], Code[Code.InvalidArgument]);
        assertEquals(seen.findDetails(BadRequestSchema)[0].fieldViolations[0].field, "source");
      }
    }
  });

  Deno.test(`${name} takes and sends gzip as connect-es does`, async () => {
    const prefix = protocolOf(contentType) === "connect" ? "connect-content" : "grpc";
    const accept = protocolOf(contentType) === "connect" ? "connect-accept-encoding" : "grpc-accept-encoding";
    const header = { [`${prefix}-encoding`]: "gzip", [accept]: "gzip" };
    const long = "long".repeat(2_000);
    const body = () => {
      const packed = envelope(gzipSync(encoded(contentType, long)), 1);
      return bodyOf(concat([points(contentType, "a"), packed, envelope(new Uint8Array(0), 1), packed]));
    };
    // An empty message is none in JSON.
    const expected = isJson(contentType) ? undefined : ["a", long, "", long];
    const answer = await assertAlike(() => ({ contentType, header, body: body() }));
    assertEquals(meaning(answer, contentType)[0], expected);
    if (expected) assert(answer.body.length < long.length);
    await assertAlike(() => ({ contentType, header: { [accept]: "br, gzip" }, body: bodyOf() }));
  });

  Deno.test(`${name} refuses encodings as connect-es does`, async () => {
    const name = protocolOf(contentType) === "connect" ? "connect-content-encoding" : "grpc-encoding";
    const unknown = await assertAlike(() => ({ ...sent("a"), header: { [name]: "br" } }), quiet);
    assertEquals(meaning(unknown, contentType)[1]?.code, Code.Unimplemented);
    // Compressed, but nobody said how.
    for (const header of [{}, { [name]: "identity" }] as Record<string, string>[]) {
      const body = () => bodyOf(envelope(gzipSync(encoded(contentType, "a")), 1));
      const flagged = await assertAlike(() => ({ contentType, header, body: body() }));
      assertEquals(meaning(flagged, contentType)[1]?.code, Code.Internal);
    }
  });

  Deno.test(`${name} reads the timeout as connect-es does`, async () => {
    const [name, unit] = protocolOf(contentType) === "connect" ? ["connect-timeout-ms", ""] : ["grpc-timeout", "m"];
    for (const value of ["x", "-1", `${MAX_DEADLINE_MS + 1}`, "1".repeat(20)]) {
      const answer = await assertAlike(() => ({ ...sent("a"), header: { [name]: `${value}${unit}` } }), quiet);
      assertEquals(meaning(answer, contentType)[1]?.code, Code.InvalidArgument, value);
    }
    let timeoutMs: number | undefined;
    const serve: Serve = (points, context) => {
      timeoutMs = context.timeoutMs();
      return counting(points, context);
    };
    await assertAlike(() => ({ ...sent("a"), header: { [name]: `60000${unit}` } }), serve);
    assert(timeoutMs !== undefined && timeoutMs > 50_000 && timeoutMs <= 60_000);
  });

  const flag = END_FLAG[protocolOf(contentType)];
  if (flag === 0) continue;
  Deno.test(`${name} passes over what is no message`, async () => {
    const body = () => bodyOf(points(contentType, "a"), envelope(bytesOf("not read"), flag), points(contentType, "b"));
    assertEquals(meaning(await assertAlike(() => ({ contentType, body: body() })), contentType)[0], ["a", "b"]);
  });
}

Deno.test("createIngestHandler() refuses other content types and methods as connect-es does", async () => {
  const types = [
    "application/proto",
    "application/json",
    "application/connect+xml",
    "application/grpc+xml",
    "application/grpc-web-text",
    "application/grpc-web-text+proto",
    "text/plain",
    "",
  ];
  for (const contentType of types) {
    assertEquals((await assertAlike(() => ({ contentType }))).status, 415, contentType);
  }
  for (const contentType of BINARY) {
    for (const method of ["GET", "PUT"]) assertEquals((await assertAlike(() => ({ contentType, method }))).status, 405);
  }
  for (const contentType of ["application/grpc+json; charset=utf-8", "application/connect+json;charset=utf8"]) {
    const answer = await assertAlike(() => ({ contentType, body: bodyOf(points(contentType, "a")) }));
    assertEquals(meaning(answer, contentType)[0], ["a"]);
  }
});

Deno.test("createIngestHandler() without gRPC leaves native gRPC to others", async () => {
  const handler = ingestHandler(counting, options({ grpc: false }));
  assertEquals(handler.protocolNames, ["grpc-web", "connect"]);
  assert(!handler.supportedContentType("application/grpc+proto"));
  assertEquals((await callOf(handler, { contentType: "application/grpc+proto" })).status, 415);
  const contentType = "application/grpc-web+proto";
  const answer = await callOf(handler, { contentType, body: bodyOf(points(contentType, "a")) });
  assertEquals(meaning(answer, contentType)[0], ["a"]);
});

Deno.test("createIngestHandler() describes itself as connect-es's handler does", () => {
  const ours = ingestHandler(counting);
  const theirs = connectHandler(counting);
  assertEquals(ours.requestPath, theirs.requestPath);
  assertEquals(ours.service, theirs.service);
  assertEquals(ours.method, METHOD);
  assertEquals(ours.allowedMethods, theirs.allowedMethods);
  assertEquals([...ours.protocolNames].sort(), [...theirs.protocolNames].sort());
  for (const type of [...BINARY, ...JSON_TYPES, "application/grpc", "application/proto", "text/html"]) {
    assertEquals(ours.supportedContentType(type), theirs.supportedContentType(type), type);
  }
});
