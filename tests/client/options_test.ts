import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { MAX_TIMER_MS, systemClock } from "../../client/clock.ts";
import { createSluice, type PointInit, SluiceError } from "../../client/mod.ts";
import { sharedServer } from "../support/shared_server.ts";

const POINT: PointInit = { source: "options", timestamp: Date.now(), metrics: { x: 1 } };

const MONTH = 30 * 24 * 3600_000;

Deno.test("systemClock.setTimer(): a time that is longer than the platform's timers take is waited in parts, one that is endless never ends", () => {
  const waits: number[] = [];
  const timers: (() => void)[] = [];
  const { setTimeout } = globalThis;
  let calls = 0;
  try {
    globalThis.setTimeout = ((fn: () => void, ms: number) =>
      timers.push(fn) && waits.push(ms)) as unknown as typeof setTimeout;
    systemClock.setTimer(Infinity, () => calls++);
    assertEquals(waits, []);
    systemClock.setTimer(MAX_TIMER_MS + 5, () => calls++);
    systemClock.setTimer(MAX_TIMER_MS, () => calls++);
    timers[0]();
    assertEquals([waits, calls], [[MAX_TIMER_MS, MAX_TIMER_MS, 5], 0]);
    timers[2]();
    assertEquals(calls, 1);
  } finally {
    globalThis.setTimeout = setTimeout;
  }
  // Nothing is left of one that is cancelled.
  systemClock.setTimer(MAX_TIMER_MS + 5, () => calls++)();
});

Deno.test("Times that are endless, or longer than the platform's timers take, are no short ones", async () => {
  const { url } = await sharedServer();
  for (const ms of [Infinity, MONTH]) {
    const sluice = createSluice({ url, callTimeoutMs: ms, deadlineMs: ms, retry: false });
    assertEquals((await sluice.sendPoints([POINT], { window: { ms } })).successfulCount, 1);
    await sluice.listSeries();
  }
});

Deno.test("Bounds with which nothing could be sent, or tried again, are a RangeError", async () => {
  const url = "http://127.0.0.1:1";
  const sluice = createSluice({ url, stateDir: "/nowhere" });
  for (const name of ["bytes", "items", "ms"]) {
    for (const value of [0, -1, NaN]) {
      const window = { [name]: value };
      const error = await assertRejects(async () => await sluice.sendPoints([POINT], { window }), RangeError);
      assertEquals(error.message, `Cannot use window.${name}: it must be above 0, not ${value}`);
      assertThrows(() => sluice.pointWriter({ window }), RangeError, name);
      assertThrows(() => sluice.pointWriter({ window, buffer: "b" }), RangeError, name);
    }
  }
  const cases: [string, number][] = [["budgetPerSecond", 0], ["budgetPerSecond", -1], ["giveUpMs", NaN], [
    "baseMs",
    -1,
  ]];
  for (const [name, value] of cases) {
    assertThrows(() => createSluice({ url, retry: { [name]: value } }), RangeError, `retry.${name}`);
  }
});

Deno.test("A token function that does not answer keeps no call from being cancelled, nor from its time", async () => {
  const { url } = await sharedServer();
  const token = () => new Promise<string>(() => {});
  const sluice = createSluice({ url, token, retry: false });
  const cancelled = () => assertRejects(async () => await sluice.listSeries({}, { signal: AbortSignal.timeout(20) }));
  assertEquals((await cancelled() as SluiceError).reason, "cancelled");
  const late = async () => await sluice.sendPoints([POINT], { deadlineMs: 20 });
  assertEquals((await assertRejects(late, SluiceError)).reason, "deadline");
  const impatient = createSluice({ url, token, retry: false, callTimeoutMs: 20 });
  const error = await assertRejects(() => impatient.listSeries(), SluiceError, "No token came within 20 ms");
  assertEquals([error.reason, error.retryable], ["token", true]);
});

Deno.test("A Sending that is iterated when it is over gives the last progress", async () => {
  const { url } = await sharedServer();
  const sending = createSluice({ url }).sendPoints([POINT, POINT]);
  await sending;
  const seen = await Array.fromAsync(sending, ({ sent, committed }) => [sent, committed]);
  assertEquals(seen, [[2, 2]]);
});

Deno.test("An empty file goes whole through a proxy that wants a length", async () => {
  const { url } = await sharedServer();
  const proxy: typeof fetch = async (input, init) => {
    if (!(init?.body instanceof ReadableStream)) return await fetch(input, init);
    await new Response(init.body).bytes();
    return new Response("Length Required", { status: 411 });
  };
  const sluice = createSluice({ url, fetch: proxy, retry: false });
  const { totalSize } = await sluice.uploadFile(new Uint8Array(), { name: "empty.txt" });
  assertEquals(totalSize, 0n);
});
