import { assert, assertEquals, assertGreater, assertLess, assertRejects } from "@std/assert";
import { createHash } from "node:crypto";
import { Code, createSluice, type PointInit, SluiceError, type SluiceEvent, type Way } from "../../client/mod.ts";
import { startProxy } from "../support/proxy.ts";
import { startServer } from "../support/server.ts";
import { Random } from "../store/format/random.ts";

/** So quick that a test with hundreds of failures is over soon. */
const RETRY = { baseMs: 5, maxMs: 50, budget: 1000, budgetPerSecond: 1000 };

function* points(count: number, source: string): Generator<PointInit> {
  const now = Date.now();
  for (let i = 0; i < count; i++) yield { source, timestamp: now - count + i, metrics: { x: i } };
}

async function pointsOf(url: string, source: string): Promise<number> {
  const { series } = await createSluice({ url }).queryMetrics({ source, metric: "x" });
  return series.reduce((sum, { buckets }) => sum + buckets.reduce((all, { count }) => all + Number(count), 0), 0);
}

/** Bytes in which no two chunks are the same. */
function bytesOf(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = 97 + (i * 7 + (i >> 8) + (i >> 16)) % 26;
  return bytes;
}

function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

for (const transport of ["stream", "windows"] as const satisfies Way[]) {
  Deno.test(`Through a network that cuts and loses answers, all arrives exactly once, by ${transport}`, async () => {
    await using server = await startServer();
    const random = new Random(7);
    await using proxy = startProxy({
      port: Number(new URL(server.url).port),
      random,
      // Every connection breaks in the end.
      faults: ["cut", "cut", "lose answers"],
      faultAfter: () => 10_000 + random.below(300_000),
    });
    const retries: SluiceEvent[] = [];
    const sluice = createSluice({
      url: proxy.url,
      transport,
      retry: RETRY,
      callTimeoutMs: 3000,
      onEvent: (event) => event.type === "retry" && retries.push(event),
    });
    const source = `resume-${transport}`;
    const receipt = await sluice.sendPoints(points(60_000, source));
    assertEquals([receipt.successfulCount, receipt.committed], [60_000, 60_000n]);
    assertEquals(await pointsOf(server.url, source), 60_000);

    const data = bytesOf(3_000_000);
    async function* slow() {
      for (let at = 0; at < data.length; at += 100_000) {
        await Promise.resolve();
        yield data.subarray(at, at + 100_000);
      }
    }
    for (const file of [data, slow()]) {
      const { fileId, checksum, totalSize } = await sluice.uploadFile(file, { name: "resume.txt" });
      assertEquals([checksum, totalSize], [sha256(data), BigInt(data.length)]);
      const got = await new Response(sluice.files.download(fileId)).bytes();
      assertEquals(sha256(got), checksum);
    }
    assertGreater(retries.length, 3);
    assertGreater(proxy.cuts(), 1);
  });
}

Deno.test("sendPoints() waits for a server that is stopped, holds its producer meanwhile, and goes on", async () => {
  await using first = await startServer();
  const { port } = new URL(first.url);
  const sluice = createSluice({ url: first.url, retry: { baseMs: 20, maxMs: 100 } });
  let made = 0;
  let stop = false;
  function* endless() {
    for (const point of points(10_000_000, "endless")) {
      if (stop) return;
      made++;
      yield point;
    }
  }
  const sending = sluice.sendPoints(endless(), { window: { bytes: 256 * 1024 } });
  let committed = 0;
  for await (const progress of sending) {
    committed = progress.committed;
    if (committed > 20_000) break;
  }
  await first.stop();
  assertGreater(committed, 0);
  await until(async () => {
    const before = made;
    await new Promise((resolve) => setTimeout(resolve, 300));
    return made === before;
  });
  assertEquals(sluice.connection.state, "transient-failure");
  const paused = made;
  await using _second = await startServer({ dir: first.dir, env: { SLUICE_LISTEN: `127.0.0.1:${port}` } });
  await until(() => made > paused + 10_000);
  stop = true;
  const receipt = await sending;
  assertEquals([receipt.successfulCount, receipt.committed], [made, BigInt(made)]);
  assertEquals(await pointsOf(first.url, "endless"), made);
  assertEquals(sluice.connection.state, "ready");
});

Deno.test("sendPoints() with the streamId of its error goes on where it broke off, and stores nothing twice", async () => {
  await using server = await startServer();
  const sluice = createSluice({ url: server.url });
  function* failing() {
    yield* points(5000, "again");
    throw new RangeError("no more");
  }
  const error = await assertRejects(() => sluice.sendPoints(failing(), { streamName: "a b" }), SluiceError, "no more");
  assertEquals([error.reason, error.committed], ["producer", 5000]);
  assert(error.streamId!.startsWith("a-b-"));
  assert(error.hint.includes(error.streamId!));
  const { streamId } = error;
  const receipt = await sluice.sendPoints(points(8000, "again"), { streamId });
  assertEquals([receipt.successfulCount, receipt.duplicateCount], [8000, 0n]);
  assertEquals(await pointsOf(server.url, "again"), 8000);
  // What is finished has its receipt, whatever comes.
  assertEquals((await sluice.sendPoints([], { streamId })).committed, 8000n);
});

Deno.test("useTransport() changes the way in the middle of a stream, and loses nothing", async () => {
  await using server = await startServer();
  const ways: string[] = [];
  const sluice = createSluice({
    url: server.url,
    onEvent: (event) => (event.type === "transport" || event.type === "call") && ways.push(event.way),
  });
  const sending = sluice.sendPoints(points(30_000, "ways"), { window: { items: 5000 } });
  for await (const { committed } of sending) {
    if (committed >= 10_000 && committed < 20_000) sluice.useTransport("windows");
    else if (committed >= 20_000) sluice.useTransport("stream");
  }
  assertEquals((await sending).successfulCount, 30_000);
  assert(ways.includes("windows") && ways.includes("stream"));
  assertEquals(await pointsOf(server.url, "ways"), 30_000);
});

Deno.test("pointWriter() takes points one by one, flushes, refuses bad ones and closes", async () => {
  await using server = await startServer();
  const sluice = createSluice({ url: server.url });
  const writer = sluice.pointWriter({ streamName: "writer" });
  for (const point of points(10, "writer")) assertEquals(writer.write(point), undefined);
  assertEquals(await writer.flush(), 10);
  assertEquals(await pointsOf(server.url, "writer"), 10);
  try {
    writer.write({ source: "writer", timestamp: NaN, metrics: {} });
    throw new Error("it was taken");
  } catch (error) {
    assert(error instanceof SluiceError);
    assertEquals([error.reason, error.committed], ["item", 10]);
  }
  let waited = 0;
  for (const point of points(300_000, "writer-2")) {
    const room = writer.write(point);
    if (room === undefined) continue;
    waited++;
    await room;
  }
  const receipt = await writer.close();
  assertEquals([receipt.successfulCount, receipt.committed], [300_010, 300_010n]);
  assertGreater(waited, 0);
  assertEquals(await writer.close(), receipt);
  const error = await assertRejects(
    async () => await writer.write({ source: "a", timestamp: 1, metrics: {} }),
    SluiceError,
  );
  assertEquals(error.reason, "closed");

  {
    await using logs = sluice.logWriter();
    await logs.write({ application: "writer", timestamp: Date.now(), message: "one" });
  }
  assertEquals((await sluice.searchLogs({ application: "writer" })).hits.length, 1);
});

Deno.test("close() ends what is under way, and takes no more", async () => {
  await using server = await startServer();
  const sluice = createSluice({ url: server.url });
  async function* waiting() {
    yield* points(10, "closed");
    await new Promise(() => {});
  }
  const sending = sluice.sendPoints(waiting());
  await new Promise((resolve) => setTimeout(resolve, 200));
  sluice.close();
  assertEquals((await assertRejects(() => sending, SluiceError)).reason, "closed");
  assertEquals((await assertRejects(() => sluice.sendPoints([]), SluiceError)).reason, "closed");
  assertEquals(sluice.connection.state, "shutdown");
});

Deno.test("A deadline ends a stream that does not get on", async () => {
  await using server = await startServer();
  const sluice = createSluice({ url: server.url });
  async function* waiting() {
    yield* points(10, "late");
    await new Promise(() => {});
  }
  const error = await assertRejects(() => sluice.sendPoints(waiting(), { deadlineMs: 300 }), SluiceError);
  assertEquals([error.reason, error.code], ["deadline", Code.DeadlineExceeded]);
});

Deno.test("rate limits the items and the bytes of a second", async () => {
  await using server = await startServer();
  for (const rate of [{ itemsPerSecond: 2000 }, { bytesPerSecond: 2000 * 30 }]) {
    for (const transport of ["stream", "windows"] as const) {
      const start = performance.now();
      await createSluice({ url: server.url, rate, transport }).sendPoints(points(1000, "rate"));
      const ms = performance.now() - start;
      assertGreater(ms, 300);
      assertLess(ms, 3000);
    }
  }
});

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!await condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}
