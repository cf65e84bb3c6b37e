import { assertEquals, assertGreater, assertThrows } from "@std/assert";
import { MemoryBudgetError } from "../../http2/mod.ts";
import { allocateCommon, createSharedMemoryBudget } from "../../workers/common.ts";

Deno.test("createSharedMemoryBudget() is one budget, whoever takes from it", () => {
  const memory = allocateCommon();
  const [one, other] = [createSharedMemoryBudget(memory, 100), createSharedMemoryBudget(memory, 100)];
  one.consume(60);
  assertEquals(other.pressure, 0.6);
  // What is refused takes nothing.
  assertThrows(() => other.consume(41), MemoryBudgetError, "60 of 100 are in use");
  other.consume(40);
  assertEquals([one.pressure, other.pressure], [1, 1]);
  one.release(60);
  assertEquals(other.pressure, 0.4);
  other.release(40);
  assertEquals(one.pressure, 0);
});

Deno.test("createSharedMemoryBudget() counts right when threads take at once", async () => {
  const memory = allocateCommon();
  const taken = await Promise.all([1, 2].map(() =>
    new Promise<number>((resolve, reject) => {
      const worker = new Worker(new URL("./taking_thread.ts", import.meta.url), { type: "module" });
      worker.onmessage = ({ data }) => {
        worker.terminate();
        resolve(data);
      };
      worker.onerror = reject;
      worker.postMessage(memory);
    })
  ));
  for (const count of taken) assertGreater(count, 0);
  assertEquals(createSharedMemoryBudget(memory, 1000).pressure, 0);
});
