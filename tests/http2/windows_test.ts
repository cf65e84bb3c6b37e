import { assert, assertEquals, assertThrows } from "@std/assert";
import { createMemoryBudget, MemoryBudgetError, RateBudget } from "../../http2/budget.ts";
import { ConnectionError } from "../../http2/errors.ts";
import { ReceiveWindow } from "../../http2/windows.ts";
import { seededRandom } from "./support.ts";

const bounds = { initial: 1_000, min: 500, max: 8_000 };

Deno.test("ReceiveWindow.grant() doubles for a fast reader and halves for a slow one, within bounds", () => {
  const window = new ReceiveWindow(bounds, 0);
  const turn = (now: number) => {
    const bytes = window.available;
    assert(window.receive(bytes));
    window.consume(bytes);
    return window.grant(now, false);
  };
  assertEquals([turn(10), turn(20), turn(30), turn(40), turn(50)], [2_000, 4_000, 8_000, 8_000, 8_000]);
  const sizes = [20_000, 40_000, 60_000, 80_000, 100_000].map((now) => (turn(now), window.size));
  assertEquals(sizes, [4_000, 2_000, 1_000, 500, 500]);
});

Deno.test("ReceiveWindow.grant() gives credit when data is consumed, not when it arrives", () => {
  const window = new ReceiveWindow(bounds, 0);
  assert(window.receive(1_000));
  assert(!window.receive(1));
  assertEquals(window.grant(5_000, false), 0);
  window.consume(400);
  assertEquals(window.grant(5_000, false), 0);
  window.consume(100);
  assertEquals(window.grant(5_000, false), 500);
});

Deno.test("ReceiveWindow never lets credit and buffer exceed its largest size", () => {
  const random = seededRandom(9);
  const window = new ReceiveWindow(bounds, 0);
  for (let now = 0; now < 20_000; now += random() * 100) {
    if (random() < 0.5) window.receive(Math.floor(random() * window.available));
    else window.consume(Math.floor(random() * window.buffered));
    window.grant(now, random() < 0.1);
    assert(window.available >= 0 && window.buffered >= 0);
    assert(window.available + window.buffered <= bounds.max);
  }
});

Deno.test("createMemoryBudget() fails loudly, and takes nothing when it does", () => {
  const budget = createMemoryBudget(100);
  budget.consume(80);
  assertThrows(() => budget.consume(21), MemoryBudgetError, "80 of 100");
  assertEquals(budget.pressure, 0.8);
  budget.release(80);
  assertEquals(budget.used, 0);
});

Deno.test("RateBudget.consume() permits a burst, and then a rate", () => {
  const budget = new RateBudget("things (limit)", 10, 2, 0);
  for (let i = 0; i < 10; i++) budget.consume(1, 0);
  budget.consume(1, 500);
  assertThrows(() => budget.consume(1, 600), ConnectionError, "things (limit)");
});
