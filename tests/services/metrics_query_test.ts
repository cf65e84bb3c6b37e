import { assertEquals } from "@std/assert";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Aggregation, QueryMetricsRequestSchema } from "../../gen/sluice/v1/query_pb.ts";
import { DAY, HOUR, MINUTE } from "../../limits.ts";
import { createMetricsQueries } from "../../services/metrics_query.ts";
import { QuerySlots } from "../../services/query_slots.ts";
import { makeSeries } from "../../store/format/series.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { NEVER, openTestStores } from "../support/stores.ts";

const CALL = { tenant: "t", signal: NEVER };
/** Half past an hour. */
const NOW = Math.floor(Date.now() / DAY) * DAY + 12 * HOUR + 30 * MINUTE;

Deno.test("QueryMetrics: a rate is of the time within retention, however early the range begins", async () => {
  using stores = await openTestStores({ clock: new FakeClock(NOW - 7 * DAY) });
  const { points, clock, retention } = stores;
  const series = [makeSeries("s", "requests", {})];
  const writer = points.writer("t");
  await writer.refused(series);
  const times = [0, MINUTE, 2 * MINUTE].map((ms) => NOW - retention + ms);
  await writer.write({
    series,
    timestamps: Float64Array.from(times),
    ends: Int32Array.of(1, 2, 3),
    seriesOf: new Int32Array(3),
    values: Float64Array.of(0, 100, 360),
  });
  await writer.flush();
  clock.time = NOW;
  const queries = createMetricsQueries({ points, clock, slots: new QuerySlots() });
  const rates = async (range: MessageInitShape<typeof QueryMetricsRequestSchema>) => {
    const request = create(QueryMetricsRequestSchema, {
      ...range,
      metric: "requests",
      aggregations: [Aggregation.RATE],
    });
    const { series } = await queries.queryMetrics(request, CALL);
    const streamed = (await Array.fromAsync(queries.streamMetrics(request, CALL))).flatMap(({ series }) =>
      series ?? []
    );
    assertEquals(streamed, series);
    return series!.flatMap(({ buckets }) => buckets!.map(({ rate }) => rate));
  };
  const whole = 360 / (retention / 1000);
  assertEquals(await rates({ from: BigInt(NOW - retention) }), [whole]);
  assertEquals(await rates({}), [whole]);
  assertEquals(await rates({ from: 1n }), [whole]);
  // Of the first hour, half is past retention.
  assertEquals(await rates({ stepMs: BigInt(HOUR) }), [360 / (30 * 60)]);
});
