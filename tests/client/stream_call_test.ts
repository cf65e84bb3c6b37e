import { assert, assertEquals, assertInstanceOf, assertLess, assertRejects } from "@std/assert";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { createSluice, type PointInit, SluiceError } from "../../client/mod.ts";
import { BadRequestSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { CollectionResultSchema, DataCollectionService } from "../../gen/sluice/v1/data_collection_pb.ts";
import { invalidArgument } from "../../errors.ts";
import { connectAnswer, envelope, serveConnect, serveRaw } from "./fake_server.ts";
import { serveTcp } from "./tcp_server.ts";

const POINT: PointInit = { source: "web-1", timestamp: 1, metrics: { cpu: 0.5, memory: 1024 }, tags: { zone: "a" } };

const END = envelope(2, "{}");

function receipt(committed: number): Uint8Array<ArrayBuffer> {
  const result = create(CollectionResultSchema, { totalProcessed: committed, committed: BigInt(committed) });
  return envelope(0, toBinary(CollectionResultSchema, result));
}

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
    await using server = serveTcp({ answer: [receipt(10_000), END] });
    const points = asynchronous
      ? (async function* () {
        yield* many(10_000);
      })()
      : many(10_000);
    const abort = new AbortController();
    const call = createSluice({ url: server.url }).sendPoints(points, { signal: abort.signal });
    const { chunks, bytes } = await server.request;
    // Of a second call, that says where the stream ends, this server knows nothing.
    abort.abort();
    await assertRejects(() => call, SluiceError);
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
        return { committed: 4n };
      },
    })
  );
  await createSluice({ url: server.url }).sendPoints(producer.points);
  assert(sawThree);
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
  await assertRejects(() => call, SluiceError, "enough");
});

Deno.test("sendPoints() with an aborted signal sends nothing", async () => {
  let requests = 0;
  await using server = serveRaw(() => {
    requests++;
    return new Response();
  });
  const sluice = createSluice({ url: server.url });
  const error = await assertRejects(() => sluice.sendPoints([POINT], { signal: AbortSignal.abort() }), SluiceError);
  assertEquals([error.reason, error.code, error.committed], ["cancelled", Code.Canceled, 0]);
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
  const reason = (await assertRejects(() => call, SluiceError, "changed my mind")).cause;
  assertEquals((reason as Error).message, "changed my mind");
  assertInstanceOf(await bodyEnd, Error);
  // Let its pending wait end, so that its clean-up runs.
  producer.go();
  await producer.ended;
});

Deno.test("sendPoints() fails with what the producer throws, once all that came before is committed", async () => {
  const ends: (string | null)[] = [];
  await using server = serveConnect((router) =>
    router.service(DataCollectionService, {
      async collectDataPoints(points, context) {
        ends.push(context.requestHeader.get("sluice-end"));
        return { committed: BigInt((await Array.fromAsync(points)).length) };
      },
    })
  );
  async function* failing() {
    yield* many(3);
    await Promise.resolve();
    throw new RangeError("sensor gone");
  }
  const call = createSluice({ url: server.url }).sendPoints(failing());
  const error = await assertRejects(() => call, SluiceError, "sensor gone");
  assertInstanceOf(error.cause, RangeError);
  assertEquals([error.reason, error.committed, error.retryable], ["producer", 3, false]);
  // The stream is not finished, and can be gone on with.
  assertEquals(ends, [null]);
});

Deno.test("sendPoints() fails on an item that cannot be encoded and on a throwing onProgress", async () => {
  await using server = serveRaw(async (request) => {
    await request.body?.cancel();
    return connectAnswer(receipt(1), END);
  });
  const sluice = createSluice({ url: server.url });
  const bad = { ...POINT, timestamp: NaN };
  const error = await assertRejects(() => sluice.sendPoints([POINT, bad]), SluiceError, "Cannot encode point 1");
  assertEquals([error.reason, error.committed], ["item", 1]);
  assertInstanceOf(error.cause, TypeError);
  const onProgress = () => {
    throw new Error("no more");
  };
  await assertRejects(() => sluice.sendPoints([POINT], { onProgress }), SluiceError, "no more");
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

Deno.test("sendPoints() goes on from what an early receipt counts", async () => {
  const starts: number[] = [];
  let stored = 0;
  await using server = serveConnect((router) =>
    router.service(DataCollectionService, {
      async collectDataPoints(points, context) {
        starts.push(Number(context.requestHeader.get("sluice-start")));
        let at = starts.at(-1)!;
        for await (const _ of points) {
          if (at++ === stored) stored++;
          if (stored % 2000 === 0) break;
        }
        return { committed: BigInt(stored) };
      },
    })
  );
  const { committed } = await createSluice({ url: server.url }).sendPoints(many(5000));
  assertEquals(committed, 5000n);
  assertEquals(starts.slice(0, 3), [0, 2000, 4000]);
});

Deno.test("sendLogs() sends the token, and progress with a total for an array", async () => {
  const seen: (string | null)[] = [];
  await using server = serveConnect((router) =>
    router.service(DataCollectionService, {
      async collectLogs(entries, context) {
        seen.push(context.requestHeader.get("authorization"));
        const count = (await Array.fromAsync(entries)).length;
        return { totalReceived: 5000, committed: BigInt(context.requestHeader.get("sluice-start")!) + BigInt(count) };
      },
    })
  );
  const entries = Array.from({ length: 5000 }, (_, i) => ({ application: "a", timestamp: i, message: `line ${i}` }));
  const progress: [number, number | undefined][] = [];
  const receipt = await createSluice({ url: `${server.url}/`, token: "secret" }).sendLogs(entries, {
    onProgress: ({ sent, total }) => progress.push([sent, total]),
  });
  assertEquals(receipt.totalReceived, 5000);
  // The second call only says that there are no more.
  assertEquals(seen, ["Bearer secret", "Bearer secret"]);
  assert(progress.length > 1);
  assertEquals(progress.at(-1), [5000, 5000]);
});
