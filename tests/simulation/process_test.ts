import { assertEquals } from "@std/assert";
import { MachineClock, Process } from "./process.ts";
import { World } from "./world.ts";

function oneProcess() {
  const world = new World({ seed: 1, faults: false });
  const clock = new MachineClock(world);
  return { world, clock, process: new Process(world, "p", clock) };
}

const QUICK = { there: 1, back: 1 };

Deno.test("Process: what it waits for never comes once it has crashed, and what it sent off may happen", async () => {
  let happened = 0;
  for (let i = 0; i < 100; i++) {
    const { world, process } = oneProcess();
    // The seed is the same: draw differently.
    for (let j = 0; j < i; j++) world.random.next();
    let answered = false;
    process.request("thing", QUICK, () => happened++).then(() => answered = true);
    process.sleep(1).then(() => answered = true);
    process.setTimer(1, () => answered = true);
    process.crash();
    await world.scheduler.complete(() => world.scheduler.sleep(1000));
    assertEquals(answered, false);
  }
  assertEquals(happened > 20 && happened < 80, true, `${happened} of 100 happened`);
});

Deno.test("Process: frozen, it learns of nothing until it is resumed; what it sent off happens", async () => {
  const { world, process } = oneProcess();
  const { scheduler } = world;
  let happened = 0, answered = 0, fired = 0;
  process.request("thing", QUICK, () => happened = scheduler.now).then(() => answered = scheduler.now);
  process.setTimer(5, () => fired = scheduler.now);
  const cancel = process.setTimer(6, () => fired = -1);
  const began = scheduler.now;
  process.freeze();
  await scheduler.complete(() => scheduler.sleep(60_000));
  assertEquals([happened - began, answered, fired], [1, 0, 0]);
  cancel();
  process.resume();
  await scheduler.complete(() => scheduler.sleep(1));
  assertEquals([answered - began, fired - began], [60_000, 60_000]);
});

Deno.test("Process: setting the clock moves the hour and no timer", async () => {
  const { world, clock, process } = oneProcess();
  const before = process.now(), elapsed = process.elapsed();
  clock.offset -= 3_600_000;
  assertEquals([process.now() - before, process.elapsed() - elapsed], [-3_600_000, 0]);
  let fired = 0;
  process.setTimer(10, () => fired = process.elapsed());
  await world.scheduler.complete(() => world.scheduler.sleep(10));
  assertEquals(fired - elapsed, 10);
});
