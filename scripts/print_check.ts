/**
 * Checks a store and says what comes of it.
 *
 * @module
 */
import { checkStore, type Counts } from "../store/check/check.ts";
import type { RawStores } from "../store/open_raw.ts";

/** Prints a line for each finding, and one that sums up; returns whether the store is sound. */
export async function printCheck({ kv, blobs }: RawStores, retention: number): Promise<boolean> {
  const counts = await checkStore({ kv, blobs, clock: kv.clock, retention }, ({ key, what, garbage }) => {
    console.log(`${garbage ? "garbage" : "damaged"} ${key}: ${what}`);
  });
  console.log(summary(counts));
  return counts.faults === 0;
}

function summary(c: Counts): string {
  const number = (n: number) => n.toLocaleString("en-US");
  return [
    c.faults === 0 ? "sound" : `damaged: ${number(c.faults)} faults`,
    `${number(c.values)} values`,
    `${number(c.files)} files and ${number(c.uploads)} uploads with ${number(c.bytes)} bytes in ${
      number(c.blocks)
    } blocks`,
    `${number(c.segments)} segments with ${number(c.samples)} samples and ${number(c.entries)} log entries`,
    `${number(c.streams)} streams`,
    `${number(c.garbage)} pieces and values that nobody needs`,
    ...c.restless > 0 ? [`${number(c.restless)} values that moved too often to be judged`] : [],
  ].join("; ");
}
