import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { Code, ConnectError, createSluice } from "../../client/mod.ts";
import { QueryService } from "../../gen/sluice/v1/query_pb.ts";
import { HOUR, MAX_FACET_VALUES, MAX_FACETS } from "../../limits.ts";
import { sharedServer } from "../support/shared_server.ts";
import { badFields } from "../support/wire.ts";

const server = await sharedServer();
const sluice = createSluice({ url: server.url });
const client = createClient(QueryService, createConnectTransport({ baseUrl: server.url }));
const now = Date.now();

Deno.test("SearchLogs: a query finds, highlights, and says where it is wrong", async () => {
  const application = "language";
  await sluice.sendLogs([
    { application, level: "warn", timestamp: now - 2, message: "Slow answer", fields: { ms: "512", path: "/a" } },
    { application, level: "info", timestamp: now - 1, message: "answer", fields: { ms: "12", path: "/b" } },
    { application, level: "error", timestamp: now, message: "no answer at all", fields: { path: "/slow" } },
  ]);
  const search = async (query: string) => (await sluice.searchLogs({ application, query })).hits;
  assertEquals((await search("answer ms:>100")).map(({ entry }) => entry?.message), ["Slow answer"]);
  assertEquals((await search("slow OR level:error")).length, 2);
  assertEquals((await search(`app:Language -slow time:>=${now - 1}`)).map(({ entry }) => entry?.message), ["answer"]);
  const [, hit] = await search("slow");
  assertEquals(hit.highlights.map(({ field, start, end }) => [field, start, end]), [["", 0, 4]]);
  const [other] = await search("slow");
  assertEquals(other.highlights.map(({ field, start, end }) => [field, start, end]), [["path", 1, 5]]);
  const error = await assertRejects(() => search("answer (ms:>fast"), ConnectError);
  assertEquals(error.code, Code.InvalidArgument);
  assertEquals(badFields(error), ["query"]);
  assertStringIncludes(error.message, "expected a number at character 13");
});

Deno.test("LogFacets: counts by application, level and fields, over time", async () => {
  const hour = Math.floor(now / HOUR) * HOUR;
  await sluice.sendLogs(Array.from({ length: 300 }, (_, i) => ({
    application: `facets-${i % 3}`,
    level: ["info", "warn"][i % 2],
    timestamp: hour - (i % 2) * HOUR - 1,
    message: "one of the facets",
    fields: { user: `u${i % 5}`, level: "high" },
  })));
  const answer = await client.logFacets({
    query: "app:facets* -app:facets-2",
    stepMs: BigInt(HOUR),
    facets: ["application", "level", "user", "field:level"],
    values: 3,
  });
  assertEquals(answer.count, 200n);
  const counts = (buckets: typeof answer.buckets) => buckets.map(({ timestamp, count }) => [timestamp, count]);
  assertEquals(counts(answer.buckets), [[BigInt(hour - 2 * HOUR), 100n], [BigInt(hour - HOUR), 100n]]);
  const facets = answer.facets.map(({ name, values, other }) => [
    name,
    values.map(({ value, count }) => `${value} ${count}`),
    other,
  ]);
  assertEquals(facets, [
    ["application", ["facets-0 100", "facets-1 100"], 0n],
    ["level", ["INFO 100", "WARN 100"], 0n],
    ["user", ["u0 40", "u1 40", "u2 40"], 80n],
    ["field:level", ["high 200"], 0n],
  ]);
  assertEquals(counts(answer.facets[1].values[0].buckets), [[BigInt(hour - HOUR), 100n]]);
});

Deno.test("LogFacets: refuses what it cannot count", async () => {
  const wrong: [Parameters<typeof client.logFacets>[0], string][] = [
    [{ facets: Array.from({ length: MAX_FACETS + 1 }, () => "a") }, "facets"],
    [{ facets: [""] }, "facets"],
    [{ facets: ["field:"] }, "facets"],
    [{ values: MAX_FACET_VALUES + 1 }, "values"],
    [{ stepMs: -1n }, "step_ms"],
    [{ from: 2n, to: 1n }, "to"],
    [{ query: "(" }, "query"],
  ];
  for (const [request, field] of wrong) {
    assertEquals(badFields(await assertRejects(() => client.logFacets(request), ConnectError)), [field]);
  }
});

Deno.test("TailLogs: what is committed from its first message on comes, once, to each who follows", async () => {
  const abort = new AbortController();
  const [count, followers] = [5000, 5];
  const found: Promise<string[]>[] = [];
  for (let i = 0; i < followers; i++) {
    const messages = client.tailLogs({ query: "app:tailed" }, { signal: abort.signal })[Symbol.asyncIterator]();
    const { value: first } = await messages.next();
    assertEquals([first.hits.length, first.missed], [0, 0n]);
    found.push((async () => {
      const seen: string[] = [];
      while (seen.length < count) {
        const { value } = await messages.next();
        assertEquals(value.missed, 0n);
        for (const { entry, highlights } of value.hits) {
          seen.push(entry.message);
          assertEquals(highlights.length, 0);
        }
      }
      return seen;
    })());
  }
  const lines = Array.from({ length: count }, (_, i) => ({
    application: i % 2 === 0 ? "tailed" : "other",
    timestamp: now - i,
    message: `line ${i}`,
  }));
  for (let i = 0; i < 2 * count; i += 1000) {
    await sluice.sendLogs([
      ...lines.slice(i / 2, i / 2 + 500),
      ...lines.slice(i / 2, i / 2 + 500).map((line) => ({
        ...line,
        application: line.application === "tailed" ? "other" : "tailed",
      })),
    ]);
  }
  const expected = lines.map(({ message }) => message).sort();
  for (const seen of await Promise.all(found)) assertEquals(seen.sort(), expected);
  abort.abort();
});

Deno.test("TailLogs: says what is wrong with a query before anything comes", async () => {
  const messages = client.tailLogs({ query: "level:loud" })[Symbol.asyncIterator]();
  const error = await assertRejects(() => messages.next(), ConnectError);
  assertEquals([error.code, badFields(error)], [Code.InvalidArgument, ["query"]]);
  assert(error.message.includes("at character 7"));
});
