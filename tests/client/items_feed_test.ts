import { assert, assertEquals, assertInstanceOf, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { fromBinary } from "@bufbuild/protobuf";
import { systemClock } from "../../client/clock.ts";
import { readEnvelopes } from "../../client/envelope.ts";
import { ItemsFeed } from "../../client/items_feed.ts";
import { type PointInit, writePoint } from "../../client/items.ts";
import { MAX_ITEM_BYTES } from "../../client/limits.ts";
import { producerOf, PushProducer } from "../../client/producers.ts";
import { ItemRefused } from "../../client/refused.ts";
import { DataPointSchema } from "../../gen/sluice/v1/data_collection_pb.ts";
import { MAX_MESSAGE_BYTES } from "../../limits.ts";

/** Enough of it makes a chunk. */
const FILLER = "x".repeat(1000);

function pointOf(source: string): PointInit {
  return { source, timestamp: 1, metrics: { x: 1 } };
}

/** A feed, and the body of its first window. */
function bodyOf(points: Iterable<PointInit> | AsyncIterable<PointInit>) {
  const feed = new ItemsFeed(producerOf(points), {
    write: writePoint,
    clock: systemClock,
    window: { bytes: Infinity, items: Infinity, ms: 100_000 },
  });
  const window = feed.open("stream", () => {});
  return {
    feed,
    stream: window.body as ReadableStream<Uint8Array<ArrayBuffer>>,
    stop(reason?: unknown) {
      window.stop(reason);
      feed.release();
    },
  };
}

async function sourcesIn(chunks: ReadableStream<Uint8Array>): Promise<string[]> {
  const sources: string[] = [];
  for await (const { data } of readEnvelopes(chunks)) sources.push(fromBinary(DataPointSchema, data).source);
  return sources;
}

async function sourcesOf(chunk: Uint8Array | undefined): Promise<string[]> {
  return await sourcesIn(ReadableStream.from([chunk ?? new Uint8Array(0)]));
}

/** What is ready to run has run then. */
function timersRun(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** A producer whose items come when the test says so. */
class Producer implements AsyncIterable<PointInit> {
  /** How many items have been asked for. */
  asked = 0;
  returned = false;
  #waiting: ((result: Promise<IteratorResult<PointInit>>) => void)[] = [];

  [Symbol.asyncIterator](): AsyncIterator<PointInit> {
    return {
      next: () => {
        this.asked++;
        return new Promise((resolve) => this.#waiting.push(resolve));
      },
      return: () => {
        this.returned = true;
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  /** Answers the next request, or the one that waits, and lets the answer arrive. */
  async give(result: Promise<IteratorResult<PointInit>>): Promise<void> {
    result.catch(() => {});
    while (this.#waiting.length === 0) await timersRun();
    this.#waiting.shift()!(result);
    await timersRun();
  }

  point(source: string): Promise<void> {
    return this.give(Promise.resolve({ done: false, value: pointOf(source) }));
  }

  end(): Promise<void> {
    return this.give(Promise.resolve({ done: true, value: undefined }));
  }
}

Deno.test("ItemsFeed carries every item in order, of an iterable and of an async one", async () => {
  const sources = Array.from({ length: 5000 }, (_, i) => `${i}${FILLER.slice(0, i % 100)}`);
  function* points() {
    // One object for all of them, as a careful producer would do.
    const point = pointOf("");
    for (point.source of sources) yield point;
  }
  assertEquals(await sourcesIn(bodyOf(points()).stream), sources);
  async function* slowly() {
    yield* points();
  }
  assertEquals(await sourcesIn(bodyOf(slowly()).stream), sources);
});

Deno.test("ItemsFeed asks for nothing before it is read, nor for more than a chunk after", async () => {
  let made = 0;
  const endless = function* () {
    while (true) yield pointOf(`${made++}${FILLER}`);
  };
  const endlessAsync = async function* () {
    yield* endless();
  };
  for (const points of [endless(), endlessAsync()]) {
    made = 0;
    const body = bodyOf(points);
    await timersRun();
    assertEquals(made, 0);
    const reader = body.stream.getReader();
    const { value } = await reader.read();
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals(value!.length, 64 * 1024);
    assertEquals(made, Math.ceil(64 * 1024 / 1024));
    await reader.cancel();
  }
});

Deno.test("ItemsFeed hands each item of a slow producer over while it waits for the next", async () => {
  const producer = new Producer();
  const reader = bodyOf(producer).stream.getReader();
  for (let i = 0; i < 3; i++) {
    const read = reader.read();
    await producer.point(`${i}`);
    // The next has been asked for, and does not come.
    assertEquals(await sourcesOf((await read).value), [`${i}`]);
  }
  assertEquals(producer.asked, 4);
  // Comes when nobody reads, and so waits; no other is asked for meanwhile.
  await producer.point("late");
  assertEquals(producer.asked, 4);
  const read = reader.read();
  await producer.point("later");
  await producer.end();
  assertEquals(await sourcesOf((await read).value), ["late", "later"]);
  assert((await reader.read()).done);
});

Deno.test("ItemsFeed keeps what a producer throws, and sends all that came before", async () => {
  const producer = new Producer();
  const { feed, stream } = bodyOf(producer);
  const reader = stream.getReader();
  const read = reader.read();
  await producer.point("0");
  await producer.point("1");
  const error = new RangeError("sensor gone");
  await producer.give(Promise.reject(error));
  assertEquals(await sourcesOf((await read).value), ["0", "1"]);
  assert((await reader.read()).done);
  assertStrictEquals(feed.failure?.error, error);
  assertEquals(feed.end, undefined);
  assert(!feed.drained);
  feed.commit(2);
  assert(feed.drained);
});

Deno.test("ItemsFeed: a window that is stopped ends a read that waits for a slow producer, and leaves no timer", async () => {
  for (const points of [0, 1]) {
    const producer = new Producer();
    const body = bodyOf(producer);
    const reader = body.stream.getReader();
    const read = reader.read();
    if (points > 0) await producer.point("0");
    while (producer.asked <= points) await timersRun();
    const error = new Error("enough");
    body.stop(error);
    assertStrictEquals(await assertRejects(() => read), error);
    assert(producer.returned);
    // What comes all the same is of no interest.
    await producer.point("1");
    assertEquals(body.feed.failure, undefined);
  }
});

function* numbered(count: number): Generator<PointInit> {
  for (let i = 0; i < count; i++) yield pointOf(`${i}${FILLER.slice(0, i % 300)}`);
}

Deno.test("ItemsFeed sends from whatever is committed, message by message", async () => {
  const count = 3000;
  const all = [...numbered(count)].map(({ source }) => source);
  for (const committed of [0, 1, 2, 700, 1499, 2999]) {
    const feed = new ItemsFeed(producerOf(numbered(count)), {
      write: writePoint,
      clock: systemClock,
      window: { bytes: 400_000 },
    });
    await feed.ready();
    const first = await sourcesIn(feed.open("stream", () => {}).body as ReadableStream<Uint8Array>);
    assertEquals(first, all.slice(0, first.length));
    feed.commit(Math.min(committed, first.length));
    const rest: string[] = [];
    while (feed.committed < count) {
      await feed.ready();
      // Windows get smaller after failures, and so are split.
      feed.fit(1, true);
      const body = await feed.open("windows", () => {}).body as Blob;
      rest.push(...await sourcesIn(body.stream()));
      feed.commit(Math.min(committed, first.length) + rest.length);
    }
    assertEquals(rest, all.slice(Math.min(committed, first.length)));
    assert(feed.drained);
    assertEquals(feed.end, count);
  }
});

Deno.test("ItemsFeed makes one window ahead, and no more", async () => {
  let made = 0;
  function* endless() {
    while (true) yield pointOf(`${made++}${FILLER}`);
  }
  const feed = new ItemsFeed(producerOf(endless()), {
    write: writePoint,
    clock: systemClock,
    window: { bytes: 256 * 1024 },
  });
  await feed.ready();
  const window = feed.open("windows", () => {});
  await window.body;
  assertEquals(made, 256);
  await feed.ahead(new Promise(() => {}));
  assert(feed.blocked);
  assertEquals(made, 512);
  feed.commit(100);
  assert(feed.blocked);
  feed.commit(256);
  assert(!feed.blocked);
  feed.release();
});

Deno.test("ItemsFeed passes over what is committed already", async () => {
  const feed = new ItemsFeed(producerOf(numbered(10)), { write: writePoint, clock: systemClock });
  feed.skipTo(7);
  await feed.ready();
  assertEquals(feed.end, 10);
  const window = feed.open("windows", () => {});
  assertEquals(window.start, 7);
  const sources = await sourcesIn((await window.body as Blob).stream());
  assertEquals(sources.map((source) => source[0]), ["7", "8", "9"]);
});

Deno.test("ItemsFeed takes an item that cannot be encoded back", async () => {
  const feed = new ItemsFeed<PointInit>(new PushProducer(), { write: writePoint, clock: systemClock });
  feed.put(pointOf("a"));
  assertThrows(() => feed.put({ ...pointOf("b".repeat(100)), timestamp: NaN }), Error, "timestamp");
  feed.put(pointOf("c"));
  feed.flush();
  const window = feed.open("windows", () => {});
  assertEquals(await sourcesIn((await window.body as Blob).stream()), ["a", "c"]);
  feed.release();
});

Deno.test("MAX_ITEM_BYTES: an item at it is sent, a larger one is refused and leaves nothing behind", async () => {
  assertEquals(MAX_ITEM_BYTES, MAX_MESSAGE_BYTES);
  const feed = new ItemsFeed<PointInit>(new PushProducer(), { write: writePoint, clock: systemClock });
  // Tag and length of the source, the timestamp, and a metric.
  const around = 1 + 4 + 2 + 14;
  const largest = "x".repeat(MAX_ITEM_BYTES - around);
  const error = assertThrows(() => feed.put(pointOf(largest + "x")), ItemRefused, "the limit is 4194304");
  assertInstanceOf(error.cause, RangeError);
  feed.put(pointOf("a"));
  feed.put(pointOf(largest));
  assertThrows(() => feed.put(pointOf(largest + "x")), ItemRefused);
  feed.put(pointOf("b"));
  feed.flush();
  const lengths: number[] = [];
  while (feed.committed < feed.made) {
    const { body } = feed.open("windows", () => {});
    for await (const { data } of readEnvelopes((await body as Blob).stream())) lengths.push(data.length);
    feed.commit(lengths.length);
  }
  assertEquals(lengths, [19, MAX_ITEM_BYTES, 19]);
  feed.release();
});
