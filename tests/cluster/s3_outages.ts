/** The S3 blob store while its server is down, stalls, or does not want it. */
import { assert, assertEquals } from "@std/assert";
import { Code } from "@connectrpc/connect";
import { ulid } from "ulid";
import { type Clock, systemClock } from "../../clock.ts";
import { HOUR, MIB, S3_TIMEOUT_MS } from "../../limits.ts";
import { createS3BlobStore } from "../../store/blob/s3.ts";
import { systemPlatform } from "../../store/platform.ts";
import { bytes, indexOfDifference, read, write } from "../contract/blob_contract.ts";
import { startS3 } from "../support/s3.ts";
import { codeOf, HURRY, open, PacedClock, shared } from "./s3_stores.ts";

Deno.test("S3 that ends in the middle of an upload is UNAVAILABLE in time, and is used again when it is back", async () => {
  await using server = await startS3();
  const clock = new PacedClock();
  const { store, subject } = open(server, { clock });
  const id = ulid();
  const piece = await store.create(id, 1);
  const data = bytes(10 * MIB);
  for (let at = 0; at < data.length; at += MIB) await piece.append(data.subarray(at, at + MIB));
  const { length } = await piece.sync(false);
  assertEquals(length, 8 * MIB);
  await server.stop();
  const began = performance.now();
  await clock.hurry(async () => {
    assertEquals(await codeOf(() => piece.sync(true)), Code.Unavailable);
    assertEquals(await codeOf(() => store.create(ulid(), 1)), Code.Unavailable);
    assertEquals(await codeOf(() => read(store, id, [{ epoch: 1, length }], 0, 10)), Code.Unavailable);
    assertEquals(await codeOf(() => store.remove(id, 1)), Code.Unavailable);
  });
  assert(performance.now() - began < 4 * S3_TIMEOUT_MS / HURRY + 3000);

  await server.start();
  // The writer does not know what became of its last part; the next epoch goes on where it was committed.
  assertEquals(await codeOf(() => piece.append(data)), Code.Unavailable);
  await piece.seal();
  const next = await write(subject, id, 2, data.subarray(length));
  const copy = await read(store, id, [{ epoch: 1, length }, next], 0, data.length);
  assert(indexOfDifference(copy, data) < 0);
});

Deno.test("S3 that is down for less than the deadline costs time only", async () => {
  await using server = await startS3();
  const { store, subject } = open(server);
  const id = ulid();
  const piece = await store.create(id, 1);
  await server.stop();
  await piece.append(bytes(1000));
  const syncing = piece.sync(true);
  await new Promise((resolve) => setTimeout(resolve, 500));
  await server.start();
  assertEquals((await syncing).length, 1000);
  await piece.seal();
  assertEquals(await read(store, id, [{ epoch: 1, length: 1000 }], 0, 1000), bytes(1000));
  await subject.close();
});

Deno.test("S3 that stalls is UNAVAILABLE at the deadline, and is used again when it goes on", async () => {
  await using server = await startS3();
  const clock = new PacedClock();
  const { store, subject } = open(server, { clock });
  const id = ulid();
  const data = bytes(9 * MIB);
  const pieces = [await write(subject, id, 1, data)];
  const piece = await store.create(id, 2);
  // A reader has begun, and is to wait for the rest.
  const reading = store.read(id, pieces, { start: 0, end: data.length })[Symbol.asyncIterator]();
  await reading.next();
  server.signal("SIGSTOP");
  const limit = S3_TIMEOUT_MS / HURRY + 2000;
  await piece.append(bytes(1000));
  const operations: Record<string, () => Promise<unknown>> = {
    create: () => store.create(ulid(), 1),
    sync: () => piece.sync(true),
    remove: () => store.remove(id, 2),
    list: () => Array.fromAsync(store.list()),
    read: async () => {
      while (!(await reading.next()).done);
    },
  };
  for (const [name, operation] of Object.entries(operations)) {
    const began = performance.now();
    assertEquals(await clock.hurry(() => codeOf(operation)), Code.Unavailable, name);
    assert(performance.now() - began < limit, `${name} took ${performance.now() - began} ms`);
  }
  await piece.seal();
  server.signal("SIGCONT");
  assert(indexOfDifference(await read(store, id, pieces, 0, data.length), data) < 0);
  await write(subject, id, 3, bytes(1000));
});

Deno.test("S3 is UNAVAILABLE at once where it refuses the credentials, or has no such bucket", async () => {
  const began = performance.now();
  const config = shared.config("refused");
  for (
    const wrong of [
      { ...config, secretAccessKey: "another" },
      { ...config, accessKeyId: "nobody" },
      { ...config, url: config.url.replace("sluice-test", "sluice-none") },
    ]
  ) {
    const store = createS3BlobStore(wrong, systemPlatform(systemClock));
    assertEquals(await codeOf(() => store.create(ulid(), 1)), Code.Unavailable);
    assertEquals(await codeOf(() => read(store, ulid(), [{ epoch: 1, length: 1 }], 0, 1)), Code.Unavailable);
    assertEquals(await codeOf(() => Array.fromAsync(store.list())), Code.Unavailable);
  }
  assert(performance.now() - began < 5000);
});

Deno.test("S3 that finds our clock wrong is used all the same", async () => {
  let offset = 0;
  const clock: Clock = { ...systemClock, now: () => Date.now() + offset };
  let requests = 0;
  const counting: typeof fetch = (input, init) => {
    requests++;
    return fetch(input, init);
  };
  const { store, subject } = open(shared, { clock, fetch: counting });
  const id = ulid();
  for (const [epoch, jump] of [0, HOUR, -2 * HOUR, 0].entries()) {
    offset = jump;
    const data = bytes(1000, epoch);
    requests = 0;
    const pieces = [await write(subject, id, epoch, data)];
    assertEquals(await read(store, id, pieces, 0, 1000), data);
    // A LIST and a PUT, a LIST and a GET; and one that tells the time.
    assertEquals(requests, epoch === 0 ? 4 : 5);
  }
});
