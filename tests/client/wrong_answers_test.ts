import { assertEquals, assertInstanceOf, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { MAX_UNARY_BYTES } from "../../client/limits.ts";
import { createSluice, type PointInit, SluiceError } from "../../client/mod.ts";
import { CollectionResultSchema } from "../../gen/sluice/v1/data_collection_pb.ts";
import { connectAnswer, envelope, serveRaw } from "./fake_server.ts";

const POINT: PointInit = { source: "web-1", timestamp: 1, metrics: { cpu: 0.5, memory: 1024 }, tags: { zone: "a" } };

const RECEIPT = receipt(7);
const END = envelope(2, "{}");

function receipt(committed: number): Uint8Array<ArrayBuffer> {
  const result = create(CollectionResultSchema, { totalProcessed: committed, committed: BigInt(committed) });
  return envelope(0, toBinary(CollectionResultSchema, result));
}

function* many(count: number): Generator<PointInit> {
  for (let i = 0; i < count; i++) yield POINT;
}

Deno.test("sendPoints() names the status of an answer that is not Sluice's", async () => {
  const cases: [number, string, string, Code][] = [
    [404, "text/html", "<h1>No such page</h1>", Code.Unimplemented],
    [401, "text/plain", "", Code.Unauthenticated],
    [403, "text/plain", "", Code.PermissionDenied],
    [429, "text/plain", "", Code.Unavailable],
    [502, "text/html", "<html>Bad Gateway</html>", Code.Unavailable],
    [503, "text/html", "x".repeat(100_000), Code.Unavailable],
    [500, "application/json", "not json", Code.Unknown],
    [200, "text/html", "<form>Log in</form>", Code.Unknown],
  ];
  for (const [status, type, body, code] of cases) {
    await using server = serveRaw(async (request) => {
      await request.body?.cancel();
      return new Response(body, { status, headers: { "content-type": type } });
    });
    const sluice = createSluice({ url: server.url, retry: false });
    const error = await assertRejects(() => sluice.sendPoints(many(2000)), SluiceError);
    assertEquals([error.code, error.reason], [code, "foreign"], `HTTP ${status}`);
    assertStringIncludes(error.message, status === 200 ? 'content type "text/html"' : `HTTP ${status}`);
    assertStringIncludes(error.message, body.slice(0, 100));
    assertLess(error.message.length, 500);
  }
});

Deno.test("sendPoints() takes a unary error of a host for what it is", async () => {
  await using server = serveRaw(() =>
    Response.json({ code: "unauthenticated", message: "the token has expired" }, { status: 401 })
  );
  const error = await assertRejects(() => createSluice({ url: server.url }).sendPoints([POINT]), ConnectError);
  assertEquals(error.code, Code.Unauthenticated);
  assertEquals(error.rawMessage, "the token has expired");
});

Deno.test("sendPoints() reports answers that break the protocol", async () => {
  const cases: [Uint8Array<ArrayBuffer>[], Code][] = [
    [[], Code.Unavailable],
    [[RECEIPT], Code.Unavailable],
    [[RECEIPT.slice(0, 6)], Code.Unavailable],
    [[END], Code.Unimplemented],
    [[RECEIPT, RECEIPT, END], Code.Unimplemented],
    // It counts more than were sent.
    [[RECEIPT, END], Code.DataLoss],
    [[RECEIPT, END, RECEIPT], Code.Internal],
    [[envelope(1, "zipped"), END], Code.Internal],
    [[RECEIPT, envelope(2, "no json")], Code.Unknown],
    [[envelope(2, '{"error":{"code":"aborted","message":"m"},"metadata":{"a":["b"]}}')], Code.Aborted],
  ];
  for (const [envelopes, code] of cases) {
    await using server = serveRaw(async (request) => {
      await request.body?.cancel();
      return connectAnswer(...envelopes);
    });
    const sluice = createSluice({ url: server.url, retry: false });
    const error = await assertRejects(() => sluice.sendPoints([POINT]), ConnectError);
    assertEquals(error.code, code, error.message);
    if (code === Code.Aborted) assertEquals(error.metadata.get("a"), "b");
  }
});

Deno.test("sendPoints() says unavailable, with the cause, if nobody listens", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const sluice = createSluice({ url: `http://127.0.0.1:${port}`, retry: { firstContactMs: 200 } });
  const error = await assertRejects(() => sluice.sendPoints([POINT]), SluiceError);
  assertEquals([error.code, error.reason, error.retryable], [Code.Unavailable, "connection", true]);
  assertInstanceOf(error.cause, TypeError);
});

Deno.test("MAX_UNARY_BYTES: an answer without end is given up, with an error or without", async () => {
  const chunk = new Uint8Array(1024 * 1024);
  for (const [status, type] of [[200, "application/proto"], [500, "application/json"]] as const) {
    let sent = 0;
    await using server = serveRaw(() => {
      const body = new ReadableStream({
        pull(controller) {
          sent += chunk.length;
          controller.enqueue(chunk);
        },
      });
      return new Response(body, { status, headers: { "content-type": type } });
    });
    const sluice = createSluice({ url: server.url, retry: false });
    const error = await assertRejects(
      () => sluice.queryMetrics({ metric: "x" }),
      SluiceError,
      "answered with more than",
    );
    assertEquals([error.reason, error.retryable], ["foreign", false]);
    assertLess(sent, MAX_UNARY_BYTES + 64 * chunk.length);
  }
});

Deno.test("streamMetrics() and sendPoints() take a message that is none of theirs for a foreign answer", async () => {
  await using server = serveRaw(async (request) => {
    await request.body?.cancel();
    return connectAnswer(envelope(0, Uint8Array.of(0xff, 0xff)), END);
  });
  const sluice = createSluice({ url: server.url });
  const asked = [
    () => Array.fromAsync(sluice.streamMetrics({ metric: "x" })),
    () => sluice.sendPoints([POINT]),
  ];
  for (const ask of asked) {
    const error = await assertRejects(ask, SluiceError, "The answer is no sluice.v1.");
    assertEquals([error.reason, error.retryable], ["foreign", false]);
  }
});
