import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { Random } from "./random.ts";
import { Scheduler } from "./scheduler.ts";

const START = 1000;
const scheduler = (seed = 1) => new Scheduler(new Random(seed), START);

Deno.test("Scheduler runs events in the order of their times, and time stands still between", async () => {
  const s = scheduler();
  const seen: [number, string][] = [];
  for (const [ms, name] of [[30, "c"], [10, "a"], [20, "b"]] as const) s.after(ms, () => seen.push([s.now, name]));
  await s.run(() => seen.length === 3);
  assertEquals(seen, [[1010, "a"], [1020, "b"], [1030, "c"]]);
});

Deno.test("Scheduler lets the seed choose among events of the same moment", async () => {
  const order = async (seed: number) => {
    const s = scheduler(seed);
    const seen: number[] = [];
    for (let i = 0; i < 20; i++) s.after(5, () => seen.push(i));
    await s.run(() => seen.length === 20);
    return seen.join();
  };
  assertEquals(await order(1), await order(1));
  assertNotEquals(await order(1), await order(2));
});

Deno.test("Scheduler runs all that follows from an event before the next one, however deep", async () => {
  const s = scheduler();
  let depth = 0;
  s.after(1, async () => {
    for (let i = 0; i < 10_000; i++) {
      await Promise.resolve();
      depth++;
    }
  });
  let seen = -1;
  s.after(2, () => seen = depth);
  await s.run(() => seen >= 0);
  assertEquals(seen, 10_000);
});

Deno.test("Scheduler.after() can be cancelled", async () => {
  const s = scheduler();
  let called = false;
  s.after(1, () => called = true)();
  await s.complete(() => s.sleep(2));
  assertEquals(called, false);
});

Deno.test("Scheduler.run() throws where nothing can happen any more, or too much does", async () => {
  await assertRejects(() => scheduler().run(() => false), Error, "nothing happens");
  const s = scheduler();
  const again = () => s.after(1, again);
  again();
  await assertRejects(() => s.run(() => false, 100), Error, "no end after 100");
});

Deno.test("Scheduler.complete() gives what the scenario comes to", async () => {
  const s = scheduler();
  assertEquals(await s.complete(() => s.sleep(3_600_000).then(() => s.now)), START + 3_600_000);
  await assertRejects(() => s.complete(() => Promise.reject(new Error("broken"))), Error, "broken");
});

Deno.test("Scheduler keeps its order with many events", async () => {
  const s = scheduler();
  const random = new Random(7);
  const times: number[] = [];
  for (let i = 0; i < 2000; i++) s.after(random.between(0, 500), () => times.push(s.now));
  await s.run(() => times.length === 2000);
  assertEquals(times, times.toSorted((a, b) => a - b));
});

Deno.test("Random is even enough, and equal for equal seeds", () => {
  const random = new Random(42);
  const counts = Array.from({ length: 10 }, () => 0);
  for (let i = 0; i < 100_000; i++) counts[random.between(0, 9)]++;
  for (const count of counts) assertEquals(Math.abs(count - 10_000) < 500, true);
  assertEquals(new Random(3).bytes(100), new Random(3).bytes(100));
  assertNotEquals(new Random(3).bytes(100), new Random(2 ** 40 + 3).bytes(100));
});
