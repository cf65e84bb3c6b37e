import { assert, assertEquals, assertGreater } from "@std/assert";
import { createSluice } from "../../client/mod.ts";
import { DAY, HOUR, MINUTE } from "../../limits.ts";
import { leaseKey } from "../../store/kv/keys.ts";
import { Random } from "../store/format/random.ts";
import { keysIn } from "../support/data_dir.ts";
import { ResumingClient, sleep } from "../support/resuming_client.ts";
import { sendLogs, sendPoints } from "../support/resuming_streams.ts";
import { until } from "../support/until.ts";
import { checkStores } from "./check.ts";
import { logsOf, pointsOf, type Series } from "./content.ts";
import { startShiftedServer } from "./shifted_server.ts";
import { compareStores, differs } from "./verify.ts";

const SENDINGS = 150;

/** What a lease of a dead holder would have the next one wait for. */
async function forgetLease(dir: string): Promise<void> {
  using kv = await Deno.openKv(`${dir}/kv.sqlite`);
  await kv.delete(leaseKey("housekeeping"));
}

Deno.test("compaction that is killed again and again loses nothing, doubles nothing, and ends with a run a day", async () => {
  await using server = await startShiftedServer({ SLUICE_HOUSEKEEPING_SECONDS: "1" });
  const random = new Random(9);
  const client = new ResumingClient({ endpoints: [server.url], random });
  const begin = Math.floor(Date.now() / DAY) * DAY - DAY;
  const points: Series[] = [];
  const logs: Series[] = [];
  for (let i = 0; i < SENDINGS; i += 10) {
    await Promise.all(Array.from({ length: 10 }, async (_, j) => {
      const count = 20 + random.below(200);
      const series = { count, step: 1 + random.below(MINUTE), begin: begin + random.below(20 * HOUR) };
      const [point, log] = [{ ...series, name: `point-${i + j}` }, { ...series, name: `log-${i + j}` }];
      await sendPoints(client, pointsOf(point));
      await sendLogs(client, logsOf(log));
      points.push(point);
      logs.push(log);
    }));
  }
  const sent = { files: [], points, logs, replays: 0 };
  const env = { SLUICE_DATA: server.dir };
  const fresh = async () => (await keysIn(server.dir, "points", "logs")).length;
  const before = await fresh();
  assertGreater(before, SENDINGS);
  // While it is not running, or it would be done at once.
  await server.restart(() => server.shift(2 * DAY));

  const left: number[] = [];
  do {
    // The first round begins after a second.
    await sleep(1000 + random.next() * 150);
    await server.restart(async () => {
      left.push(await fresh());
      await forgetLease(server.dir);
    });
    const comparison = await compareStores(sent, server.url, env);
    assert(!differs(comparison), comparison.wrong.join("\n"));
  } while (left.length < 25 && left.at(-1)! > 0);
  assert(left.length > 3, `compaction was hardly interrupted: ${left.join(", ")}`);

  await until(async () => await fresh() === 0 && (await keysIn(server.dir, "run")).length <= 4, 30_000);
  const sluice = createSluice({ url: server.url });
  for (const { name, count } of points.slice(0, 20)) {
    const { series } = await sluice.queryMetrics({ source: name, metric: "index" });
    assertEquals(Number(series[0].buckets[0].count), count);
  }
  await server.stop();
  const { summary, damage } = await checkStores(env);
  assertEquals(damage, [], summary);
});
