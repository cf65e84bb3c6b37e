import { assert, assertEquals } from "@std/assert";
import { Code } from "@connectrpc/connect";
import { ulid } from "ulid";
import { StreamKind, StreamState } from "../../gen/sluice/v1/stream_pb.ts";
import { FLUSH_MS, MAX_REJECTIONS } from "../../limits.ts";
import { assertCode, begin, clock, committedOf, open, point, points, range, turn } from "../support/collection.ts";
import { until } from "../support/until.ts";

/** Resolves when a call has taken the stream: that raises its epoch. */
const taken = (instance: Awaited<ReturnType<typeof open>>, id: string, epoch: bigint) =>
  until(async () => (await instance.info(id)).epoch === epoch, 5000);

Deno.test("a stream over several calls has one receipt, and ends when sluice-end is reached", async () => {
  using a = await open();
  const id = ulid(begin);
  const first = await a.send(id, [points(0, 3), points(3, 5)]);
  assertEquals([first.committed, first.totalProcessed, first.duplicateCount], [5n, 5, 0n]);
  assertEquals((await a.info(id)).state, StreamState.OPEN);
  const second = await a.send(id, [points(3, 9)], { start: 3, end: 10 });
  assertEquals([second.committed, second.successfulCount, second.duplicateCount], [9n, 9, 2n]);
  const last = await a.send(id, [points(9, 10)], { start: 9, end: 10 });
  assertEquals([last.committed, last.duplicateCount], [10n, 2n]);
  const info = await a.info(id);
  assertEquals([info.state, info.committed, info.end, info.epoch], [StreamState.FINISHED, 10n, 10n, 3n]);
  assertEquals(await a.values(), range(10));
});

Deno.test("a finished stream that is sent again has the same receipt, and stores nothing", async () => {
  using a = await open();
  const id = ulid(begin);
  const sent = [points(0, 2), [point(2, NaN)], points(3, 6)];
  const { processingTimeMs: _, ...receipt } = await a.send(id, sent, { end: 6 });
  const keys = await a.stores.keys();
  for (const options of [{ end: 6 }, {}, { start: 6, end: 6 }]) {
    const batches = "start" in options ? [] : sent;
    const { processingTimeMs: _, ...again } = await a.send(id, batches, options);
    assertEquals(again, receipt);
  }
  assertEquals(await a.stores.keys(), keys);
  assertEquals(await a.values(), [0, 1, 3, 4, 5]);
  assertEquals((await a.info(id)).epoch, 1n);
  // More than it has is no repetition.
  await assertCode(Code.FailedPrecondition, () => a.send(id, [points(6, 7)], { start: 6 }));
  await assertCode(Code.InvalidArgument, () => a.send(id, [], { start: 6, end: 7 }));
});

Deno.test("an empty call ends a stream that has all its items, and one that has none", async () => {
  using a = await open();
  const [id, empty] = [ulid(begin), ulid(begin)];
  await a.send(id, [points(0, 4)]);
  assertEquals((await a.info(id)).state, StreamState.OPEN);
  assertEquals((await a.send(id, [], { start: 4, end: 4 })).committed, 4n);
  assertEquals((await a.info(id)).state, StreamState.FINISHED);
  assertEquals((await a.send(empty, [], { end: 0 })).committed, 0n);
  assertEquals((await a.info(empty)).state, StreamState.FINISHED);
  // Without an end there is nothing to keep.
  const nothing = ulid(begin);
  assertEquals((await a.send(nothing, [])).committed, 0n);
  await assertCode(Code.NotFound, () => a.info(nothing));
});

Deno.test("a gap is OUT_OF_RANGE with what is committed, and an unknown stream begins at 0", async () => {
  using a = await open();
  const id = ulid(begin);
  await a.send(id, [points(0, 2)]);
  const gap = await assertCode(Code.OutOfRange, () => a.send(id, [points(3, 4)], { start: 3 }));
  assert(gap.message.includes("at most 2"), gap.message);
  await assertCode(Code.FailedPrecondition, () => a.send(ulid(begin), [points(1, 2)], { start: 1 }));
  assertEquals(await a.values(), range(2));
});

Deno.test("sluice-end cannot be below what has come, nor change", async () => {
  using a = await open();
  const id = ulid(begin);
  await a.send(id, [points(0, 2)], { end: 5 });
  await assertCode(Code.InvalidArgument, () => a.send(id, [], { start: 2, end: 1 }));
  await assertCode(Code.InvalidArgument, () => a.send(id, [], { start: 2, end: 6 }));
  const error = await assertCode(
    Code.InvalidArgument,
    () => a.send(id, [points(2, 5), points(5, 6)], { start: 2, end: 5 }),
  );
  // What came before the item too many is durable, and said to be.
  assertEquals(committedOf(error), 5);
  assertEquals(await a.values(), range(5));
  // The end holds for calls that do not repeat it.
  const other = ulid(begin);
  await a.send(other, [points(10, 12)], { end: 3 });
  await assertCode(Code.InvalidArgument, () => a.send(other, [points(12, 14)], { start: 2 }));
  assertEquals((await a.send(other, [points(12, 13)], { start: 2 })).committed, 3n);
  assertEquals((await a.info(other)).state, StreamState.FINISHED);
});

Deno.test("an id that is used again for something else is ALREADY_EXISTS, and nothing changes", async () => {
  using a = await open();
  const id = ulid(begin);
  await a.send(id, [points(0, 3)]);
  const before = await a.info(id);
  for (const other of [point(0, 7), { ...point(0), source: "t" }, { ...point(0), tags: {} }]) {
    await assertCode(Code.AlreadyExists, () => a.send(id, [[other]]));
  }
  assertEquals(await a.info(id), before);
  // The order of map entries is no content.
  const [q, r] = [ulid(begin), { q: 1, r: 2 }];
  await a.send(q, [[{ ...point(0), metrics: r }]]);
  assertEquals((await a.send(q, [[{ ...point(0), metrics: { r: 2, q: 1 } }]])).duplicateCount, 1n);
  const log = ulid(begin);
  await a.sendLogs(log, ["info", "warn"]);
  await assertCode(Code.AlreadyExists, () => a.sendLogs(log, ["warn", "warn"]));
  assertEquals((await a.sendLogs(log, ["info", "warn"])).duplicateCount, 2n);
});

Deno.test("ids of different methods have nothing to do with each other", async () => {
  using a = await open();
  const id = ulid(begin);
  await a.send(id, [points(0, 3)], { end: 3 });
  assertEquals((await a.sendLogs(id, ["info"])).committed, 1n);
  assertEquals([(await a.info(id)).committed, (await a.info(id, StreamKind.LOGS)).committed], [3n, 1n]);
});

Deno.test("counts and rejections are the stream's: refused and filtered items are numbered by sequence", async () => {
  using a = await open();
  const id = ulid(begin);
  await a.send(id, [[point(0), point(1, NaN)], [point(2, NaN), point(3)]]);
  const receipt = await a.send(id, [[point(3), point(4, NaN), point(5)]], { start: 3, end: 6 });
  assertEquals(receipt.rejections?.map(({ index }) => index), [1n, 2n, 4n]);
  assertEquals(
    [receipt.totalProcessed, receipt.successfulCount, receipt.errorCount, receipt.duplicateCount],
    [6, 3, 3, 1n],
  );
  assertEquals(await a.values(), [0, 3, 5]);

  const log = ulid(begin);
  await a.sendLogs(log, ["debug", "info", "loud", "debug"]);
  const logged = await a.sendLogs(log, ["loud", "error", "debug", "debug"], { start: 4, end: 8 });
  assertEquals([logged.totalReceived, logged.indexedCount, logged.filteredCount, logged.errorCount], [8, 2, 4n, 2n]);
  assertEquals(logged.rejections?.map(({ index }) => index), [2n, 4n]);
});

Deno.test("a stream of refused items alone moves on, and keeps no more than MAX_REJECTIONS of them", async () => {
  using a = await open();
  const id = ulid(begin);
  const bad = Array.from({ length: 150 }, (_, i) => point(i, NaN));
  for (const start of [0, 150, 300]) await a.send(id, [bad], { start });
  const info = await a.info(id);
  assertEquals(info.committed, 450n);
  const receipt = info.result?.case === "points" ? info.result.value : undefined;
  assertEquals([receipt?.errorCount, receipt?.rejections?.length], [450, MAX_REJECTIONS]);
  assertEquals(await a.values(), []);
});

Deno.test("two calls on one stream: the newer one goes on, the older one is ABORTED, and no item is there twice", async () => {
  using a = await open();
  using b = await open({ db: a.stores.db });
  const id = ulid(begin);
  await a.send(id, [points(0, 2)]);
  const older = a.call(id, { start: 2 });
  older.push(points(2, 4));
  await taken(a, id, 2n);
  // Another instance has been asked to go on from 2: what the older call holds is not durable.
  const newer = await b.send(id, [points(2, 5)], { start: 2 });
  assertEquals(newer.committed, 5n);
  older.push(points(4, 6));
  older.push();
  const error = await assertCode(Code.Aborted, () => older.receipt);
  assertEquals(committedOf(error), 2);
  assertEquals(await a.values(), range(5));
});

Deno.test("one that loses its stream does not take the others of its group with it", async () => {
  using a = await open();
  using b = await open({ db: a.stores.db });
  const ids = range(12).map(() => ulid(begin));
  for (const [i, id] of ids.entries()) await a.send(id, [points(i * 10, i * 10 + 2)]);
  const calls = ids.map((id, i) => {
    const call = a.call(id, { start: 2 });
    call.push(points(i * 10 + 2, i * 10 + 4));
    return call;
  });
  for (const id of ids) await taken(a, id, 2n);
  for (const i of [3, 7]) await b.send(ids[i], [points(i * 10 + 2, i * 10 + 3)], { start: 2 });
  for (const call of calls) call.push();
  for (const [i, call] of calls.entries()) {
    if (i === 3 || i === 7) await assertCode(Code.Aborted, () => call.receipt);
    else assertEquals((await call.receipt).committed, 4n);
  }
  const expected = range(12).flatMap((i) => range(i === 3 || i === 7 ? 3 : 4).map((j) => i * 10 + j));
  assertEquals(await a.values(), expected);
});

Deno.test("two calls that begin the same stream at once: one of them is ABORTED", async () => {
  using a = await open();
  using b = await open({ db: a.stores.db });
  const id = ulid(begin);
  const results = await Promise.allSettled([a.send(id, [points(0, 4)]), b.send(id, [points(0, 6)])]);
  assertEquals(results.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  assert((await a.values()).length === 4 || (await a.values()).length === 6);
  const { committed } = await a.info(id);
  await b.send(id, [points(Number(committed), 8)], { start: Number(committed), end: 8 });
  assertEquals(await a.values(), range(8));
});

Deno.test("a commit whose answer is lost leaves neither a gap nor a double", async () => {
  let lose = 0;
  using a = await open({
    wrap: (kv) => ({
      get: (...args) => kv.get(...args),
      getMany: (...args) => kv.getMany(...args),
      list: (...args) => kv.list(...args),
      atomic() {
        const operation = kv.atomic();
        const commit = operation.commit.bind(operation);
        operation.commit = async () => {
          const result = await commit();
          // As a remote KV does after a resend: its own commit is reported as a conflict.
          return lose > 0 && lose-- > 0 ? { ok: false } : result;
        };
        return operation;
      },
    }),
  });
  const id = ulid(begin);
  for (let at = 0; at < 40; at += 4) {
    lose = at % 3;
    const receipt = await a.send(id, [points(at, at + 2), points(at + 2, at + 4)], { start: at });
    assertEquals(receipt.committed, BigInt(at + 4));
  }
  assertEquals(await a.values(), range(40));
});

Deno.test("whoever asks for a stream whose call is breaking off is told what that leaves durable", async () => {
  let gate = Promise.resolve();
  using a = await open({
    wrap: (kv) => ({
      get: (...args) => kv.get(...args),
      getMany: (...args) => kv.getMany(...args),
      list: (...args) => kv.list(...args),
      atomic() {
        const operation = kv.atomic();
        const commit = operation.commit.bind(operation);
        operation.commit = () => gate.then(commit);
        return operation;
      },
    }),
  });
  const id = ulid(begin);
  await a.send(id, [points(0, 2)]);
  const stop = new AbortController();
  const cut = a.call(id, { start: 2 }, stop.signal);
  cut.push(points(2, 9));
  await taken(a, id, 2n);
  await turn();
  const store = Promise.withResolvers<void>();
  gate = store.promise;
  stop.abort(new RangeError("the line is cut"));
  cut.push(points(9, 10));
  await turn();
  const asked = a.info(id);
  for (let i = 0; i < 10; i++) await turn();
  store.resolve();
  assertEquals((await asked).committed, 9n);
  await a.send(id, [points(9, 12)], { start: 9 });
  assertEquals(await a.values(), range(12));
});

Deno.test("a call that breaks off says how far the stream is durable", async () => {
  using a = await open();
  const id = ulid(begin);
  const abort = new AbortController();
  const call = a.send(id, [points(0, 5), [{ ...point(5), metrics: {} }], points(6, 9)], {}, abort.signal);
  assertEquals((await call).committed, 9n);
  async function broken() {
    const stop = new AbortController();
    const opened = a.call(id, { start: 9 });
    opened.push(points(9, 11));
    await taken(a, id, 2n);
    await turn();
    stop.abort();
    return opened;
  }
  const opened = await broken();
  // The timer commits what waits.
  clock.advance(FLUSH_MS);
  for (let i = 0; i < 100 && (await a.info(id)).committed! < 11n; i++) await turn();
  assertEquals((await a.info(id)).committed, 11n);
  opened.push();
  await opened.receipt;
});
