/**
 * What the workers of a process have in common: memory that all of them see, and what is kept in it.
 *
 * @module
 */
import { type MemoryBudget, MemoryBudgetError } from "../http2/mod.ts";
import { MEMORY_BUDGET_BYTES } from "../limits.ts";
import type { Common } from "../server.ts";

/** One int32: bytes of the budget that are in use. */
export type CommonMemory = SharedArrayBuffer;

export function allocateCommon(): CommonMemory {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
}

/** Each thread opens its own view. */
export function openCommon(memory: CommonMemory): Common {
  return { budget: createSharedMemoryBudget(memory, MEMORY_BUDGET_BYTES) };
}

/**
 * A budget that all threads draw on, less than 2 GiB. One worker may have all the large uploads of the moment; with a
 * share each, it would refuse them while the others' shares lie idle.
 */
export function createSharedMemoryBudget(memory: SharedArrayBuffer, limitBytes: number): MemoryBudget {
  const used = new Int32Array(memory, 0, 1);
  return {
    consume(bytes) {
      const before = Atomics.add(used, 0, bytes);
      if (before + bytes <= limitBytes) return;
      Atomics.sub(used, 0, bytes);
      throw new MemoryBudgetError(`Cannot take ${bytes} bytes as body memory: ${before} of ${limitBytes} are in use`);
    },
    release(bytes) {
      Atomics.sub(used, 0, bytes);
    },
    get pressure() {
      return Atomics.load(used, 0) / limitBytes;
    },
  };
}
