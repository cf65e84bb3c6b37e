import { assert, assertEquals, assertInstanceOf, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { createSluice, type PointInit } from "../../client/mod.ts";
import { BadRequestSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { CollectionResultSchema, DataCollectionService } from "../../gen/sluice/v1/data_collection_pb.ts";
import { invalidArgument } from "../../errors.ts";
import { connectAnswer, envelope, serveConnect, serveRaw } from "./fake_server.ts";
import { serveTcp } from "./tcp_server.ts";

const POINT: PointInit = { source: "web-1", timestamp: 1, metrics: { cpu: 0.5, memory: 1024 }, tags: { zone: "a" } };

const RECEIPT = envelope(0, toBinary(CollectionResultSchema, create(CollectionResultSchema, { totalProcessed: 7 })));
const END = envelope(2, "{}");

function* many(count: number): Generator<PointInit> {
  for (let i = 0; i < count; i++) yield POINT;
}

/** A producer that yields some points and then waits; `ended` once it has been told to stop. */
function live(count: number): { points: AsyncGenerator<PointInit>; ended: Promise<void>; go: () => void } {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const { promise: gate, resolve: go } = Promise.withResolvers<void>();
  async function* points() {
    try {
      yield* many(count);
      await gate;
      yield POINT;
    } finally {
      end();
    }
  }
  return { points: points(), ended, go };
}

Deno.test("sendPoints() puts 10,000 points into few body chunks", async () => {
  for (const asynchronous of [false, true]) {
    await using server = serveTcp({ answer: [RECEIPT, END] });
    const points = asynchronous
      ? (async function* () {
        yield* many(10_000);
      })()
      : many(10_000);
    const receipt = await createSluice({ url: server.url }).sendPoints(points);
    assertEquals(receipt.totalProcessed, 7);
    const { chunks, bytes } = await server.request;
    assert(bytes > 10_000 * 40);
    assertEquals(chunks, Math.ceil(bytes / (64 * 1024)));
  }
});

Deno.test("sendPoints() sends what a slow producer has yielded while it waits", async () => {
  const producer = live(3);
  let sawThree = false;
  await using server = serveConnect((router) =>
    router.service(DataCollectionService, {
      async collectDataPoints(points) {
        let count = 0;
        for await (const _ of points) {
          // The producer yields its last point only when the first three are here.
          if (++count === 3) {
            sawThree = true;
            producer.go();
          }
        }
        return { totalProcessed: count };
      },
    })
  );
  const receipt = await createSluice({ url: server.url }).sendPoints(producer.points);
  assert(sawThree);
  assertEquals(receipt.totalProcessed, 4);
});

Deno.test("sendPoints() takes no more from an endless producer than the network takes", async () => {
  await using server = serveTcp({ read: false });
  let made = 0;
  function* endless() {
    while (true) {
      made++;
      yield POINT;
    }
  }
  const abort = new AbortController();
  const call = createSluice({ url: server.url }).sendPoints(endless(), { signal: abort.signal });
  // It stands still once the buffers of the two sockets are full.
  let before = -1;
  while (made === 0 || made !== before) {
    before = made;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assertLess(made * 50, 32 * 1024 * 1024);
  abort.abort(new Error("enough"));
  await assertRejects(() => call, Error, "enough");
});

Deno.test("sendPoints() with an aborted signal sends nothing", async () => {
  let requests = 0;
  await using server = serveRaw(() => {
    requests++;
    return new Response();
  });
  const sluice = createSluice({ url: server.url });
  const error = await assertRejects(() => sluice.sendPoints([POINT], { signal: AbortSignal.abort() }), DOMException);
  assertEquals(error.name, "AbortError");
  assertEquals(requests, 0);
});

Deno.test("sendPoints() that is aborted fails with the reason, stops the producer and breaks the body off", async () => {
  const producer = live(1);
  const { promise: bodyEnd, resolve: endBody } = Promise.withResolvers<unknown>();
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
  await using server = serveRaw(async (request) => {
    try {
      for await (const _ of request.body!) arrive();
      endBody("a clean end");
    } catch (error) {
      endBody(error);
    }
    return new Response();
  });
  const abort = new AbortController();
  const call = createSluice({ url: server.url }).sendPoints(producer.points, { signal: abort.signal });
  await arrived;
  abort.abort(new Error("changed my mind"));
  await assertRejects(() => call, Error, "changed my mind");
  assertInstanceOf(await bodyEnd, Error);
  // Let its pending wait end, so that its clean-up runs.
  producer.go();
  await producer.ended;
});

Deno.test("sendPoints() fails with what the producer throws, and the server sees no clean end", async () => {
  const { promise: bodyEnd, resolve: endBody } = Promise.withResolvers<unknown>();
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
  await using server = serveRaw(async (request) => {
    try {
      for await (const _ of request.body!) arrive();
      endBody("a clean end");
    } catch (error) {
      endBody(error);
    }
    return new Response();
  });
  async function* failing() {
    yield POINT;
    await arrived;
    throw new RangeError("sensor gone");
  }
  await assertRejects(() => createSluice({ url: server.url }).sendPoints(failing()), RangeError, "sensor gone");
  assertInstanceOf(await bodyEnd, Error);
});

Deno.test("sendPoints() fails on an item that cannot be encoded and on a throwing onProgress", async () => {
  await using server = serveRaw(() => connectAnswer(RECEIPT, END));
  const sluice = createSluice({ url: server.url });
  const bad = { ...POINT, timestamp: NaN };
  await assertRejects(() => sluice.sendPoints([POINT, bad]), TypeError, "Cannot encode point 1");
  const onProgress = () => {
    throw new Error("no more");
  };
  await assertRejects(() => sluice.sendPoints([POINT], { onProgress }), Error, "no more");
});

Deno.test("sendPoints() reports an early error of the server, with its details, while there is more to send", async () => {
  await using server = serveConnect((router) =>
    router.service(DataCollectionService, {
      async collectDataPoints(points) {
        for await (const _ of points) throw invalidArgument("source", "must not be that");
        return {};
      },
    })
  );
  function* endless() {
    while (true) yield POINT;
  }
  const producer = live(10);
  for (const points of [endless(), producer.points]) {
    const error = await assertRejects(() => createSluice({ url: server.url }).sendPoints(points), ConnectError);
    assertEquals(error.code, Code.InvalidArgument);
    const [detail] = error.findDetails(BadRequestSchema);
    assertEquals(detail.fieldViolations[0].field, "source");
  }
  producer.go();
  await producer.ended;
});

Deno.test("sendPoints() stops sending once the server has answered", async () => {
  await using server = serveConnect((router) =>
    router.service(DataCollectionService, {
      async collectDataPoints(points) {
        for await (const _ of points) break;
        return { totalProcessed: 1 };
      },
    })
  );
  let made = 0;
  function* endless() {
    while (true) {
      made++;
      yield POINT;
    }
  }
  const receipt = await createSluice({ url: server.url }).sendPoints(endless());
  assertEquals(receipt.totalProcessed, 1);
  const then = made;
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals(made, then);
});

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
    const error = await assertRejects(() => createSluice({ url: server.url }).sendPoints(many(2000)), ConnectError);
    assertEquals(error.code, code, `HTTP ${status}`);
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
    const error = await assertRejects(() => createSluice({ url: server.url }).sendPoints([POINT]), ConnectError);
    assertEquals(error.code, code, error.message);
    if (code === Code.Aborted) assertEquals(error.metadata.get("a"), "b");
  }
});

Deno.test("sendPoints() says unavailable, with the cause, if nobody listens", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const sluice = createSluice({ url: `http://127.0.0.1:${port}` });
  const error = await assertRejects(() => sluice.sendPoints([POINT]), ConnectError);
  assertEquals(error.code, Code.Unavailable);
  assertInstanceOf(error.cause, TypeError);
});

Deno.test("sendLogs() sends the token, and progress with a total for an array", async () => {
  const seen: (string | null)[] = [];
  await using server = serveConnect((router) =>
    router.service(DataCollectionService, {
      async collectLogs(entries, context) {
        seen.push(context.requestHeader.get("authorization"));
        return { totalReceived: (await Array.fromAsync(entries)).length };
      },
    })
  );
  const entries = Array.from({ length: 5000 }, (_, i) => ({ application: "a", timestamp: i, message: `line ${i}` }));
  const progress: [number, number | undefined][] = [];
  const receipt = await createSluice({ url: `${server.url}/`, token: "secret" }).sendLogs(entries, {
    onProgress: ({ sent, total }) => progress.push([sent, total]),
  });
  assertEquals(receipt.totalReceived, 5000);
  assertEquals(seen, ["Bearer secret"]);
  assert(progress.length > 1);
  assertEquals(progress.at(-1), [5000, 5000]);
});
