import { assert, assertEquals, assertGreater } from "@std/assert";
import { COMPACT_FEW, HOUR, MINUTE, RUN_SEGMENT_SAMPLES } from "../../../limits.ts";
import { toLogColumns } from "../../../store/format/log_columns.ts";
import { makeSeries } from "../../../store/format/series.ts";
import { createLogMerger, createLogRuns } from "../../../store/kv/compaction/logs.ts";
import { mergeSeries, packSeries, type SeriesSamples } from "../../../store/kv/compaction/point_merge.ts";
import { createPointMerger, createPointRuns } from "../../../store/kv/compaction/points.ts";
import type { Round } from "../../../store/kv/housekeeping/round.ts";
import { listRuns } from "../../../store/kv/runs/run_list.ts";
import type { RunWriter } from "../../../store/kv/runs/run_writer.ts";
import { openTestStores } from "../../support/stores.ts";

const SERIES = makeSeries("a", "cpu", {});

/** Samples of one series, from a time on, whose values say whose they are. */
function samples(from: number, count: number, value: number): SeriesSamples {
  return {
    series: SERIES,
    timestamps: Float64Array.from({ length: count }, (_, i) => from + i),
    values: new Float64Array(count).fill(value),
  };
}

Deno.test("mergeSeries() hands on what it has read of a series, however long that is", async () => {
  const size = 1000;
  let read = 0;
  function* long() {
    for (let i = 0; i < 1000; i++) {
      read += size;
      yield [samples(i * size, size, 1)];
    }
  }
  let handedOn = 0;
  for await (const list of mergeSeries([long(), long()])) {
    const held = list.reduce((sum, { values }) => sum + values.length, 0);
    assert(held <= RUN_SEGMENT_SAMPLES + size, `${held} samples at once`);
    handedOn += held;
    assert(read <= handedOn + 2 * size, `${read} samples read, ${handedOn} handed on`);
  }
  assertEquals(handedOn, 2_000_000);
});

Deno.test("mergeSeries() keeps the order of sources whose times overlap, over several lists and segments", async () => {
  const lists = [1, 2].map((source) =>
    Array.from({ length: 5 }, (_, i) => [samples(i * 10_000, 10_000, source)] as const).values()
  );
  const parts: SeriesSamples[] = [];
  const all = async function* () {
    for await (const list of mergeSeries(lists)) {
      parts.push(...list);
      yield list;
    }
  };
  let packed = 0;
  for await (const { samples } of packSeries(all())) packed += samples;
  assertEquals(packed, 100_000);
  assertEquals(parts.map(({ values }) => values[0]), [1, 1, 1, 1, 1, 2, 2, 2, 2, 2]);
});

Deno.test("Compaction: whoever reads long before there is anything to write keeps the lease meanwhile", async () => {
  using stores = await openTestStores();
  const { clock, kv } = stores;
  const hour = Math.floor(clock.now() / HOUR) * HOUR;
  for (const begin of [hour, hour + HOUR]) {
    for (let i = 0; i < COMPACT_FEW; i++) {
      const points = stores.points.writer("t");
      await points.refused([SERIES]);
      const { timestamps, values } = samples(begin + i, 1, 1);
      await points.write({ series: [SERIES], timestamps, ends: Int32Array.of(1), seriesOf: Int32Array.of(0), values });
      await points.flush();
      const logs = stores.logs.writer("t");
      const entry = { application: "a", level: 2, timestamp: begin + i, message: `m${i}`, fields: [] };
      await logs.write(toLogColumns([entry]));
      await logs.flush();
    }
  }
  clock.advance(2 * HOUR + 5 * MINUTE);
  await stores.keepHouse();
  for (const merger of [createPointMerger(createPointRuns(stores)), createLogMerger(createLogRuns(stores))]) {
    const { runs } = await listRuns(kv, merger.kind, "t", 0, Infinity);
    assertEquals(runs.length, 2);
    let paced = 0;
    let before = 0;
    const round = { options: { newId: () => "01ARZ3NDEKTSV4RRFFQ69G5FAV" }, pace: () => Promise.resolve(void paced++) };
    const out = {
      origin: { isDay: false },
      length: 0,
      append() {
        before ||= paced;
        return Promise.resolve(1);
      },
    };
    const sources = { runs, segments: [], deletions: [], isKnownDamage: () => false };
    await merger.merge(round as unknown as Round, sources, out as unknown as RunWriter);
    assertGreater(before, 0, merger.kind);
    assert(paced >= runs.length, merger.kind);
  }
});
