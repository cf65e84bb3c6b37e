import { assertAlmostEquals, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { ForeignAnswer, toSluiceError } from "../../client/errors.ts";
import { MAX_RETRY_AFTER_MS } from "../../client/limits.ts";
import { createSluice, type PointInit, SluiceError, type SluiceEvent } from "../../client/mod.ts";
import { Retries, type RetryOptions, RetryPolicy } from "../../client/retry.ts";
import { RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { DataCollectionService } from "../../gen/sluice/v1/data_collection_pb.ts";
import { StreamService } from "../../gen/sluice/v1/stream_pb.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { serveConnect } from "./fake_server.ts";

const POINT: PointInit = { source: "web-1", timestamp: 1, metrics: { cpu: 0.5 } };

const DOWN = new SluiceError("down", { code: Code.Unavailable, reason: "connection" });

/** Retries by a clock that stands still; `random` is as much of a wait as chance leaves. */
function retriesOf(
  options: RetryOptions | false,
  { random = 1, reached = true, ...own }: {
    random?: number;
    reached?: boolean;
    deadlineMs?: number;
    patient?: boolean;
  } = {},
) {
  const clock = new FakeClock();
  const policy = new RetryPolicy(options, clock, () => random);
  policy.reached = reached;
  return { clock, policy, retries: new Retries(policy, own) };
}

/** Fails `count` times, and waits as it is told. */
function waitsOf(count: number, { clock, retries }: ReturnType<typeof retriesOf>, error = DOWN): number[] {
  return Array.from({ length: count }, () => {
    const wait = retries.next(error, false);
    clock.advance(wait);
    return wait;
  });
}

Deno.test("Retries: the longest waits double up to the limit", () => {
  assertEquals(waitsOf(9, retriesOf({})), [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
});

Deno.test("Retries: a wait is any part of the longest, as chance will have it", () => {
  assertEquals(waitsOf(4, retriesOf({}, { random: 0.25 })), [25, 50, 100, 200]);
  assertEquals(waitsOf(4, retriesOf({}, { random: 0 })), [0, 0, 0, 0]);
});

Deno.test("Retries: after progress, waits begin anew", () => {
  const given = retriesOf({});
  waitsOf(5, given);
  given.retries.progress();
  assertEquals([given.retries.failures, waitsOf(2, given)], [0, [100, 200]]);
});

Deno.test("Retries: once the budget is spent, all streams of a client together get its rate", () => {
  const { clock, policy } = retriesOf({ budget: 3, budgetPerSecond: 4 }, { random: 0 });
  const [one, two] = [new Retries(policy, {}), new Retries(policy, {})];
  assertEquals([one, two, one].map((retries) => retries.next(DOWN, false)), [0, 0, 0]);
  assertEquals([two, one, two].map((retries) => retries.next(DOWN, false)), [250, 500, 750]);
  clock.advance(1000);
  assertEquals([one, two].map((retries) => retries.next(DOWN, false)), [0, 250]);
});

Deno.test("Retries: what RetryInfo asks for is waited, unless somebody else is there to be asked", () => {
  const wants = (code: Code, seconds: number) => {
    const error = new ConnectError("busy", code, undefined, [
      { desc: RetryInfoSchema, value: { retryDelay: { seconds: BigInt(seconds) } } },
    ]);
    return new SluiceError("busy", { code, reason: "server", cause: error });
  };
  const next = (error: SluiceError, elsewhere: boolean) => retriesOf({}).retries.next(error, elsewhere);
  assertEquals(next(wants(Code.Unavailable, 15), false), 15_000);
  assertEquals(next(wants(Code.Unavailable, 15), true), 100);
  // The limit is the caller's, wherever it calls.
  assertEquals(next(wants(Code.ResourceExhausted, 15), true), 15_000);
  // What chance has drawn is longer.
  assertEquals(next(wants(Code.Unavailable, 0), false), 100);
});

Deno.test("Retries: what a proxy's Retry-After asks for is waited, whether seconds or a date by its own clock", () => {
  const next = (headers: HeadersInit, code = Code.Unavailable) => {
    const error = toSluiceError(new ForeignAnswer("busy", code, 503, headers));
    return error.retryable && retriesOf({}).retries.next(error, false);
  };
  assertEquals(next({ "retry-after": "15" }), 15_000);
  const [date, after] = ["Fri, 31 Dec 1999 23:59:00 GMT", "Fri, 31 Dec 1999 23:59:30 GMT"];
  assertEquals(next({ date, "retry-after": after }), 30_000);
  assertEquals(next({ date: after, "retry-after": date }), 100);
  const senseless: HeadersInit[] = [{ "retry-after": after }, { "retry-after": "soon" }, { "retry-after": "-5" }, {}];
  for (const without of senseless) {
    assertEquals(next(without), 100);
    assertEquals(next(without, Code.ResourceExhausted), false);
  }
  assertEquals(next({ "retry-after": "15" }, Code.ResourceExhausted), 15_000);
});

Deno.test("Retries: a wait that is asked for ends where patience does; MAX_RETRY_AFTER_MS where there is no end to it", () => {
  const wants = (ms: number) =>
    new SluiceError("busy", { code: Code.Unavailable, reason: "connection", retryable: true, retryAfterMs: ms });
  const day = wants(86_400_000);
  assertStrictEquals(assertThrows(() => retriesOf({ giveUpMs: 3000 }).retries.next(day, false)), day);
  assertEquals(retriesOf({ giveUpMs: 3000 }).retries.next(wants(3000), false), 3000);
  assertThrows(() => retriesOf({}, { reached: false }).retries.next(wants(10_001), false), SluiceError, "busy");
  assertEquals(retriesOf({}, { patient: true }).retries.next(day, false), MAX_RETRY_AFTER_MS);
});

Deno.test("Retries: what may be retried, and what never", () => {
  const retried = new Set([Code.Unavailable, Code.Aborted, Code.DeadlineExceeded]);
  for (const code of Object.values(Code).filter((code) => typeof code === "number")) {
    const error = new SluiceError("refused", { code, reason: "server" });
    assertEquals(error.retryable, retried.has(code), Code[code]);
    if (error.retryable) assertEquals(retriesOf({}).retries.next(error, false), 100);
    else assertStrictEquals(assertThrows(() => retriesOf({}).retries.next(error, false)), error);
  }
});

Deno.test("Retries: giveUpMs is counted from the first of failures in a row", () => {
  const given = retriesOf({ giveUpMs: 1000, baseMs: 300, maxMs: 300 });
  assertEquals(waitsOf(4, given), [300, 300, 300, 300]);
  assertStrictEquals(assertThrows(() => given.retries.next(DOWN, false)), DOWN);
  given.retries.progress();
  // However long nothing failed.
  given.clock.advance(60_000);
  assertEquals(waitsOf(4, given), [300, 300, 300, 300]);
});

Deno.test("Retries: a server that has never answered is given up sooner", () => {
  const given = retriesOf({ giveUpMs: 60_000, firstContactMs: 2000, baseMs: 1000, maxMs: 1000 }, { reached: false });
  assertEquals(waitsOf(2, given), [1000, 1000]);
  assertStrictEquals(assertThrows(() => given.retries.next(DOWN, false)), DOWN);
  given.policy.reached = true;
  assertEquals(given.retries.next(DOWN, false), 1000);
});

Deno.test("Retries: maxFailures counts those in a row; with retry: false the first is the last", () => {
  const given = retriesOf({ maxFailures: 2 });
  waitsOf(2, given);
  assertStrictEquals(assertThrows(() => given.retries.next(DOWN, false)), DOWN);
  assertStrictEquals(assertThrows(() => retriesOf(false).retries.next(DOWN, false)), DOWN);
});

Deno.test("Retries: an overall deadline ends the waiting at once if it comes first", () => {
  const given = retriesOf({ baseMs: 1000, maxMs: 1000 }, { deadlineMs: 2500 });
  assertEquals([given.retries.timeLeft(30_000), given.retries.timeLeft(100)], [2500, 100]);
  assertEquals(waitsOf(2, given), [1000, 1000]);
  const error = assertThrows(() => given.retries.next(DOWN, false), SluiceError);
  assertEquals([error.reason, error.code, error.cause], ["deadline", Code.DeadlineExceeded, DOWN]);
  given.clock.advance(500);
  assertEquals(assertThrows(() => given.retries.timeLeft(1), SluiceError).reason, "deadline");
});

Deno.test("Retries: a patient one gives up for no time and no number of failures, but for what is final", () => {
  const given = retriesOf({ maxFailures: 1, giveUpMs: 10 }, { patient: true });
  waitsOf(50, given);
  const final = new SluiceError("no", { code: Code.InvalidArgument, reason: "server" });
  assertStrictEquals(assertThrows(() => given.retries.next(final, false)), final);
});

/** A server that answers a call only after it has refused some; the client's clock goes as the client waits. */
async function refusing(times: number, error: () => ConnectError, options: { deadlineMs?: number } = {}) {
  let calls = 0;
  await using server = serveConnect((router) => {
    router.service(DataCollectionService, {
      async collectDataPoints(points) {
        if (++calls <= times) throw error();
        let committed = 0;
        for await (const _ of points) committed++;
        return { totalProcessed: committed, successfulCount: committed, committed: BigInt(committed) };
      },
    });
    router.service(StreamService, {
      getStream: () => {
        throw new ConnectError("no such stream", Code.NotFound);
      },
    });
  });
  const clock = new FakeClock();
  const waits: number[] = [];
  const sluice = createSluice({
    url: server.url,
    clock,
    random: () => 0.5,
    ...options,
    onEvent(event: SluiceEvent) {
      if (event.type !== "retry") return;
      waits.push(event.waitMs);
      // Once it waits.
      setTimeout(() => clock.advance(event.waitMs));
    },
  });
  const outcome = await sluice.sendPoints([POINT]).catch((error: SluiceError) => error);
  return { outcome, calls, waits, elapsed: clock.elapsed() };
}

Deno.test("sendPoints() tries again with the waits of its policy", async () => {
  const { outcome, calls, waits, elapsed } = await refusing(6, () => new ConnectError("busy", Code.Unavailable));
  assertEquals(outcome instanceof SluiceError ? outcome.message : outcome.successfulCount, 1);
  assertEquals([calls, waits, elapsed], [7, [50, 100, 200, 400, 800, 1600], 3150]);
});

Deno.test("pointWriter() that has idled for longer than giveUpMs gets over a failure", async () => {
  for (const reached of [true, false]) {
    const clock = new FakeClock();
    let down = false;
    let committed = 0;
    await using server = serveConnect((router) => {
      router.service(DataCollectionService, {
        async collectDataPoints(points) {
          for await (const _ of points) committed++;
          return { committed: BigInt(committed) };
        },
      });
      router.service(StreamService, { getStream: () => ({ stream: { committed: BigInt(committed) } }) });
    });
    const sluice = createSluice({
      url: server.url,
      clock,
      onEvent: (event) => event.type === "retry" && setTimeout(() => clock.advance(event.waitMs)),
      fetch: (input, init) => {
        if (!down) return fetch(input, init);
        down = false;
        return Promise.reject(new TypeError("cut"));
      },
    });
    const writer = sluice.pointWriter();
    if (reached) {
      await writer.write(POINT);
      await writer.flush();
    }
    clock.advance(3600_000);
    down = true;
    await writer.write(POINT);
    assertEquals(await writer.flush(), reached ? 2 : 1);
    await writer.close();
  }
});

Deno.test("sendPoints() waits as long as RetryInfo asks for, with nowhere else to go", async () => {
  const asks = () =>
    new ConnectError("too fast", Code.ResourceExhausted, undefined, [
      { desc: RetryInfoSchema, value: { retryDelay: { seconds: 7n, nanos: 500_000_000 } } },
    ]);
  const { calls, waits } = await refusing(2, asks);
  assertEquals([calls, waits], [3, [7500, 7500]]);
  const without = await refusing(2, () => new ConnectError("too large", Code.ResourceExhausted));
  assertEquals([without.calls, without.waits, (without.outcome as SluiceError).code], [1, [], Code.ResourceExhausted]);
});

Deno.test("sendPoints() ends at its overall deadline, before a wait that would pass it", async () => {
  const busy = () => new ConnectError("busy", Code.Unavailable);
  const { outcome, waits, elapsed } = await refusing(100, busy, { deadlineMs: 5000 });
  assertEquals((outcome as SluiceError).reason, "deadline");
  assertEquals([waits, elapsed], [[50, 100, 200, 400, 800, 1600], 3150]);
});

Deno.test("queryMetrics() is tried again too, and its error says what the server did", async () => {
  let calls = 0;
  const clock = new FakeClock();
  const sluice = createSluice({
    url: "http://127.0.0.1:1",
    clock,
    random: () => 0.5,
    retry: { maxFailures: 3 },
    fetch: () => {
      calls++;
      return Promise.resolve(Response.json({ code: "unavailable", message: "stopping" }, { status: 503 }));
    },
    onEvent: (event) => event.type === "retry" && setTimeout(() => clock.advance(event.waitMs)),
  });
  const error = await assertRejects(() => sluice.queryMetrics({ metric: "cpu" }), SluiceError);
  assertEquals([calls, error.code, error.rawMessage, error.reason], [4, Code.Unavailable, "stopping", "server"]);
  assertAlmostEquals(clock.elapsed(), 50 + 100 + 200);
});
