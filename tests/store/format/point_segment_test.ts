import { assert, assertEquals, assertThrows } from "@std/assert";
import { MAX_SEGMENT_BYTES } from "../../../limits.ts";
import {
  encodePointSegment,
  openPointSegment,
  packPointSegments,
  type PointColumns,
  splitPointColumns,
} from "../../../store/format/point_segment.ts";
import { Rollup } from "../../../store/format/rollup.ts";
import { makeSeries } from "../../../store/format/series.ts";
import { DamagedError } from "../../../store/format/value.ts";
import { randomColumns, samplesIn, samplesOf } from "./points.ts";
import { damage, property } from "./random.ts";

Deno.test("openPointSegment() gives back what encodePointSegment() took", () =>
  property(60, (random) => {
    const input = randomColumns(random, 1 + random.below(100));
    const segment = openPointSegment(encodePointSegment(input));
    assertEquals(samplesIn(segment), samplesOf(input));
    assertEquals(segment.samples, input.values.length);
    assertEquals(segment.minTime, Math.min(...Array.from(input.timestamps)));
    assertEquals(segment.maxTime, Math.max(...Array.from(input.timestamps)));
    assertEquals(Array.from({ length: segment.seriesCount }, (_, i) => segment.series(i)), [...input.series]);
  }));

Deno.test("encodePointSegment() keeps the order of samples of one time, and drops series without samples", () => {
  const series = ["a", "b", "c"].map((metric) => makeSeries("s", metric, {}));
  const input = { series, seriesOf: [2, 0, 2, 2], timestamps: [5, 5, 4, 5], values: [1, 2, 3, 4] };
  const segment = openPointSegment(encodePointSegment(input));
  assertEquals(segment.seriesCount, 2);
  assertEquals(segment.series(1), series[2]);
  assertEquals(segment.columns(1), { timestamps: Float64Array.of(4, 5, 5), values: Float64Array.of(3, 1, 4) });
});

Deno.test("encodePointSegment() stores the timestamps of a point's metrics once", () => {
  const points = (metrics: number): PointColumns => ({
    series: Array.from({ length: metrics }, (_, i) => makeSeries("s", `m${i}`, {})),
    seriesOf: Array.from({ length: 500 * metrics }, (_, j) => j % metrics),
    timestamps: Array.from({ length: 500 * metrics }, (_, j) => (Math.floor(j / metrics) * 7919) ** 2 % 1e9),
    values: new Array(500 * metrics).fill(1),
  });
  const one = encodePointSegment(points(1)).length;
  const ten = encodePointSegment(points(10)).length;
  assert(ten - one < 9 * 20, `${ten} bytes of ten series, ${one} of one`);
});

Deno.test("encodePointSegment() adds rollups that equal those of the samples, where they are small", () =>
  property(20, (random) => {
    const count = 50 + random.below(2000);
    const series = [makeSeries("s", "noisy", {}), makeSeries("s", "flat", {})];
    const seriesOf = Array.from({ length: count }, (_, j) => j % 2);
    const timestamps = Array.from({ length: count }, () => random.below(1e6));
    const values = Array.from({ length: count }, (_, j) => j % 2 === 0 ? 50 + random.gaussian() : 7);
    const segment = openPointSegment(encodePointSegment({ series, seriesOf, timestamps, values }));
    assertEquals(segment.rollup(1), undefined);
    const rollup = segment.rollup(0);
    const expected = new Rollup(rollup?.sketch !== undefined);
    const columns = segment.columns(0);
    columns.timestamps.forEach((time, i) => expected.add(time, columns.values[i]));
    assertEquals(rollup?.encode(), expected.encode());
    assert(count < 600 || rollup?.sketch !== undefined, "a long column has a sketch");
  }));

Deno.test("encodePointSegment() takes values that no rollup can", () => {
  const values = Array.from({ length: 500 }, (_, i) => i === 250 ? NaN : i / 3);
  const timestamps = values.map((_, i) => i);
  const series = [makeSeries("s", "m", {})];
  const segment = openPointSegment(encodePointSegment({ series, seriesOf: values.map(() => 0), timestamps, values }));
  assertEquals(segment.rollup(0), undefined);
  assertEquals(Array.from(segment.columns(0).values), values);
});

Deno.test("encodePointSegment() refuses columns that do not fit together", () => {
  const series = [makeSeries("s", "m", {})];
  assertThrows(() => encodePointSegment({ series, seriesOf: [], timestamps: [], values: [] }), RangeError);
  assertThrows(() => encodePointSegment({ series, seriesOf: [0], timestamps: [1, 2], values: [1, 2] }), RangeError);
  assertThrows(() => encodePointSegment({ series, seriesOf: [0], timestamps: [0.5], values: [1] }), RangeError);
  assertThrows(() => encodePointSegment({ series, seriesOf: [1], timestamps: [1], values: [1] }), RangeError);
});

Deno.test("splitPointColumns() halves the samples in order of arrival, with the series that each half has", () =>
  property(20, (random) => {
    const input = randomColumns(random, 2 + random.below(50));
    const [first, second] = splitPointColumns(input);
    assertEquals(first.values.length, input.values.length >> 1);
    assertEquals([...Array.from(first.values), ...Array.from(second.values)], Array.from(input.values));
    for (const half of [first, second]) {
      assertEquals(new Set(Array.from(half.seriesOf)).size, half.series.length);
    }
  }));

Deno.test("packPointSegments() makes segments that fit a value and together hold everything", () =>
  property(4, (random) => {
    const input = randomColumns(random, 4000);
    const packed = packPointSegments(input);
    const all = new Map<string, [number, number][]>();
    for (const { bytes, minTime, maxTime, samples } of packed) {
      assert(bytes.length <= MAX_SEGMENT_BYTES);
      const segment = openPointSegment(bytes);
      assertEquals([segment.minTime, segment.maxTime, segment.samples], [minTime, maxTime, samples]);
      for (const [key, own] of samplesIn(segment)) all.set(key, [...all.get(key) ?? [], ...own]);
    }
    for (const samples of all.values()) samples.sort(([a], [b]) => a - b);
    assertEquals(all, samplesOf(input));
  }));

Deno.test("packPointSegments() packs one sample of the largest series there may be", () => {
  const series = [makeSeries("s".repeat(256), "m".repeat(256), { k: "é".repeat(2000) })];
  assertEquals(packPointSegments({ series, seriesOf: [0], timestamps: [1], values: [1 / 3] }).length, 1);
  assertEquals(packPointSegments({ series, seriesOf: [], timestamps: [], values: [] }), []);
});

Deno.test("openPointSegment() refuses damaged bytes or does no harm", () =>
  property(12, (random) => {
    const input = randomColumns(random, 1 + random.below(100));
    const bytes = encodePointSegment(input);
    const read = (damaged: Uint8Array) => {
      const segment = openPointSegment(damaged);
      for (let i = 0; i < segment.seriesCount; i++) {
        segment.series(i);
        segment.rollup(i);
        const { timestamps, values } = segment.columns(i);
        assertEquals(timestamps.length, values.length);
      }
    };
    damage(random, bytes, read, (error) => error instanceof DamagedError);
    assertThrows(() => read(bytes.subarray(0, -1)), DamagedError);
    assertThrows(() => read(Uint8Array.of(...bytes, 0)), DamagedError);
  }));

Deno.test("openPointSegment() does not believe a count that the bytes cannot hold", () => {
  // One series, a constant column: its count alone says how many samples there are.
  const series = [makeSeries("s", "m", {})];
  const bytes = encodePointSegment({ series, seriesOf: [0, 0, 0], timestamps: [1, 2, 3], values: [5, 5, 5] });
  // Samples are the third byte here, after two times; far too many take five bytes.
  const huge = Uint8Array.of(...bytes.subarray(0, 2), 0xff, 0xff, 0xff, 0xff, 0x7f, ...bytes.subarray(3));
  assertThrows(() => openPointSegment(huge), DamagedError);
});
