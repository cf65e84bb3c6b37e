/**
 * Sorts the samples of a series by time: a natural merge sort (Knuth, The Art of Computer Programming, vol. 3, section
 * 5.2.4). What streams send is in order, or in reverse, or a few such runs one after the other; each is found as it is.
 *
 * @module
 */

/** Sorts both columns in place; samples of equal times keep their order. */
export function sortByTime(timestamps: Float64Array, values: Float64Array): void {
  const ends = findRuns(timestamps, values);
  if (ends.length === 1) return;
  let from: Columns = { timestamps, values };
  let to: Columns = { timestamps: new Float64Array(timestamps.length), values: new Float64Array(values.length) };
  while (ends.length > 1) {
    // Runs are merged two by two; the ends of the merged ones take the places of theirs.
    let merged = 0;
    for (let i = 0; i < ends.length; i += 2) {
      const start = i === 0 ? 0 : ends[i - 1];
      const end = ends[Math.min(i + 1, ends.length - 1)];
      merge(from, to, start, ends[i], end);
      ends[merged++] = end;
    }
    ends.length = merged;
    [from, to] = [to, from];
  }
  if (from.timestamps === timestamps) return;
  timestamps.set(from.timestamps);
  values.set(from.values);
}

/** The ends of runs in ascending order; those in strictly descending order have been turned round. */
function findRuns(timestamps: Float64Array, values: Float64Array): number[] {
  const ends: number[] = [];
  const { length } = timestamps;
  let start = 0;
  do {
    let end = start + 1;
    if (end < length && timestamps[end] < timestamps[start]) {
      while (end < length && timestamps[end] < timestamps[end - 1]) end++;
      timestamps.subarray(start, end).reverse();
      values.subarray(start, end).reverse();
    } else {
      while (end < length && timestamps[end] >= timestamps[end - 1]) end++;
    }
    ends.push(end);
    start = end;
  } while (start < length);
  return ends;
}

interface Columns {
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
}

/** Merges the runs from `start` to `middle` and from there to `end`; of equal times those of the first come first. */
function merge(from: Columns, to: Columns, start: number, middle: number, end: number): void {
  const { timestamps, values } = from;
  let a = start, b = middle;
  for (let at = start; at < end; at++) {
    const next = b === end || (a < middle && timestamps[a] <= timestamps[b]) ? a++ : b++;
    to.timestamps[at] = timestamps[next];
    to.values[at] = values[next];
  }
}
