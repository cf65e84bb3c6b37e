import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import { Code, createSluice, SluiceError, type SluiceEvent, type SluiceOptions } from "../../client/mod.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { numberedPoints, storedOf } from "./buffered_points.ts";

const [A, B] = ["http://a.test", "http://b.test"];

/** How an endpoint answers; `hold` waits until it is released. */
type Mood = "well" | "down" | "draining" | "hold" | "foreign";

/** A client of two endpoints, whose moods and whose time are the test's. */
function twoEndpoints(options: Partial<SluiceOptions> = {}) {
  const mood: Record<string, Mood> = { [A]: "well", [B]: "well" };
  const calls: string[] = [];
  const events: string[] = [];
  const clock = new FakeClock();
  const held: (() => void)[] = [];
  let chance = 0;
  const sluice = createSluice({
    urls: [A, B],
    clock,
    random: () => chance = (chance + 0.5) % 1,
    retry: { baseMs: 1, maxMs: 1, maxFailures: 1000, budget: 1000 },
    async fetch(input) {
      const { origin, pathname } = new URL(String(input));
      calls.push(`${origin.slice(7, 8)}${pathname.includes("Health") ? " health" : ""}`);
      if (mood[origin] === "hold") await new Promise<void>((resolve) => held.push(resolve));
      if (mood[origin] === "down") throw new TypeError("nobody listens");
      if (mood[origin] === "draining") {
        return Response.json({ code: "unavailable", message: "draining" }, { status: 503 });
      }
      if (mood[origin] === "foreign") return new Response("no such page", { status: 404 });
      if (pathname.includes("Health")) return Response.json({ status: "SERVING" });
      return new Response(new Uint8Array(), { headers: { "content-type": "application/proto" } });
    },
    onEvent(event: SluiceEvent) {
      if (event.type === "retry") setTimeout(() => clock.advance(event.waitMs));
      else if (event.type === "state") events.push(event.state);
      else if (event.type === "probe") events.push(`probe ${event.url.slice(7, 8)}: ${event.healthy}`);
      else if ("url" in event) events.push(`${event.type} ${event.url!.slice(7, 8)}`);
    },
    ...options,
  });
  const ask = async (times: number) => {
    for (let i = 0; i < times; i++) await sluice.listSeries();
  };
  return { sluice, ask, mood, calls, events, clock, held };
}

Deno.test("Endpoints: calls are shared, and go to the one with the fewest under way", async () => {
  const { ask, sluice, mood, calls, held } = twoEndpoints();
  await ask(10);
  assertEquals([...calls].sort().join(""), "aaaaabbbbb");
  calls.length = 0;
  mood[A] = "hold";
  const waiting = [sluice.listSeries(), sluice.listSeries(), sluice.listSeries()];
  await until(() => calls.length === 3, 1000);
  const stuck = calls.filter((who) => who === "a").length;
  assertGreater(stuck, 0);
  calls.length = 0;
  await ask(5);
  assertEquals(calls.join(""), "bbbbb");
  held.forEach((release) => release());
  await Promise.all(waiting);
});

Deno.test("Endpoints: one that fails is left alone for a while, one that goes on failing is ejected, probed and restored", async () => {
  const { ask, mood, calls, events, clock, sluice } = twoEndpoints();
  mood[A] = "down";
  await ask(4);
  // It has failed once, and rests.
  assertEquals(calls.filter((who) => who === "a").length, 1);
  for (let i = 0; i < 20; i++) {
    clock.advance(1000);
    await ask(2);
  }
  assertEquals(events.filter((event) => event === "ejected a").length, 1);
  assertEquals(sluice.connection.endpoints.map(({ ejected }) => ejected), [true, false]);
  assertEquals(sluice.connection.state, "ready");
  // From then on nothing but probes goes there, further and further apart.
  assertEquals(calls.filter((who) => who === "a").length, 5);
  assertEquals(events.filter((event) => event === "probe a: false").length, 4);

  mood[A] = "well";
  events.length = calls.length = 0;
  clock.advance(30_000);
  await ask(1);
  await until(() => events.includes("restored a"), 1000);
  assertEquals(events, ["restored a", "probe a: true"]);
  await ask(10);
  assertGreater(calls.filter((who) => who === "a").length, 3);
});

Deno.test("Endpoints: one that drains says so, and is left for the other", async () => {
  const { ask, mood, calls, clock } = twoEndpoints();
  mood[B] = "draining";
  await ask(6);
  assertEquals([calls.filter((who) => who === "b").length, clock.elapsed() <= 1], [1, true]);
});

Deno.test("Endpoints: all of them ejected is an error that says when one is probed; then whichever is well first is used", async () => {
  const { ask, mood, events, clock, sluice } = twoEndpoints({ retry: false });
  mood[A] = mood[B] = "down";
  for (let i = 0; i < 20; i++) await assertRejects(() => ask(1), SluiceError);
  const error = await assertRejects(() => ask(1), SluiceError, "No endpoint answers");
  assertEquals([error.code, error.reason, error.retryable], [Code.Unavailable, "connection", true]);
  assert(error.retryAfterMs! > 0 && error.retryAfterMs! <= 1000, `${error.retryAfterMs}`);
  assertEquals([...new Set(events)].sort(), ["connecting", "ejected a", "ejected b", "transient-failure"]);
  mood[B] = "well";
  clock.advance(error.retryAfterMs!);
  await ask(1);
  assertEquals(sluice.connection.endpoints.map(({ ejected }) => ejected), [true, false]);
  assertEquals(sluice.connection.state, "ready");
});

Deno.test("Endpoints: one that is no server of ours fails no call, and is ejected; if none is one, that is final", async () => {
  const { ask, mood, events, calls, clock, sluice } = twoEndpoints();
  mood[A] = "foreign";
  for (let i = 0; i < 20; i++) {
    await ask(2);
    clock.advance(1000);
  }
  assert(events.includes("ejected a"));
  assertEquals(sluice.connection.state, "ready");
  mood[B] = "foreign";
  calls.length = 0;
  const error = await assertRejects(() => ask(1), SluiceError, "HTTP 404");
  assertEquals([error.reason, error.retryable], ["foreign", false]);
  assertEquals(calls.filter((who) => who === "b").length, 1);
  assertEquals(sluice.connection.state, "transient-failure");
  const only = twoEndpoints({ urls: [A] });
  only.mood[A] = "foreign";
  await assertRejects(() => only.ask(1), SluiceError, "HTTP 404");
  assertEquals([only.calls, only.sluice.connection.state], [["a"], "transient-failure"]);
});

Deno.test("Endpoints: calls that wait for a token count as under way", async () => {
  const token = () => new Promise<string>((resolve) => setTimeout(() => resolve("t"), 5));
  const { sluice, calls } = twoEndpoints({ token, random: () => 0 });
  await Promise.all(Array.from({ length: 10 }, () => sluice.listSeries()));
  assertEquals([...calls].sort().join(""), "aaaaabbbbb");
});

Deno.test("Endpoints: an ejected one is probed also when the machine's time was set back", async () => {
  const { ask, mood, clock, sluice } = twoEndpoints();
  mood[A] = "down";
  for (let i = 0; i < 20; i++) {
    await ask(2);
    clock.advance(1000);
  }
  assert(sluice.connection.endpoints[0].ejected);
  mood[A] = "well";
  const { now } = Date;
  try {
    Date.now = () => now() - 3600_000;
    clock.advance(60_000);
    await ask(2);
    await until(() => !sluice.connection.endpoints[0].ejected, 1000);
  } finally {
    Date.now = now;
  }
});

Deno.test("Endpoints: the only one is never ejected", async () => {
  const { ask, mood, events } = twoEndpoints({ urls: [A], retry: false });
  mood[A] = "down";
  for (let i = 0; i < 20; i++) await assertRejects(() => ask(1), SluiceError);
  assert(!events.includes("ejected a"));
  mood[A] = "well";
  await ask(1);
});

Deno.test("connection.watch() gives each state, and ends with the client", async () => {
  const { sluice, ask, mood } = twoEndpoints({ urls: [A], retry: false });
  const seen: string[] = [];
  const watching = (async () => {
    for await (const state of sluice.connection.watch()) seen.push(state);
  })();
  await new Promise((resolve) => setTimeout(resolve, 10));
  mood[A] = "down";
  await assertRejects(() => ask(1), SluiceError);
  await new Promise((resolve) => setTimeout(resolve, 10));
  mood[A] = "well";
  await ask(1);
  await new Promise((resolve) => setTimeout(resolve, 10));
  sluice.close();
  await watching;
  assertEquals(seen.filter((state) => state !== "connecting"), ["idle", "transient-failure", "ready", "shutdown"]);
});

Deno.test("Two instances over one store, one of them killed and started again: a stream goes on at the other", async () => {
  await using first = await startServer();
  const second = await startServer({ dir: first.dir });
  const listen = second.url.replace("http://", "");
  const events: SluiceEvent[] = [];
  const sluice = createSluice({
    urls: [first.url, second.url],
    retry: { baseMs: 5, maxMs: 50, budget: 1000, budgetPerSecond: 1000 },
    rate: { itemsPerSecond: 10_000 },
    onEvent: (event) => events.push(event),
  });
  let end = false;
  function* endless() {
    for (const point of numberedPoints("failover", 0, 1_000_000)) {
      if (end) return;
      yield point;
    }
  }
  const sending = sluice.sendPoints(endless(), { window: { items: 500 } });
  const used = (url: string, from = 0) => events.slice(from).some((e) => e.type === "receipt" && e.url === url);
  await until(() => used(first.url) && used(second.url), 10_000);
  second.kill("SIGKILL");
  await second.ended;
  await until(() => events.some((event) => event.type === "ejected" && event.url === second.url), 20_000);
  await using again = await startServer({ dir: first.dir, env: { SLUICE_LISTEN: listen } });
  assertEquals(again.url, second.url);
  const restored = () => events.findIndex((event) => event.type === "restored" && event.url === second.url);
  await until(() => restored() >= 0 && used(second.url, restored()), 40_000);
  end = true;
  const { successfulCount } = await sending;
  assertEquals(await storedOf(first.url, "failover"), successfulCount);
});
