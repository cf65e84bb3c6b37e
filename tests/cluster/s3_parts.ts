/** What the S3 blob store writes, and what it makes of what is there. */
import { assert, assertEquals } from "@std/assert";
import { Code } from "@connectrpc/connect";
import { ulid } from "ulid";
import { MIB, S3_PART_BYTES } from "../../limits.ts";
import { bytes, indexOfDifference, read, write } from "../contract/blob_contract.ts";
import { seededRandom } from "../http2/basics.ts";
import type { S3Server } from "../support/s3.ts";
import { codeOf, open, PacedClock, shared } from "./s3_stores.ts";

/** Names and sizes of a piece's objects. */
async function objectsIn(server: S3Server, prefix: string, id: string, epoch: number): Promise<[string, number][]> {
  const found: [string, number][] = [];
  const dir = `${server.bucketDir}/${prefix}/${id}/${epoch}`;
  try {
    for await (const { name } of Deno.readDir(dir)) found.push([name, (await Deno.stat(`${dir}/${name}`)).size]);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return found.sort();
}

Deno.test("S3 parts are whole appends in objects named by their offsets, and sync(false) leaves what fills none", async () => {
  const { store, prefix } = open(shared);
  const id = ulid();
  const piece = await store.create(id, 3);
  const block = bytes(3 * MIB);
  for (let n = 0; n < 3; n++) await piece.append(block);
  // Three do not fit one part; the first two are one.
  assertEquals((await piece.sync(false)).length, 6 * MIB);
  assertEquals(await objectsIn(shared, prefix, id, 3), [["000000000000", 6 * MIB]]);
  assertEquals((await piece.sync(true)).length, 9 * MIB);
  for (let n = 0; n < 4; n++) await piece.append(bytes(2 * MIB));
  assertEquals((await piece.sync(false)).length, 17 * MIB);
  await piece.append(bytes(1));
  assertEquals((await piece.sync(false)).length, 17 * MIB);
  await piece.seal();
  assertEquals(await objectsIn(shared, prefix, id, 3), [
    ["000000000000", 6 * MIB],
    ["000006291456", 3 * MIB],
    ["000009437184", 8 * MIB],
  ]);
});

Deno.test("S3 takes 64 MiB in appends of any size, and gives them back", async () => {
  const { store, prefix } = open(shared);
  const id = ulid();
  const random = seededRandom(64);
  const data = bytes(64 * MIB);
  const piece = await store.create(id, 1);
  const began = performance.now();
  for (let at = 0; at < data.length;) {
    const end = Math.min(data.length, at + 1 + Math.floor(random() * MIB));
    await piece.append(data.subarray(at, end));
    at = end;
  }
  assertEquals((await piece.sync(true)).length, data.length);
  await piece.seal();
  const written = performance.now();
  const copy = await read(store, id, [{ epoch: 1, length: data.length }], 0, data.length);
  const speed = (ms: number) => `${Math.round(64_000 / ms)} MiB/s`;
  console.log(`      written at ${speed(written - began)}, read at ${speed(performance.now() - written)}`);
  assert(indexOfDifference(copy, data) < 0);
  const objects = await objectsIn(shared, prefix, id, 1);
  assertEquals(objects.reduce((sum, [, size]) => sum + size, 0), data.length);
  assert(objects.every(([, size]) => size <= S3_PART_BYTES) && objects.length <= 10, JSON.stringify(objects));
});

Deno.test("S3 verifies what it is sent: bytes that changed on the way are refused, and sent again", async () => {
  let corrupted = 0;
  const corrupting = (limit: number): typeof fetch => (input, init) => {
    if (init?.method !== "PUT" || corrupted >= limit) return fetch(input, init);
    corrupted++;
    const body = (init.body as Uint8Array<ArrayBuffer>).slice();
    body[body.length >> 1] ^= 4;
    return fetch(input, { ...init, body });
  };
  const data = bytes(100_000);
  const once = open(shared, { fetch: corrupting(1) });
  const id = ulid();
  const pieces = [await write(once.subject, id, 1, data)];
  assertEquals(corrupted, 1);
  assertEquals(await read(once.store, id, pieces, 0, data.length), data);

  const clock = new PacedClock();
  const always = open(shared, { fetch: corrupting(Infinity), clock });
  assertEquals(await clock.hurry(() => codeOf(() => write(always.subject, id, 1, data))), Code.Unavailable);
  assert(corrupted > 2);
  assertEquals(await objectsIn(shared, always.prefix, id, 1), []);
});

Deno.test("S3 writes a part once, though the answers of the first attempts are lost", async () => {
  let lost = 0;
  const losing: typeof fetch = async (input, init) => {
    const answer = await fetch(input, init);
    if (init?.method !== "PUT" || lost >= 2) return answer;
    lost++;
    await answer.body?.cancel();
    throw new TypeError("the connection was reset");
  };
  const { store, subject, prefix } = open(shared, { fetch: losing });
  const id = ulid();
  const data = bytes(100_000);
  const pieces = [await write(subject, id, 1, data)];
  assertEquals(lost, 2);
  assertEquals(await objectsIn(shared, prefix, id, 1), [["000000000000", data.length]]);
  assertEquals(await read(store, id, pieces, 0, data.length), data);
});

Deno.test("S3 refuses a second writer of a piece, whoever comes first, and keeps the bytes of the first", async () => {
  const { store } = open(shared);
  for (const other of [bytes(1000, 2), bytes(999), bytes(1001)]) {
    const id = ulid();
    const [a, b] = [await store.create(id, 1), await store.create(id, 1)];
    await a.append(bytes(1000));
    await a.sync(true);
    await b.append(other);
    assertEquals(await codeOf(() => b.sync(true)), Code.Aborted);
    assertEquals(await codeOf(() => b.append(other)), Code.Aborted);
    await Promise.all([a.seal(), b.seal()]);
    assertEquals(await read(store, id, [{ epoch: 1, length: 1000 }], 0, 1000), bytes(1000));
  }
});

Deno.test("S3 answers DATA_LOSS for a part that is gone or cut, and serves nothing in its place", async () => {
  const { store, prefix } = open(shared);
  const id = ulid();
  const data = bytes(3000);
  const piece = await store.create(id, 1);
  for (let at = 0; at < 3000; at += 1000) {
    await piece.append(data.subarray(at, at + 1000));
    await piece.sync(true);
  }
  await piece.seal();
  const pieces = [{ epoch: 1, length: 3000 }];
  const middle = `${shared.bucketDir}/${prefix}/${id}/1/000000001000`;
  await Deno.truncate(middle, 500);
  for (const [start, end] of [[0, 3000], [1500, 1501], [1999, 2001]]) {
    assertEquals(await codeOf(() => read(store, id, pieces, start, end)), Code.DataLoss);
  }
  await Deno.remove(middle);
  assertEquals(await codeOf(() => read(store, id, pieces, 0, 3000)), Code.DataLoss);
  assertEquals(await read(store, id, pieces, 0, 1000), data.subarray(0, 1000));
  assertEquals(await read(store, id, pieces, 2000, 3000), data.subarray(2000));
});

Deno.test("S3 reads, lists and removes pieces of more parts than a listing has on a page", async () => {
  const { store, prefix } = open(shared);
  const id = ulid();
  const piece = await store.create(id, 1);
  const data = bytes(1100);
  for (let at = 0; at < 1100; at++) {
    await piece.append(data.subarray(at, at + 1));
    await piece.sync(true);
  }
  await piece.seal();
  assertEquals(await read(store, id, [{ epoch: 1, length: 1100 }], 0, 1100), data);
  assertEquals((await Array.fromAsync(store.list())).map(({ blobId, epoch }) => [blobId, epoch]), [[id, 1]]);
  await store.remove(id, 1);
  assertEquals(await Array.fromAsync(store.list()), []);
  assertEquals(await objectsIn(shared, prefix, id, 1), []);
});
