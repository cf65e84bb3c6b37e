/**
 * What is held in memory, told after all garbage is collected.
 *
 * @module
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Bytes that are in use. */
export function bytesInUse(): number {
  // What the first finds to have an end of its own is free after the second.
  collectGarbage();
  collectGarbage();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

/** Bytes that what `make` makes keeps in memory. */
export async function bytesHeld(make: () => unknown): Promise<number> {
  const before = bytesInUse();
  const held = [await make()];
  const bytes = bytesInUse() - before;
  held.pop();
  return bytes;
}
