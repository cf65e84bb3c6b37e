/**
 * What rollups of hours bring: a metric of 100 machines, a sample each 10 s for 30 days, asked about as a whole:
 * `deno task bench:scale:dense`. The same question by 30 minutes is answered from samples.
 *
 * @module
 */
import { Aggregation, createSluice, type PointInit } from "../../client/mod.ts";
import { DAY, HOUR, MINUTE } from "../../limits.ts";
import { startServer } from "../../tests/support/server.ts";
import { Random } from "../../tests/store/format/random.ts";
import { beginOf } from "./data.ts";
import { daysToCompact } from "./left.ts";
import { askOften, sizeOf, table } from "./measure.ts";

const DAYS = 30;
const SOURCES = 100;
const EVERY_MS = 10_000;
const TIMES = 20;
const dir = await Deno.makeTempDir({ prefix: "sluice-dense-" });
const begin = beginOf(Date.now(), DAYS);
const end = begin + DAYS * DAY;
const env = { SLUICE_RETENTION_DAYS: String(DAYS + 2), SLUICE_COLD_HOURS: "0" };

function* points(): Generator<PointInit> {
  const random = new Random(1);
  for (let timestamp = begin; timestamp < end; timestamp += EVERY_MS) {
    for (let source = 0; source < SOURCES; source++) {
      const cpu = Math.round((50 + 40 * Math.sin(timestamp / 1e7 + source) + random.next() * 5) * 10) / 10;
      yield { source: `host-${source}`, timestamp, metrics: { cpu }, tags: { rack: `r${source % 5}` } };
    }
  }
}

/** Reads all samples. */
const byRack = (step: number) => ({
  ...{ metric: "cpu", groupBy: ["rack"], from: BigInt(begin), to: BigInt(end), stepMs: BigInt(step) },
  aggregations: [Aggregation.AVG, Aggregation.MAX],
});

try {
  let samples = 0;
  {
    await using server = await startServer({ dir, env: { ...env, SLUICE_HOUSEKEEPING_SECONDS: "86400" } });
    using sluice = createSluice({ url: server.url });
    samples = (await sluice.sendPoints(points())).successfulCount;
    console.log(`${samples} samples of ${SOURCES} series, ${DAYS} days`);
  }
  {
    await using _server = await startServer({ dir, env: { ...env, SLUICE_HOUSEKEEPING_SECONDS: "1" } });
    while (await daysToCompact(dir) > 0) await new Promise((resolve) => setTimeout(resolve, 2000));
    console.log(`${((await sizeOf(`${dir}/blobs`)) / samples).toFixed(2)} bytes a sample in runs`);
  }
  await using server = await startServer({ dir, env: { ...env, SLUICE_HOUSEKEEPING_SECONDS: "86400" } });
  using sluice = createSluice({ url: server.url });
  const rows = [];
  for (const [name, step] of [["1 d", DAY], ["1 h", HOUR], ["30 min", 30 * MINUTE]] as const) {
    rows.push(
      await askOften(`all series by rack, ${DAYS} d by ${name}`, TIMES, async () => {
        const { series } = await sluice.queryMetrics(byRack(step));
        return series.reduce((sum, { buckets }) => sum + buckets.length, 0);
      }),
    );
  }
  console.log(table(rows));
} finally {
  await Deno.remove(dir, { recursive: true });
}
