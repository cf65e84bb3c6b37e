import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { ConnectError, createSluice } from "../../client/mod.ts";
import { KV_TIMEOUT_MS } from "../../limits.ts";
import { textBytes } from "../support/chunks.ts";
import { type OtlpReceiver, startOtlpReceiver } from "../support/otlp.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const COMMIT = "sluice.kv.commit";
const point = (x: number) => ({ source: "s", timestamp: Date.now(), metrics: { x } });

/** How many operations have been committed, as far as it has been exported. */
const operations = (otlp: OtlpReceiver) => otlp.histogram(`${COMMIT}.operations`).sum;

/** Waits until that many have been, and all that is recorded of them: an export may fall in between. */
async function untilExported(otlp: OtlpReceiver, count: number): Promise<void> {
  const [commits, wait, duration] = ["operations", "wait", "duration"].map((name) => () =>
    otlp.histogram(`${COMMIT}.${name}`)
  );
  await until(() => operations(otlp) >= count && wait().count >= count && duration().count >= commits().count, 10_000);
}

Deno.test("metrics: commits are counted and measured, from what is sent to OTLP", async () => {
  await using otlp = startOtlpReceiver("sluice");
  await using server = await startServer({ env: otlp.env });
  const sluice = createSluice({ url: server.url });
  // One after the other: a commit each, of one operation.
  for (let i = 0; i < 5; i++) await sluice.sendPoints([point(i)]);
  await untilExported(otlp, 5);
  const [commits, mutations, size, wait, duration] = ["operations", "mutations", "size", "wait", "duration"].map((
    name,
  ) => otlp.histogram(`${COMMIT}.${name}`));
  assertEquals([commits, wait.count, duration.count], [{ count: 5, sum: 5, unit: "{operation}" }, 5, 5]);
  // A segment, the stream's record and the count of records each, and the series once.
  assertEquals(mutations, { count: 5, sum: 16, unit: "{mutation}" });
  assertEquals([size.count, size.unit, wait.unit, duration.unit], [5, "By", "s", "s"]);
  assertLess(500, size.sum);
  assertLess(size.sum, 5 * 1024);
  assertLess(0, duration.sum);
  assertLess(duration.sum, 5 * KV_TIMEOUT_MS / 1000);

  // Together they share commits.
  await Promise.all(Array.from({ length: 40 }, (_, i) => sluice.uploadFile(textBytes(10), { name: `${i}.txt` })));
  // Each is a claim and a file.
  await untilExported(otlp, 85);
  assertEquals(operations(otlp), 85);
  assertEquals(otlp.histogram(`${COMMIT}.wait`).count, 85);
  assertLess(otlp.histogram(`${COMMIT}.operations`).count, 85);
  for (const name of ["conflicts", "failures", "settled"]) assertEquals(otlp.counter(`${COMMIT}.${name}`), 0);
});

Deno.test("metrics: commits that fail, and how they were settled", async () => {
  await using otlp = startOtlpReceiver("sluice");
  await using server = await startServer({ env: otlp.env });
  const sluice = createSluice({ url: server.url, retry: false });
  await sluice.sendPoints([point(0)]);
  {
    using other = new DatabaseSync(`${server.dir}/kv.sqlite`);
    other.exec("BEGIN IMMEDIATE");
    await assertRejects(() => sluice.sendPoints([point(1)]), ConnectError);
    other.exec("ROLLBACK");
  }
  await until(() => otlp.counter(`${COMMIT}.settled`), 10_000);
  assertEquals(otlp.counter(`${COMMIT}.failures`), 1);
  assertEquals(otlp.counter(`${COMMIT}.settled`), 1);
  assertEquals(otlp.counter(`${COMMIT}.settled`, "refused"), 1);
  assertEquals(operations(otlp), 1);
  const { count, sum } = otlp.histogram(`${COMMIT}.duration`);
  assertEquals(count, 2);
  assertLess(KV_TIMEOUT_MS / 1000 - 0.01, sum);
});

Deno.test("metrics: damaged values are counted", async () => {
  const dir = await Deno.makeTempDir({ prefix: "sluice-test-" });
  try {
    {
      await using server = await startServer({ dir });
      await createSluice({ url: server.url }).uploadFile(textBytes(10), { name: "a.txt" });
    }
    {
      using kv = await Deno.openKv(`${dir}/kv.sqlite`);
      for await (const { key, value } of kv.list<Uint8Array>({ prefix: ["file"] })) {
        value[value.length - 1] ^= 1;
        await kv.set(key, value);
      }
    }
    await using otlp = startOtlpReceiver("sluice");
    await using server = await startServer({ dir, env: otlp.env });
    const sluice = createSluice({ url: server.url });
    for (let i = 0; i < 2; i++) assertEquals((await sluice.files.list()).files, []);
    await until(() => otlp.counter("sluice.damaged") === 2, 10_000);
    assert(server.stderr().includes("a stored value is damaged"));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
