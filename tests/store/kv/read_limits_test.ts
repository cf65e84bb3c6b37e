import { assertEquals, assertRejects } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { HOUR } from "../../../limits.ts";
import { parseQuery } from "../../../services/log_language/parser.ts";
import { toLogColumns } from "../../../store/format/log_columns.ts";
import { makeSeries } from "../../../store/format/series.ts";
import { NEVER, openTestStores } from "../../support/stores.ts";

Deno.test("LogStore: a question that reads too many entries is refused, with what to do; one that need not, is not", async () => {
  using stores = await openTestStores({ maxRead: 1000 });
  const now = stores.clock.now();
  for (let i = 0; i < 30; i++) {
    const writer = stores.logs.writer("t");
    await writer.write(toLogColumns(Array.from({ length: 50 }, (_, j) => ({
      application: `a${i}`,
      level: 2,
      timestamp: now - i * 1000 - j,
      message: `word ${i}`,
      fields: [["ms", "5"]],
    }))));
    await writer.flush();
  }
  const search = (query: string) =>
    stores.logs.search("t", {
      ...{ where: parseQuery(query, now), from: 0, to: now + HOUR, newestFirst: true, limit: 100, after: undefined },
    }, NEVER);
  const error = await assertRejects(() => search("ms:>10"), ConnectError, "more than 1000 entries");
  assertEquals(error.code, Code.ResourceExhausted);
  assertEquals((await search("word")).hits.length, 100);
  assertEquals((await search("app:a7 ms:<10")).hits.length, 50);
  const counting = { where: parseQuery("ms:<10", now), from: 0, to: now + HOUR, step: 0, facets: [], limit: 10 };
  await assertRejects(() => stores.logs.count("t", counting, NEVER), ConnectError, "more than 1000 entries");
});

Deno.test("PointStore: a query that reads too many samples is refused, with what to do", async () => {
  using stores = await openTestStores({ maxRead: 1000 });
  const now = stores.clock.now();
  for (let i = 0; i < 3; i++) {
    const series = [makeSeries(`s${i}`, "x", {})];
    const writer = stores.points.writer("t");
    await writer.refused(series);
    await writer.write({
      series,
      timestamps: Float64Array.from({ length: 500 }, (_, j) => now - 1000 + j),
      ends: Int32Array.from({ length: 500 }, (_, j) => j + 1),
      seriesOf: new Int32Array(500),
      values: Float64Array.from({ length: 500 }, Math.random),
    });
    await writer.flush();
  }
  // Buckets narrower than a segment: no rollup says what is in them.
  const query = { metric: "x", tags: [], from: 0, to: now + 1, step: 10, quantiles: [] };
  const error = await assertRejects(
    () => stores.points.query("t", query, NEVER),
    ConnectError,
    "more than 1000 samples",
  );
  assertEquals(error.code, Code.ResourceExhausted);
  assertEquals((await stores.points.query("t", { ...query, source: "s1" }, NEVER)).series.length, 1);
});

Deno.test("PointStore: a query that reads too many segments is refused, whether they match or not", async () => {
  using stores = await openTestStores({ maxSegments: 10 });
  const hour = Math.floor(stores.clock.now() / HOUR) * HOUR - 20 * HOUR;
  for (let i = 0; i < 15; i++) {
    const series = [makeSeries("s", "x", {})];
    const writer = stores.points.writer("t");
    await writer.refused(series);
    await writer.write({
      series,
      timestamps: Float64Array.of(hour + i * HOUR),
      ends: Int32Array.of(1),
      seriesOf: Int32Array.of(0),
      values: Float64Array.of(i),
    });
    await writer.flush();
  }
  const query = {
    metric: "x",
    tags: [["no", "such"]] as const,
    from: hour,
    to: hour + 15 * HOUR,
    step: 0,
    quantiles: [],
  };
  for (const tags of [[], query.tags]) {
    const error = await assertRejects(
      () => stores.points.query("t", { ...query, tags }, NEVER),
      ConnectError,
      "more than 10 segments",
    );
    assertEquals(error.code, Code.ResourceExhausted);
  }
  assertEquals((await stores.points.query("t", { ...query, to: hour + 10 * HOUR }, NEVER)).series, []);
});
