import { assertEquals, assertMatch } from "@std/assert";
import { sharedServer } from "../support/shared_server.ts";
import { until } from "../support/until.ts";
import { createCli } from "./command.ts";

const server = await sharedServer();
const now = Date.now();

Deno.test("sluice points: CSV, NDJSON and Prometheus' text; sluice query finds them", async () => {
  await using cli = await createCli(server);
  const rows = Array.from({ length: 1000 }, (_, i) => `${now - i},web-${i % 2},${i},a`);
  await Deno.writeTextFile(`${cli.folder}/p.csv`, `time,host,cli_cpu,zone\n${rows.join("\n")}\n`);
  const ndjson = JSON.stringify({ source: "nd", timestamp: now, metrics: { cli_x: 1.5 }, tags: { a: "b" } });
  await Deno.writeTextFile(`${cli.folder}/p.ndjson`, ndjson);
  const sent = await cli.json(["points", "--tag-columns", "zone", "p.csv", "p.ndjson"]);
  assertEquals(sent.map(({ input, stored, rejected }) => [input, stored, rejected]), [
    ["p.csv", 1000, 0],
    ["p.ndjson", 1, 0],
  ]);
  const scraped = await cli.json(
    ["points", "-f", "prometheus", "-s", "box", "-"],
    '# TYPE cli_y gauge\ncli_y{l="m"} 7\n',
  );
  assertEquals(scraped[0].stored, 1);

  const series = await cli.json([
    "query",
    "cli_cpu",
    "--tag",
    "zone=a",
    "--aggregate",
    "count,max",
    "--quantiles",
    "p50",
  ]);
  assertEquals(series.map(({ source, buckets }) => [source, buckets[0].count, buckets[0].max]), [
    ["web-0", 500, 998],
    ["web-1", 500, 999],
  ]);
  const text = await cli.run(["query", "cli_y", "--source", "box"]);
  assertMatch(text.stdout, /^source +count +min +avg +max +last +tags\nbox +1 +7 +7 +7 +7 +l=m\n$/);
  const byHour = await cli.run(["query", "cli_y", "--step", "1h"]);
  assertMatch(byHour.stdout, /^time +source +count .*\n\d{4}-\S+:00:00\.000Z +box +1 /);
  const listed = await cli.run(["query"]);
  assertMatch(listed.stdout, /^cli_x {2}nd {2}a=b$/m);
  const nothing = await cli.run(["query", "nothing"]);
  assertEquals([nothing.code, nothing.stdout, nothing.stderr], [0, "", "no points\n"]);
});

Deno.test("sluice points: a line that cannot be read ends the sending, or is left out", async () => {
  await using cli = await createCli(server);
  await Deno.writeTextFile(`${cli.folder}/p.csv`, `time,host,cli_z\n${now},a,1\n${now},a,fast\n${now + 1},a,3\n`);
  const ended = await cli.run(["points", "p.csv"]);
  assertEquals(ended.code, 1);
  assertMatch(ended.stderr, /p\.csv: line 3: "cli_z" must be a finite number: current value is "fast"; run again with/);
  assertMatch(
    ended.stderr,
    /--skip-bad to leave .*; a file that is changed is sent from its beg.* --tag-columns.* --source/,
  );
  assertEquals(ended.stdout, "p.csv: 1 stored, 1 lines unreadable\n");
  const asJson = JSON.parse((await cli.run(["--json", "points", "p.csv"])).stdout);
  assertEquals([asJson.input, asJson.stored, asJson.rejected, asJson.unreadable], ["p.csv", 1, 0, 1]);
  // It goes on behind that line: the stream is the same, and has all of it once.
  const skipped = await cli.run(["points", "--skip-bad", "p.csv"]);
  assertMatch(skipped.stderr, /goes on where it was left/);
  const [{ buckets }] = await cli.json(["query", "cli_z"]);
  assertEquals(buckets[0].count, 2);
  assertEquals([skipped.code, skipped.stdout], [1, "p.csv: 2 stored, 1 lines unreadable\n"]);
  const rejected = await cli.run(["points", "-f", "ndjson", "-"], '{"source":"a","timestamp":1,"metrics":{"x":1}}\n');
  assertEquals([rejected.code, rejected.stdout], [1, "standard input: 0 stored, 1 rejected\n"]);
  assertMatch(rejected.stderr, /point 1: timestamp/);
});

Deno.test("sluice logs: plain, NDJSON and logfmt; sluice search finds them", async () => {
  await using cli = await createCli(server);
  const time = new Date(now).toISOString();
  await Deno.writeTextFile(`${cli.folder}/app.log`, `${time} WARN clione slow\n\n${time} INFO clione fast\n`);
  await Deno.writeTextFile(`${cli.folder}/app.json`, `{"level":"error","time":"${time}","msg":"clitwo","user":42}`);
  const sent = await cli.json(["logs", "app.log", "app.json"]);
  assertEquals(sent.map(({ stored }) => stored), [2, 1]);
  const piped = await cli.run(
    ["logs", "-f", "logfmt", "-a", "piped", "-"],
    `ts=${time} level=debug msg=clithree a=b\n`,
  );
  assertEquals([piped.code, piped.stdout], [0, "standard input: 1 stored\n"]);
  const found = await cli.json(["search", "clione", "--level", "warn", "--from", "1h"]);
  assertEquals(found.map(({ application, level, timestamp, message }) => [application, level, timestamp, message]), [
    ["app", "WARN", now, `${time} WARN clione slow`],
  ]);
  const text = await cli.run(["search", "--field", "user=42", "clitwo"]);
  assertEquals(text.stdout, `${time} ERROR app: clitwo  user=42\n`);
  assertEquals((await cli.json(["search", "--application", "piped"])).length, 1);
  assertEquals((await cli.json(["search", "clione", "--limit", "1"])).length, 1);
  const cut = await cli.run(["search", "clione", "--limit", "1"]);
  assertEquals(cut.stderr, "the newest 1; there are more: see --limit, --from\n");
  assertEquals((await cli.run(["search", "clione", "--limit", "2"])).stderr, "");
  const none = await cli.run(["search", "clinothing", "--to", "now"]);
  assertEquals([none.code, none.stdout, none.stderr], [0, "", "no entries\n"]);
});

Deno.test("sluice search: in the language of searches, and --follow shows what comes", async () => {
  await using cli = await createCli(server);
  const time = new Date(now).toISOString();
  const send = (text: string) => cli.json(["logs", "-a", "clisearch", "-"], text);
  await send(`${time} WARN cliquery slow ms=1\n${time} INFO cliquery fast\n`);
  const found = await cli.json(["search", "cliquery (level:warn+ OR nothing) -fast"]);
  assertEquals(found.map(({ level }) => level), ["WARN"]);
  const wrong = await cli.run(["search", "cliquery", "AND"]);
  assertEquals(wrong.code, 2);
  assertMatch(wrong.stderr, /query: expected .* at character/);

  // Of what was given, and not of the query that is made of it.
  const unclear = await cli.run(["search", "--follow", "-a", "x", "ms:>fast"]);
  assertEquals(unclear.code, 2);
  assertMatch(unclear.stderr, /expected a number at character 5, where there is "fast"/);
  assertEquals((await cli.run(["search", "--follow", "a) OR (b"])).code, 2);

  const following = cli.start(["search", "--follow", "-a", "clisearch", "-l", "warn"]);
  await until(() => following.stderr().includes("following"), 10_000);
  await send(`${time} INFO not this one\n${time} ERROR clifollow this one\n`);
  // It is on its way within a second.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  following.kill("SIGINT");
  const { code, stdout, stderr } = await following.outcome;
  assertEquals([code, stdout], [130, `${time} ERROR clisearch: ${time} ERROR clifollow this one\n`]);
  // Run again, it would not go on.
  assertMatch(stderr, /\ninterrupted\n$/);
});

Deno.test("sluice query: --group-by, and rates of counters", async () => {
  await using cli = await createCli(server);
  const begin = Math.floor(now / 60_000) * 60_000 - 600_000;
  const rows = Array.from({ length: 20 }, (_, i) => `h${i % 2},${begin + i * 1000},cliqueries,${10 * i},z${i % 2}`);
  await Deno.writeTextFile(`${cli.folder}/q.csv`, `source,timestamp,metric,value,zone\n${rows.join("\n")}\n`);
  await cli.json(["points", "q.csv"]);
  const range = ["--from", new Date(begin).toISOString(), "--to", new Date(begin + 60_000).toISOString()];
  const { stdout } = await cli.run([
    "query",
    "cliqueries",
    "--group-by",
    "zone",
    "--aggregate",
    "count,increase,rate",
    ...range,
  ]);
  assertMatch(stdout, /10 +180 +3 +zone=z0/);
  assertMatch(stdout, /10 +180 +3 +zone=z1/);
  assertEquals((await cli.run(["query", "cliqueries", "--aggregate", "median"])).code, 2);
});
