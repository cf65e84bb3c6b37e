import { assertEquals, assertMatch } from "@std/assert";
import { sharedServer } from "../support/shared_server.ts";
import { until } from "../support/until.ts";
import { createCli } from "./command.ts";

const server = await sharedServer();
const now = Date.now();

Deno.test("sluice delete-points, delete-logs, deletions: what the conditions hold for is gone, and listed", async () => {
  await using cli = await createCli(server);
  const points = ["a", "b"].flatMap((source) =>
    [now - 7_200_000, now].map((timestamp) =>
      JSON.stringify({ source, timestamp, metrics: { gone_cpu: 1, gone_mem: 2 }, tags: { zone: "z" } })
    )
  );
  await cli.json(["points", "-f", "ndjson", "-"], points.join("\n"));
  const counts = async () => {
    const found = await Promise.all(["gone_cpu", "gone_mem"].map((metric) => cli.json(["query", metric])));
    return found.flat().map(({ metric, source, buckets }) => `${metric} ${source} ${buckets[0].count}`);
  };
  await until(async () => (await counts()).length === 4, 5000);
  const [first] = await cli.json(["delete-points", "gone_cpu", "--source", "a", "--to", "1h"]);
  assertEquals(await counts(), ["gone_cpu a 1", "gone_cpu b 2", "gone_mem a 2", "gone_mem b 2"]);
  const second = await cli.run(["delete-points", "--tag", "zone=z", "--source", "b"]);
  assertEquals(second.code, 0);
  assertMatch(
    second.stdout,
    /^\w{26} {2}\S+Z {2}points source=b zone=z {2}gone from every answer, and soon from the disk\n$/,
  );
  assertEquals(await counts(), ["gone_cpu a 1", "gone_mem a 2"]);

  const lines = ["kept", "gone"].map((application) =>
    JSON.stringify({ application: `cli-${application}`, timestamp: now, level: "info", message: "deletable" })
  );
  await cli.json(["logs", "-f", "ndjson", "-"], lines.join("\n"));
  const found = async () => (await cli.json(["search", "deletable"])).map(({ application }) => application);
  await until(async () => (await found()).length === 2, 5000);
  const [third] = await cli.json(["delete-logs", "--application", "cli-gone"]);
  assertEquals(await found(), ["cli-kept"]);

  const ids = (await cli.json(["deletions"])).map(({ id }) => id);
  assertEquals([ids.indexOf(third.id) < ids.indexOf(first.id), ids.includes(first.id)], [true, true]);
  assertEquals((await cli.json(["deletions", "-n", "1"])).length, 1);
});

Deno.test("sluice delete-points, delete-logs: without a condition nothing is deleted", async () => {
  await using cli = await createCli(server);
  const points = await cli.run(["delete-points"]);
  assertEquals([points.code, points.stdout], [2, ""]);
  assertMatch(points.stderr, /name a metric, a source, a tag or a time: nothing was deleted/);
  const logs = await cli.run(["delete-logs"]);
  assertEquals(logs.code, 2);
  assertMatch(logs.stderr, /name an application or a time: nothing was deleted/);
  assertEquals((await cli.run(["delete-points", "cpu", "--from", "now", "--to", "yesterday"])).code, 2);
  const reversed = await cli.run(["delete-points", "cpu", "--from", "1h", "--to", "2h"]);
  assertEquals(reversed.code, 2);
  assertMatch(reversed.stderr, /to/);
});
