import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { DecodedPoints } from "../../decode/points.ts";
import type { DataPointSchema } from "../../gen/sluice/v1/data_collection_pb.ts";
import { DAY, MAX_FUTURE_MS, MAX_NAME_BYTES } from "../../limits.ts";
import { PointColumns } from "../../services/point_columns.ts";
import { timeBounds } from "../../services/time_bounds.ts";
import type { PointBatch, Series } from "../../store/types.ts";
import { Random } from "../store/format/random.ts";
import { decodedPoints } from "../support/points.ts";

type Point = MessageInitShape<typeof DataPointSchema>;

const NOW = Date.UTC(2026, 0, 1);
const BOUNDS = timeBounds(NOW, 7 * DAY);
const good = { source: "s", timestamp: BigInt(NOW), metrics: { m: 1 }, tags: {} };

function judge(points: DecodedPoints): { columns: PointColumns; faults: string[] } {
  const faults: string[] = [];
  const columns = new PointColumns(points, BOUNDS, (i, { field, reason }) => faults.push(`${i} ${field} ${reason}`));
  return { columns, faults };
}

/** The samples of each point of a batch, as `[timestamp, series key, value]`. */
function samples({ series, timestamps, ends, seriesOf, values }: PointBatch): [number, string, number][][] {
  assertEquals([values.length, seriesOf.length, timestamps.length], [ends.at(-1) ?? 0, ends.at(-1) ?? 0, ends.length]);
  return Array.from(ends, (end, i) => {
    const from = i === 0 ? 0 : ends[i - 1];
    return Array.from(values.subarray(from, end), (value, j) => [timestamps[i], series[seriesOf[from + j]].key, value]);
  });
}

Deno.test("PointColumns refuses a bad point, says what is wrong, and keeps the others in their order", () => {
  const wrong: [bad: Partial<Point>, fault: string][] = [
    [{ source: "" }, "source must not be empty"],
    [{ source: "x".repeat(MAX_NAME_BYTES + 1) }, `source must have at most ${MAX_NAME_BYTES} bytes`],
    [{ metrics: {} }, "metrics must have at least one value"],
    [{ metrics: { "": 1 } }, "metrics must not have an empty name"],
    [{ metrics: { a: 1, b: NaN } }, "metrics[b] must be a finite number: current value is NaN"],
    [{ metrics: { a: -Infinity } }, "metrics[a] must be a finite number: current value is -Infinity"],
    [{ tags: { "": "x" } }, "tags must not have an empty key"],
    [{ timestamp: BigInt(NOW + MAX_FUTURE_MS + 1) }, "timestamp must be at most"],
    [{ timestamp: BigInt(NOW - 7 * DAY - 1) }, "timestamp must be within"],
    [{ timestamp: 2n ** 63n - 1n }, "timestamp must be at most"],
    [{ timestamp: -(2n ** 63n) }, "timestamp must be within"],
  ];
  const points = wrong.flatMap(([bad], i) => [{ ...good, metrics: { m: i } }, { ...good, ...bad } as Point]);
  const { columns, faults } = judge(decodedPoints(points));
  assertEquals(faults.length, wrong.length);
  for (const [i, [, fault]] of wrong.entries()) {
    assert(faults[i].startsWith(`${2 * i + 1} ${fault}`), faults[i]);
  }
  assertEquals(samples(columns.batch).map((of) => of.map(([, , value]) => value)), wrong.map((_, i) => [i]));
  const edges = [NOW + MAX_FUTURE_MS, NOW - 7 * DAY].map((t) => ({ ...good, timestamp: BigInt(t) }));
  assertEquals(judge(decodedPoints(edges)).faults, []);
});

Deno.test("PointColumns knows a series again whatever the order of metrics and tags", () => {
  const { columns } = judge(decodedPoints([
    { ...good, metrics: { a: 1, b: 2 }, tags: { x: "1", y: "2" } },
    { ...good, metrics: { b: 3, a: 4 }, tags: { y: "2", x: "1" } },
    { ...good, metrics: { b: 5 }, tags: { y: "2", x: "1" } },
    { ...good, metrics: { b: 6 }, tags: { y: "1", x: "2" } },
  ]));
  assertEquals(Array.from(columns.batch.seriesOf), [0, 1, 1, 0, 1, 2]);
  assertEquals(columns.batch.series.map(({ metric, tags }) => [metric, tags]), [
    ["a", [["x", "1"], ["y", "2"]]],
    ["b", [["x", "1"], ["y", "2"]]],
    ["b", [["x", "2"], ["y", "1"]]],
  ]);
});

Deno.test("PointColumns has no series of points that are all refused", () => {
  const bad = { ...good, metrics: { unseen: NaN } };
  const late = { ...good, source: "late", timestamp: 0n };
  const { columns, faults } = judge(decodedPoints([bad, late, good]));
  assertEquals(faults.length, 2);
  assertEquals(columns.batch.series.map(({ source, metric }) => [source, metric]), [["s", "m"]]);
  assertEquals(samples(judge(decodedPoints([])).columns.batch), []);
});

Deno.test("PointColumns.without() leaves out whole points that have a refused series, by their index as they came", () => {
  const { columns, faults } = judge(decodedPoints([
    { ...good, metrics: { m: 1 } },
    { ...good, metrics: { m: NaN } },
    { ...good, metrics: { m: 2, fresh: 3, other: 4 } },
    { ...good, metrics: { m: 5 } },
    { ...good, metrics: { fresh: 6 } },
  ]));
  assertEquals(faults.length, 1);
  const fresh = columns.batch.series.find(({ metric }) => metric === "fresh")!;
  const refused: [number, Series][] = [];
  const { batch: kept, kept: places } = columns.without(new Set([fresh]), (i, series) => refused.push([i, series]));
  assertEquals(refused, [[2, fresh], [4, fresh]]);
  assertEquals([columns.kept, places], [Int32Array.of(0, 2, 3, 4), Int32Array.of(0, 3)]);
  assertEquals(samples(kept).map((of) => of.map(([, , value]) => value)), [[1], [5]]);
  assertStrictEquals(columns.without(new Set(), () => {}).batch, columns.batch);
  const { batch: all } = columns.without(new Set(columns.batch.series), () => {});
  assertEquals([all.ends.length, all.values.length], [0, 0]);
});

Deno.test("PointColumns says of random points what each of them says alone", () => {
  const random = new Random(11);
  for (let round = 0; round < 50; round++) {
    const points = Array.from({ length: random.below(60) }, (): Point => ({
      source: random.pick(["", "a", "b"]),
      timestamp: BigInt(random.pick([NOW, NOW - 1000, NOW - 30 * DAY])),
      metrics: Object.fromEntries(
        Array.from({ length: random.below(4) }, () => [random.pick(["x", "y", "z"]), random.pick([1, -0, 2.5, NaN])]),
      ),
      tags: random.pick<Record<string, string>>([{}, { k: "v" }, { k: "v", l: "w" }, { l: "w", k: "v" }]),
    }));
    const alone = points.map((point) => judge(decodedPoints([point])));
    const { columns, faults } = judge(decodedPoints(points));
    assertEquals(faults, alone.flatMap(({ faults }, i) => faults.map((fault) => fault.replace(/^0/, String(i)))));
    assertEquals(samples(columns.batch), alone.flatMap(({ columns }) => samples(columns.batch)));
    assertEquals(new Set(columns.batch.series.map(({ key }) => key)).size, columns.batch.series.length);
  }
});
