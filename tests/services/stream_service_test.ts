import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { Code } from "@connectrpc/connect";
import { ulid } from "ulid";
import { StreamKind, StreamStatusSchema } from "../../gen/sluice/v1/stream_pb.ts";
import { DAY, MAX_STREAM_AHEAD_MS } from "../../limits.ts";
import { createStreamService } from "../../services/streams.ts";
import { streamCountKey, streamKey } from "../../store/kv/keys.ts";
import { assertCode, begin, clock, open, point, points, range, turn } from "../support/collection.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { NEVER } from "../support/stores.ts";

Deno.test("streams from the future, and those older than records live, are refused", async () => {
  using a = await open();
  const now = clock.now();
  const ahead = now + MAX_STREAM_AHEAD_MS;
  await assertCode(Code.InvalidArgument, () => a.send(ulid(ahead + 1), [points(0, 1)], { beganAt: ahead + 1 }));
  assertEquals((await a.send(ulid(ahead), [points(0, 1)], { beganAt: ahead })).committed, 1n);
  const old = now - 7 * DAY;
  await assertCode(Code.FailedPrecondition, () => a.send(ulid(old), [points(1, 2)], { beganAt: old }));
  assertEquals((await a.send(ulid(old + 1), [points(1, 2)], { beganAt: old + 1 })).committed, 1n);
});

Deno.test("a stream is never begun anew: not after its record's lifetime, nor when the clock goes back", async () => {
  const clock = new FakeClock();
  using a = await open({ clock });
  const beganAt = clock.now();
  const ids = range(25).map(() => ulid(beganAt));
  for (const [i, id] of ids.entries()) await a.send(id, [[point(i)]], { beganAt, end: 1 });
  const again = () =>
    Promise.all(ids.map((id, i) => assertCode(Code.FailedPrecondition, () => a.send(id, [[point(i)]], { beganAt }))));
  clock.time += 7 * DAY;
  // Its record is still there, but has expired.
  await again();
  await a.stores.keepHouse();
  assertEquals((await a.stores.kv.get(streamKey("t", "points", ids[0]))).value, null);
  await again();
  clock.time -= 7 * DAY;
  await again();
  clock.time -= 10 * DAY;
  await assertCode(Code.InvalidArgument, () => a.send(ids[0], [[point(0)]], { beganAt }));
  // Others may begin.
  clock.time += 10 * DAY + 1;
  assertEquals((await a.send(ulid(clock.now()), [[point(99)]], { beganAt: clock.now() })).committed, 1n);
});

Deno.test("a stream that was looked for before its record came and went does not begin", async () => {
  const clock = new FakeClock();
  using a = await open({ clock });
  const beganAt = clock.now();
  const id = ulid(beganAt);
  const stream = { id, beganAt, start: 0, end: undefined };
  const late = await a.stores.streams.open("t", "points", stream);
  const bystander = a.call(ulid(beganAt + 1), { beganAt: beganAt + 1 });
  await a.send(id, [[point(0)]], { beganAt, end: 1 });
  clock.time += 7 * DAY;
  await a.stores.keepHouse();
  clock.time -= 7 * DAY;
  await late.take();
  const writer = a.stores.points.writer("t", late);
  const none = { series: [], seriesOf: new Int32Array(0), values: new Float64Array(0) };
  const empty = { ...none, timestamps: new Float64Array(0), ends: new Int32Array(0) };
  await writer.write(empty, { first: 0, count: 1, kept: new Int32Array(0), refused: [] });
  await assertCode(Code.Unavailable, () => writer.flush());
  bystander.push();
  await bystander.receipt;
  await assertCode(Code.FailedPrecondition, () => a.send(id, [[point(0)]], { beganAt }));
});

Deno.test("a tenant has so many streams and no more, until they expire", async () => {
  const clock = new FakeClock();
  using a = await open({ clock, maxStreams: 20 });
  const beganAt = clock.now();
  for (let i = 0; i < 20; i++) await a.send(ulid(beganAt), [[point(i)]], { beganAt, end: 1 });
  const error = await assertCode(Code.ResourceExhausted, () => a.send(ulid(beganAt), [[point(20)]], { beganAt }));
  assertEquals(error.details.filter((d) => "desc" in d && d.desc !== StreamStatusSchema), []);
  clock.time += 7 * DAY;
  await a.stores.keepHouse();
  const { value } = await a.stores.db.get<Deno.KvU64>(streamCountKey("t"));
  assertEquals(value?.value, 0n);
  const now = clock.now();
  assertEquals((await a.send(ulid(now), [[{ ...point(0), timestamp: BigInt(now) }]], { beganAt: now })).committed, 1n);
});

Deno.test("listStreams() pages by id, and knows the unfinished ones", async () => {
  using a = await open();
  const ids = range(25).map((i) => `s-${String(i).padStart(2, "0")}-${ulid(begin)}`);
  for (const [i, id] of ids.entries()) await a.send(id, [points(i, i + 1)], i % 2 ? { end: 1 } : {});
  const list = async (open: boolean) => {
    const found: string[] = [];
    let pageToken = "";
    do {
      const request = { kind: StreamKind.POINTS, open, pageSize: 7, pageToken } as Parameters<
        typeof a.service.listStreams
      >[0];
      const page = await a.service.listStreams(request, { tenant: "t", signal: NEVER });
      found.push(...page.streams!.map(({ streamId }) => streamId!));
      pageToken = page.nextPageToken!;
    } while (pageToken);
    return found;
  };
  assertEquals(await list(false), ids);
  assertEquals(await list(true), ids.filter((_, i) => i % 2 === 0));
});

Deno.test("watchStreams() tells the rates of what moves", async () => {
  const clock = new FakeClock();
  using a = await open({ clock });
  const id = ulid(begin);
  await a.send(id, [points(0, 10)], { beganAt: begin });
  const request = { kind: StreamKind.UNSPECIFIED, streamId: "", intervalMs: 0 };
  const abort = new AbortController();
  const watch = createStreamService({ streams: a.stores.streams, clock }).watchStreams(
    request as Parameters<typeof a.service.watchStreams>[0],
    { tenant: "t", signal: abort.signal },
  );
  const [first, ...others] = (await watch.next()).value!.streams!;
  assertEquals([first.stream!.streamId, first.stream!.committed, others.length], [id, 10n, 0]);
  await a.send(id, [points(10, 40)], { start: 10, beganAt: begin });
  const second = watch.next();
  await turn();
  clock.advance(2000);
  const [progress] = (await second).value!.streams!;
  assertAlmostEquals(progress.itemsPerSecond!, 15, 1e-9);
  assert(progress.bytesPerSecond! > 15 * 18);
  abort.abort(new RangeError("enough"));
  await assertRejects(() => watch.next(), RangeError, "enough");
});

Deno.test("GetStream and ListStreams refuse what is no id or kind", async () => {
  using a = await open();
  for (const id of ["", "x", `${ulid(begin)}x`, `é${ulid(begin)}`, `${"x".repeat(101)}${ulid(begin)}`]) {
    await assertCode(Code.InvalidArgument, () => a.info(id));
  }
  await assertCode(Code.InvalidArgument, () => a.info(ulid(begin), StreamKind.UNSPECIFIED));
  await assertCode(Code.NotFound, () => a.info(ulid(begin)));
});
