import { assert, assertEquals, assertGreater, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { openFileStore } from "../../client/buffer_files.ts";
import { writeLog } from "../../client/items.ts";
import { createSluice, SluiceError, type SluiceEvent } from "../../client/mod.ts";
import { FieldWriter } from "../../client/writer.ts";
import { RETRY, withServer, write } from "./buffered_clients.ts";
import { numberedPoints, storedOf } from "./buffered_points.ts";
import { envelope } from "./fake_server.ts";

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

Deno.test("A buffered writer saves without a server, and the next one with its buffer sends all of it", async () => {
  await withServer(async ({ url, state, start, client }) => {
    {
      // Disposal does not wait for a server that is not there.
      await using writer = client().pointWriter({ buffer: "sensor-7" });
      await write(writer, "a", 0, 5000);
      await writer.saved();
      assertEquals([writer.waiting, writer.progress.committed], [5000, 0]);
    }
    const second = client().pointWriter({ buffer: "sensor-7" });
    await second.saved();
    assertEquals(second.waiting, 5000);
    await write(second, "a", 5000, 8000);
    assertEquals(await second.suspend(), 8000);

    await using _server = await start();
    const third = client().pointWriter({ buffer: "sensor-7" });
    await write(third, "a", 8000, 9000);
    assertEquals(await third.flush(), 9000);
    assertEquals([third.waiting, await storedOf(url, "a")], [0, 9000]);
    const { streamId } = third;
    assertEquals(await third.suspend(), 0);
    // The same stream goes on, until it is closed.
    const fourth = client().pointWriter({ buffer: "sensor-7" });
    await write(fourth, "a", 9000, 9500);
    await fourth.flush();
    assertEquals(fourth.streamId, streamId);
    const receipt = await fourth.close();
    assertEquals([receipt.successfulCount, receipt.committed, receipt.duplicateCount], [9500, 9500n, 0n]);
    assertEquals(await fourth.close(), receipt);
    const fifth = client().pointWriter({ buffer: "sensor-7" });
    assertEquals((await fifth.close()).committed, 0n);
    assertEquals(await storedOf(url, "a"), 9500);
    assertEquals([...Deno.readDirSync(`${state}/buffer-sensor-7`)].map(({ name }) => name), ["lock"]);
  });
});

Deno.test("A buffered writer goes on by itself when the server comes back, however long that takes", async () => {
  await withServer(async ({ url, start, client }) => {
    // A writer without a buffer would give up at once.
    const sluice = client({ retry: { ...RETRY, maxFailures: 0, giveUpMs: 1, firstContactMs: 1 }, deadlineMs: 1 });
    const writer = sluice.pointWriter({ buffer: "b" });
    await write(writer, "b", 0, 1000);
    await writer.saved();
    for (let i = 1; i <= 3; i++) {
      await using _server = await start();
      assertEquals(await writer.flush(), i * 1000);
      await _server.stop();
      await write(writer, "b", i * 1000, (i + 1) * 1000);
    }
    const closed = writer.close();
    await using _server = await start();
    assertEquals((await closed).committed, 4000n);
    assertEquals(await storedOf(url, "b"), 4000);
  });
});

Deno.test("A buffered writer that has nothing new is closed, and the buffer goes on being one", async () => {
  await withServer(async ({ url, start, client }) => {
    await using _server = await start();
    const first = client().pointWriter({ buffer: "nothing" });
    await write(first, "nothing", 0, 50);
    await first.flush();
    assertEquals(await first.suspend(), 0);
    const receipt = await client().pointWriter({ buffer: "nothing" }).close();
    assertEquals([receipt.committed, receipt.successfulCount], [50n, 50]);
    const later = client().pointWriter({ buffer: "nothing" });
    await write(later, "nothing", 50, 60);
    assertEquals((await later.close()).committed, 10n);
    assertEquals(await storedOf(url, "nothing"), 60);
  });
});

Deno.test("logWriter() with a buffer, and several buffers at once", async () => {
  await withServer(async ({ url, start, client }) => {
    const sluice = client();
    const logs = sluice.logWriter({ buffer: "app", streamName: "app" });
    const writers = ["x", "y", "z"].map((buffer) => sluice.pointWriter({ buffer }));
    for (let i = 0; i < 100; i++) {
      await logs.write({ application: "buffered", timestamp: Date.now(), message: `line ${i}` });
    }
    for (const [i, writer] of writers.entries()) await write(writer, `several-${i}`, 0, 100);
    await Promise.all([logs, ...writers].map((writer) => writer.saved()));
    await using _server = await start();
    assertEquals((await logs.close()).committed, 100n);
    for (const [i, writer] of writers.entries()) {
      await writer.close();
      assertEquals(await storedOf(url, `several-${i}`), 100);
    }
    assertEquals((await sluice.searchLogs({ application: "buffered", pageSize: 200 })).hits.length, 100);
  });
});

Deno.test("A buffer that is full makes the writer wait, and disposal saves what it has taken", async () => {
  await withServer(async ({ url, state, start, client }) => {
    const bufferBytes = 2_000_000;
    const writer = client().pointWriter({ buffer: "full", bufferBytes });
    await writer.saved();
    const bytes = () =>
      [...Deno.readDirSync(`${state}/buffer-full`)].filter(({ name }) => name.endsWith(".items"))
        .reduce((sum, { name }) => sum + Deno.statSync(`${state}/buffer-full/${name}`).size, 0);
    let made = 0;
    let room: Promise<void> | undefined;
    for (const point of numberedPoints("full", 0, 1_000_000)) {
      made++;
      room = writer.write(point);
      if (room === undefined) continue;
      // What waits for the disk gets on; what waits for room does not.
      if (bytes() < bufferBytes - 100_000) await room;
      else if (!await Promise.race([room.then(() => true), delay(500).then(() => false)])) break;
    }
    assert(bytes() <= bufferBytes);
    assertGreater(writer.waiting, 0);
    {
      await using _server = await start();
      await room;
      await write(writer, "full", made, made += 10_000);
      assertEquals(await writer.flush(), made);
      assertEquals(await storedOf(url, "full"), made);
    }
    // What was taken and does not fit in is saved all the same when the writer ends.
    const full = made;
    while (writer.write([...numberedPoints("full", made, ++made)][0]) === undefined);
    assertEquals(await writer.suspend(), made - full);
    await using _server = await start();
    await client().pointWriter({ buffer: "full", bufferBytes }).close();
    assertEquals(await storedOf(url, "full"), made);
  });
});

Deno.test("A buffered writer refuses a bad item and goes on", async () => {
  await withServer(async ({ url, start, client }) => {
    await using _server = await start();
    const writer = client().pointWriter({ buffer: "bad" });
    await write(writer, "bad", 0, 3);
    const bad = () => void writer.write({ source: "bad", timestamp: NaN, metrics: {} });
    assertEquals(assertThrows(bad, SluiceError, "timestamp").reason, "item");
    await write(writer, "bad", 3, 5);
    assertEquals((await writer.close()).committed, 5n);
    assertEquals(await storedOf(url, "bad"), 5);
    assertEquals((await assertRejects(() => writer.saved(), SluiceError)).reason, "closed");
  });
});

Deno.test("An item that no server takes does not get into a buffer; one that is in it is passed over", async () => {
  await withServer(async ({ state, start, client }) => {
    const entryOf = (message: string) => ({ application: "large", timestamp: Date.now(), message });
    const tooLong = entryOf("x".repeat(5 << 20));
    const first = client().logWriter({ buffer: "large" });
    await first.write(entryOf("one"));
    assertEquals(assertThrows(() => void first.write(tooLong), SluiceError, "the limit is 4194304").reason, "item");
    await first.write(entryOf("two"));
    assertEquals(await first.suspend(), 2);
    const batch = new FieldWriter();
    const envelopes = ["three", "x".repeat(5 << 20), "y".repeat(5 << 20), "four"].map((message, i) => {
      batch.start = batch.at;
      writeLog(batch, entryOf(message), i);
      return envelope(0, batch.bytes.slice(batch.start, batch.at));
    });
    const store = await openFileStore(`${state}/buffer-large`, 1 << 20);
    await store.append([{ items: 4, bytes: await new Blob(envelopes).bytes() }]);
    await store.close("all");

    await using _server = await start();
    const refused: string[] = [];
    const onEvent = (event: SluiceEvent) => event.type === "refused" && refused.push(event.error.message);
    const second = client({ onEvent }).logWriter({ buffer: "large" });
    await second.write(entryOf("five"));
    const { committed, indexedCount, errorCount, rejections } = await second.close();
    assertEquals([committed, indexedCount, errorCount], [7n, 5, 2n]);
    assertEquals(rejections.map(({ index }) => index), [3n, 4n]);
    assertEquals(refused.length, 2);
    assertMatch(refused[1], /Item 4: Cannot send an item of 52428\d\d bytes/);
  });
});

Deno.test("A buffer has one owner, one kind and one server", async () => {
  await withServer(async ({ url, client }) => {
    const first = client().pointWriter({ buffer: "one" });
    await write(first, "one", 0, 10);
    await first.saved();
    const refused = async (writer: { saved(): Promise<void>; write(item: never): unknown }, text: RegExp) => {
      const error = await assertRejects(() => writer.saved(), SluiceError);
      assertEquals([error.reason, error.retryable], ["buffer", false]);
      assertMatch(error.message, text);
      assertEquals(assertThrows(() => void writer.write({} as never), SluiceError).message, error.message);
    };
    await refused(client().pointWriter({ buffer: "one" }), new RegExp(`in use by process ${Deno.pid}`));
    await first.suspend();
    await refused(client().logWriter({ buffer: "one" }), /holds 10 items, which are points and not logs/);
    const elsewhere = client({ url: "http://127.0.0.1:1" }).pointWriter({ buffer: "one" });
    await refused(elsewhere, new RegExp(`are for ${url} and not http://127.0.0.1:1`));
    // Whoever was refused has left it as it was.
    await using again = client().pointWriter({ buffer: "one" });
    await again.saved();
    assertEquals(again.waiting, 10);
  });
});

Deno.test("A buffer with nothing in it can be another's", async () => {
  await withServer(async ({ start, client }) => {
    await using _server = await start();
    const points = client().pointWriter({ buffer: "other" });
    await write(points, "other", 0, 10);
    await points.flush();
    await points.suspend();
    const logs = client().logWriter({ buffer: "other" });
    await logs.write({ application: "other", timestamp: Date.now(), message: "x" });
    assertEquals((await logs.close()).committed, 1n);
  });
});

Deno.test("What is no buffer is a TypeError or RangeError", () => {
  const options = { url: "http://127.0.0.1:1" };
  assertThrows(() => createSluice(options).pointWriter({ buffer: "a" }), TypeError, "stateDir");
  const sluice = createSluice({ ...options, stateDir: "/nowhere" });
  for (const buffer of ["", "a/b", "ä", "x".repeat(101)]) {
    assertThrows(() => sluice.logWriter({ buffer }), TypeError, "Cannot use buffer");
  }
  for (const bufferBytes of [0, -1, NaN]) {
    assertThrows(() => sluice.logWriter({ buffer: "a", bufferBytes }), RangeError, "bufferBytes");
  }
});
