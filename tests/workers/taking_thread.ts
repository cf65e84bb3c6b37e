/**
 * A thread that takes from a shared budget and gives back, time and again; see common_test.ts.
 *
 * @module
 */
import { createSharedMemoryBudget } from "../../workers/common.ts";

interface Scope {
  onmessage: (event: MessageEvent<SharedArrayBuffer>) => void;
  postMessage(taken: number): void;
}

const scope = globalThis as unknown as Scope;
scope.onmessage = ({ data }) => {
  const budget = createSharedMemoryBudget(data, 1000);
  let taken = 0;
  for (let i = 0; i < 100_000; i++) {
    try {
      budget.consume(600);
      taken++;
      budget.release(600);
    } catch {
      // The other thread has it.
    }
  }
  scope.postMessage(taken);
};
