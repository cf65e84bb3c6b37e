import { assert, assertEquals, assertGreater, assertLess, assertRejects, assertThrows } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { clearImmediate, setImmediate } from "node:timers";
import { MAX_QUERY_SKETCH_BYTES, MINUTE, QUERY_TURN_MS } from "../../../limits.ts";
import type { PointSegment } from "../../../store/format/point_segment.ts";
import { makeSeries } from "../../../store/format/series.ts";
import { PointCollector } from "../../../store/kv/point_collector.ts";
import { ReadBudget } from "../../../store/kv/read_budget.ts";
import { Turns } from "../../../store/kv/turns.ts";
import type { MetricsQuery } from "../../../store/types.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { NEVER } from "../../support/stores.ts";

const SERIES = makeSeries("s", "x", {});

/** A segment of one series. */
function segmentOf(timestamps: Float64Array, values: Float64Array): PointSegment {
  return {
    ...{ minTime: timestamps[0], maxTime: timestamps.at(-1)!, samples: values.length, seriesCount: 1 },
    series: () => SERIES,
    rollup: () => undefined,
    columns: () => ({ timestamps, values }),
  };
}

function collect(query: Partial<MetricsQuery>, limits = { series: 1, buckets: 1e6 }): PointCollector {
  const whole = { ...{ tags: [], from: 0, to: 1e9, step: 0, quantiles: [], limits }, ...query };
  return new PointCollector(whole, whole.from, whole.to, new ReadBudget({}));
}

/** A clock on which each look takes a millisecond. */
class SlowClock extends FakeClock {
  looks = 0;

  override elapsed(): number {
    return ++this.looks;
  }

  override setTimer(_ms: number, fn: () => void): () => void {
    const immediate = setImmediate(fn);
    return () => clearImmediate(immediate);
  }
}

Deno.test("PointCollector: sketches that take too much memory are refused, however they come, with what to do", async () => {
  // Over all that a double can be: thousands of bins in each bucket.
  const length = 6000;
  const values = Float64Array.from({ length }, (_, i) => 10 ** (i / 10 - 300));
  const minute = (i: number) => segmentOf(new Float64Array(length).fill(i * MINUTE), values);
  const fill = (collector: PointCollector, first: number, end: number) => {
    for (let i = first; i < end; i++) collector.addSegment(minute(i), []);
  };
  const query = { quantiles: [0.5], step: MINUTE };
  const bytes = 40 * length;
  const half = Math.ceil(MAX_QUERY_SKETCH_BYTES / bytes / 2);
  const all = collect(query);
  fill(all, 0, half);
  const other = all.fork();
  fill(other, half, 2 * half);
  const turns = new Turns(new FakeClock(), NEVER);
  const error = await assertRejects(() => all.merge(other, turns), ConnectError, "take a shorter range, a longer step");
  assertEquals(error.code, Code.ResourceExhausted);
  assertThrows(() => fill(collect(query), 0, 2 * half), ConnectError, "256 MiB");
  // One bucket takes what one sketch takes; without quantiles there are none.
  fill(collect({ ...query, step: 0 }), 0, 2 * half);
  fill(collect({ step: MINUTE }), 0, 2 * half);
});

Deno.test("PointCollector.parts() works out a part when it is taken, gives others their turn, and ends when aborted", async () => {
  const buckets = 1000;
  const times = Float64Array.from({ length: buckets }, (_, i) => i);
  const clock = new SlowClock();
  const abort = new AbortController();
  const turns = new Turns(clock, abort.signal);
  const found = collect({ step: 1, quantiles: [0.5, 0.9] });
  found.addSegment(segmentOf(times, times), []);
  const parts = found.parts(100, turns)[Symbol.asyncIterator]();
  let others = 0;
  let isOn = true;
  const count = () => {
    others++;
    if (isOn) setImmediate(count);
  };
  setImmediate(count);
  const { value: [{ buckets: first }] } = await parts.next();
  assertEquals(first.map(({ start }: { start: number }) => start), Array.from({ length: 100 }, (_, i) => i));
  // A look at the clock for each bucket, and some for each turn.
  assertLess(clock.looks, 200);
  assertGreater(others, 100 / (QUERY_TURN_MS + 2) - 2);
  setImmediate(() => abort.abort(new Error("enough")));
  await assertRejects(
    async () => {
      while (!(await parts.next()).done);
    },
    Error,
    "enough",
  );
  isOn = false;
  assert(clock.looks < 300);
  await new Promise((resolve) => setImmediate(resolve));
});

Deno.test("PointCollector.merge() gives others their turn, and ends when aborted", async () => {
  const times = Float64Array.from({ length: 1000 }, (_, i) => i);
  const clock = new SlowClock();
  const abort = new AbortController();
  const turns = new Turns(clock, abort.signal);
  const all = collect({ step: 1 });
  const other = all.fork();
  other.addSegment(segmentOf(times, times), []);
  setImmediate(() => abort.abort(new Error("enough")));
  await assertRejects(() => all.merge(other, turns), Error, "enough");
  assertLess(clock.looks, 100);
});
