import { assertEquals, assertRejects } from "@std/assert";
import type { DecodedPoints } from "../../decode/points.ts";
import { DAY } from "../../limits.ts";
import { createDataCollectionService } from "../../services/data_collection.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { decodedLogs } from "../support/logs.ts";
import { decodedPoints } from "../support/points.ts";
import { NEVER, openTestStores } from "../support/stores.ts";
import { until } from "../support/until.ts";

const clock = new FakeClock();
const batch = (...values: number[]): DecodedPoints =>
  decodedPoints(values.map((x) => ({ source: "s", timestamp: BigInt(clock.now()), metrics: { x } })));

async function open() {
  const stores = await openTestStores();
  const { points, logs, streams } = stores;
  const service = createDataCollectionService({ points, logs, streams, clock, retention: 7 * DAY, logRules: [] });
  const count = async () => {
    const range = { from: 0, to: clock.now() + DAY, step: 0, quantiles: [], tags: [], metric: "x" };
    const { series } = await stores.points.query("t", range, NEVER);
    return series[0]?.buckets[0].count ?? 0;
  };
  return { service, count, [Symbol.dispose]: () => stores[Symbol.dispose]() };
}

Deno.test("collectDataPoints() keeps what it was given when the call breaks off, without delay", async () => {
  using opened = await open();
  async function* broken(): AsyncGenerator<DecodedPoints> {
    yield batch(1, 2);
    throw new RangeError("the line is cut");
  }
  const call = { tenant: "t", signal: NEVER };
  await assertRejects(() => opened.service.collectDataPoints(broken(), call), RangeError, "the line is cut");
  // The clock has not moved: nothing waited for a timer.
  assertEquals(await opened.count(), 2);
});

Deno.test("collectDataPoints() takes no more once the call is aborted, and keeps what came before", async () => {
  using opened = await open();
  const abort = new AbortController();
  async function* batches() {
    yield batch(1);
    abort.abort(new RangeError("the caller is gone"));
    yield batch(2);
  }
  const call = { tenant: "t", signal: abort.signal };
  await assertRejects(() => opened.service.collectDataPoints(batches(), call), RangeError, "the caller is gone");
  // The caller is not kept waiting for that.
  await until(async () => await opened.count() === 1, 5000);
});

Deno.test("collectDataPoints() and collectLogs() number rejections across batches", async () => {
  using opened = await open();
  const call = { tenant: "t", signal: NEVER };
  async function* points() {
    yield batch(1, NaN);
    yield batch(Infinity, 2, NaN);
  }
  const collected = await opened.service.collectDataPoints(points(), call);
  assertEquals(collected.rejections?.map(({ index }) => index), [1n, 2n, 4n]);
  const entry = (level: string) => ({ application: "a", level, timestamp: BigInt(clock.now()), message: "m" });
  async function* entries() {
    yield decodedLogs([entry("info"), entry("loud")]);
    yield decodedLogs([entry("loud")]);
  }
  const logged = await opened.service.collectLogs(entries(), call);
  assertEquals(logged.rejections?.map(({ index }) => index), [1n, 2n]);
});

Deno.test("collectDataPoints() ends with the deadline's error although the store does not answer", async () => {
  let answer = () => {};
  const stuck = new Promise<void>((resolve) => answer = resolve);
  using stores = await openTestStores({
    // Commits wait for the test; all else is as it was.
    wrap: (kv) => ({
      get: (...args) => kv.get(...args),
      getMany: (...args) => kv.getMany(...args),
      list: (...args) => kv.list(...args),
      atomic() {
        const operation = kv.atomic();
        const commit = operation.commit.bind(operation);
        operation.commit = async () => {
          await stuck;
          return await commit();
        };
        return operation;
      },
    }),
  });
  const { points, logs, streams } = stores;
  const service = createDataCollectionService({ points, logs, streams, clock, retention: 7 * DAY, logRules: [] });
  const abort = new AbortController();
  async function* batches() {
    yield batch(1);
  }
  const receipt = service.collectDataPoints(batches(), { tenant: "t", signal: abort.signal });
  setTimeout(() => abort.abort(new RangeError("the deadline has passed")));
  await assertRejects(() => receipt, RangeError, "the deadline has passed");
  answer();
  // What had been handed to the store is stored all the same.
  await stores.points.writer("t").flush();
});
