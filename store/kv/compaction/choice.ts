/**
 * Which runs of a day are merged to one.
 *
 * A day that is over becomes one run of the form that days have, or a few of bounded size. What comes late is merged by
 * itself, and with a run only once it is COMPACT_SHARE of it: so whatever comes, each byte is written some times and no more,
 * and of one day there are few runs.
 *
 * @module
 */
import { COMPACT_MAX_RUNS, COMPACT_SHARE, COMPACT_SMALL_BYTES, RUN_FOOTER_BYTES } from "../../../limits.ts";
import type { Run } from "../runs/run_list.ts";

/** What becomes one run. */
export interface Choice {
  /** In the order in which they were made, for of equal times what came later counts as later. */
  readonly runs: readonly Run[];
  /** Whether it gets the form that days have: not if it is to be merged again soon. */
  readonly isDay: boolean;
}

/** Segments of a day that are in no run, and go into the one that is made. */
export interface Loose {
  readonly bytes: number;
  /** Whether they are worth a run by themselves. */
  readonly isEnough: boolean;
}

/** Of a day that is over. Undefined if there is nothing to do. */
export function chooseOfDay(runs: readonly Run[], loose: Loose): Choice | undefined {
  const sorted = bySize(runs);
  // What cannot be merged with anything smaller may have larger ones to be merged with.
  for (let first = 0; first === 0 || first < sorted.length; first++) {
    const choice = chooseOf(fitting(sorted.slice(first)), loose);
    if (choice !== undefined) return { ...choice, runs: byAge(choice.runs) };
  }
  return undefined;
}

/** Of a day that is not over: small ones, once they are many for those who ask about it. */
export function chooseSmall(runs: readonly Run[]): Choice | undefined {
  const small = runs.filter(({ size }) => size <= COMPACT_SMALL_BYTES);
  if (small.length < COMPACT_MAX_RUNS) return undefined;
  return { runs: byAge(fitting(bySize(small)).slice(0, COMPACT_MAX_RUNS)), isDay: false };
}

function chooseOf(runs: readonly Run[], { bytes, isEnough }: Loose): Choice | undefined {
  if (runs.length > COMPACT_MAX_RUNS) return { runs: runs.slice(0, COMPACT_MAX_RUNS), isDay: false };
  if (!runs.some(({ isDay }) => isDay)) return runs.length > 0 || isEnough ? { runs, isDay: true } : undefined;
  let count = 0;
  let smaller = bytes;
  for (const [i, { size }] of runs.entries()) {
    if (smaller >= size * COMPACT_SHARE) count = i + 1;
    smaller += size;
  }
  if (count < 2 && !isEnough) return undefined;
  return { runs: runs.slice(0, count), isDay: count === runs.length };
}

/** As many of these as may become one run. */
function fitting(runs: readonly Run[]): readonly Run[] {
  let bytes = 0;
  const end = runs.findIndex(({ size, footer }) => (bytes += size - footer) > RUN_FOOTER_BYTES);
  return end === -1 ? runs : runs.slice(0, end);
}

const bySize = (runs: readonly Run[]): Run[] => runs.toSorted((a, b) => a.size - b.size);

const byAge = (runs: readonly Run[]): Run[] => runs.toSorted((a, b) => a.id < b.id ? -1 : 1);
