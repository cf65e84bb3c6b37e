import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { fromBinary } from "@bufbuild/protobuf";
import { BatchedBody } from "../../client/body.ts";
import { readEnvelopes } from "../../client/envelope.ts";
import { type PointInit, writePoint } from "../../client/items.ts";
import { DataPointSchema } from "../../gen/sluice/v1/data_collection_pb.ts";

/** Enough of it makes a chunk. */
const FILLER = "x".repeat(1000);

function pointOf(source: string): PointInit {
  return { source, timestamp: 1, metrics: { x: 1 } };
}

function bodyOf(points: Iterable<PointInit> | AsyncIterable<PointInit>): BatchedBody<PointInit> {
  return new BatchedBody(points, { write: writePoint });
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

Deno.test("BatchedBody carries every item in order, of an iterable and of an async one", async () => {
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

Deno.test("BatchedBody asks for nothing before it is read, nor for more than a chunk after", async () => {
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

Deno.test("BatchedBody hands each item of a slow producer over while it waits for the next", async () => {
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

Deno.test("BatchedBody tells what a producer throws while nobody reads at the next read", async () => {
  const producer = new Producer();
  const body = bodyOf(producer);
  const reader = body.stream.getReader();
  const read = reader.read();
  await producer.point("0");
  await read;
  const error = new RangeError("sensor gone");
  await producer.give(Promise.reject(error));
  assertStrictEquals(await assertRejects(() => reader.read()), error);
  assertStrictEquals(body.failure?.error, error);
  assert(!body.sent);
});

Deno.test("BatchedBody.stop() ends a read that waits for a slow producer, and leaves no timer", async () => {
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
    assertEquals(body.failure, undefined);
  }
});
