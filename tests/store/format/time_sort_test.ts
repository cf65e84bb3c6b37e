import { assertEquals } from "@std/assert";
import { sortByTime } from "../../../store/format/time_sort.ts";
import { Random } from "./random.ts";

/** What `sortByTime()` must come to: values tell the order of arrival. */
function check(timestamps: readonly number[]): void {
  const expected = timestamps.map((timestamp, i) => ({ timestamp, i })).sort((a, b) => a.timestamp - b.timestamp);
  const times = Float64Array.from(timestamps);
  const values = Float64Array.from(timestamps, (_, i) => i);
  sortByTime(times, values);
  assertEquals([...times], expected.map(({ timestamp }) => timestamp));
  assertEquals([...values], expected.map(({ i }) => i));
}

Deno.test("sortByTime() sorts what is in order, in reverse, or the same time throughout", () => {
  check([]);
  check([5]);
  check([1, 2, 3, 4]);
  check([4, 3, 2, 1]);
  check([7, 7, 7]);
  check([3, 2, 2, 1]);
  check([2, 1, 2, 1, 2]);
});

Deno.test("sortByTime() is stable on any runs", () => {
  const random = new Random(3);
  for (let round = 0; round < 2000; round++) {
    const timestamps: number[] = [];
    let time = 0;
    while (timestamps.length < 1 + random.below(200)) {
      const step = random.below(3) - 1;
      for (let left = 1 + random.below(20); left > 0; left--) timestamps.push(time += step * random.below(3));
      if (random.below(4) === 0) time = random.below(50);
    }
    check(timestamps);
  }
});
