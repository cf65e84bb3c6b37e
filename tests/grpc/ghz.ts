/**
 * ghz: many client-streaming calls at once, for a while.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { createSluice } from "../../client/mod.ts";
import { startServer } from "../support/server.ts";
import { findTool, outputOf } from "./tools.ts";

const SECONDS = 30;
const CALLS_AT_ONCE = 50;
const POINTS_PER_CALL = 10;

interface Report {
  readonly count: number;
  readonly rps: number;
  readonly statusCodeDistribution: Readonly<Record<string, number>>;
  readonly errorDistribution: Readonly<Record<string, number>>;
}

Deno.test(`ghz: ${CALLS_AT_ONCE} client-streaming calls at once for ${SECONDS} s, no error, all points kept`, async () => {
  await using server = await startServer();
  const points = Array.from({ length: POINTS_PER_CALL }, (_, i) => ({
    source: "ghz",
    timestamp: "{{.TimestampUnixMilli}}",
    metrics: { x: i },
  }));
  const report: Report = JSON.parse(
    await outputOf(await findTool("ghz"), [
      ...["--insecure", "--call", "sluice.v1.DataCollectionService.CollectDataPoints", "-d", JSON.stringify(points)],
      // Otherwise it would cancel the calls that are open at the end, and count them as errors.
      ...["-c", String(CALLS_AT_ONCE), "-z", `${SECONDS}s`, "--duration-stop=wait", "-O", "json"],
      new URL(server.url).host,
    ]),
  );
  console.log(`${report.count} calls, ${report.rps.toFixed(0)} a second`);
  assertEquals(report.statusCodeDistribution, { OK: report.count });
  assertEquals(Object.keys(report.errorDistribution ?? {}), []);
  const { series } = await createSluice({ url: server.url }).queryMetrics({ source: "ghz", metric: "x" });
  assertEquals(Number(series[0].buckets[0].count), report.count * POINTS_PER_CALL);
  assertEquals(server.stderr(), "");
});
