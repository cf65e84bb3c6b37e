import { assert, assertEquals, assertLess } from "@std/assert";
import { COMPACT_MAX_RUNS, COMPACT_SHARE, COMPACT_SMALL_BYTES, KIB, MIB, RUN_FOOTER_BYTES } from "../../../limits.ts";
import { type Choice, chooseOfDay, chooseSmall, type Loose } from "../../../store/kv/compaction/choice.ts";
import type { Run } from "../../../store/kv/runs/run_list.ts";
import { Random } from "../format/random.ts";

const NOTHING: Loose = { bytes: 0, isEnough: false };
const late = (bytes: number): Loose => ({ bytes, isEnough: true });

let made = 0;

function run(size: number, { isDay = false, footer = size / 10 } = {}): Run {
  return { id: `${made++}`.padStart(10, "0"), size, footer: size - footer, isDay } as unknown as Run;
}

/** What there is once `choice` has become a run, with what was loose. */
function merged(runs: readonly Run[], { runs: chosen, isDay }: Choice, { bytes }: Loose): Run[] {
  const footer = chosen.reduce((sum, { size, footer }) => sum + size - footer, bytes / 10);
  const size = chosen.reduce((sum, { size }) => sum + size, bytes);
  return [...runs.filter((one) => !chosen.includes(one)), run(size, { isDay, footer })];
}

/** Merges until there is nothing to do. */
function settled(runs: readonly Run[]): readonly Run[] {
  for (let steps = 0;; steps++) {
    assertLess(steps, 1000, "it comes to an end");
    const choice = chooseOfDay(runs, NOTHING);
    if (choice === undefined) return runs;
    runs = merged(runs, choice, NOTHING);
  }
}

const sizes = (runs: readonly Run[]) => runs.map(({ size }) => size);

Deno.test("chooseOfDay() makes one run of a day's runs, and then nothing more", () => {
  const hours = Array.from({ length: 24 }, (_, i) => run(1 * MIB + i));
  const choice = chooseOfDay(hours, NOTHING)!;
  assertEquals([choice.runs, choice.isDay], [hours, true]);
  const [day] = merged(hours, choice, NOTHING);
  assertEquals(chooseOfDay([day], NOTHING), undefined);
  assertEquals(chooseOfDay([], NOTHING), undefined);
  assertEquals(chooseOfDay([run(1)], NOTHING)?.isDay, true);
});

Deno.test("chooseOfDay() leaves a day's run alone until COMPACT_SHARE of it has come", () => {
  const day = run(100 * MIB, { isDay: true });
  const share = day.size * COMPACT_SHARE;
  assertEquals(chooseOfDay([day], late(share - 1)), { runs: [], isDay: false });
  assertEquals(chooseOfDay([day], late(share)), { runs: [day], isDay: true });
  assertEquals(chooseOfDay([day], { bytes: share, isEnough: false }), undefined);
  assertEquals(chooseOfDay([day, run(share - 1)], NOTHING), undefined);
  const more = run(share);
  assertEquals(chooseOfDay([day, more], NOTHING), { runs: [day, more], isDay: true });
});

Deno.test("chooseOfDay() writes what comes late in little parts some times each, and leaves few runs", () => {
  const random = new Random(7);
  let runs: Run[] = [run(1000 * MIB, { isDay: true, footer: 0 })];
  let written = 0, came = 0;
  for (let i = 0; i < 2000; i++) {
    const loose = late(random.below(100 * KIB));
    came += loose.bytes;
    const choice = chooseOfDay(runs, loose)!;
    runs = merged(runs, choice, loose);
    written += runs.at(-1)!.size;
    assertLess(runs.length, 12);
  }
  assertLess(written, 15 * came);
});

Deno.test("chooseOfDay() makes several runs of a day whose footers are more than RUN_FOOTER_BYTES", () => {
  const hours = Array.from({ length: 30 }, (_, i) => run(100 * MIB + i, { footer: RUN_FOOTER_BYTES / 3 }));
  const runs = settled(hours);
  assertEquals(runs.length, 10);
  for (const { size, footer, isDay } of runs) assert(isDay && size - footer <= RUN_FOOTER_BYTES);
  // One that is too large already stays as it is, and keeps none from being merged.
  const huge = run(9 * MIB, { footer: RUN_FOOTER_BYTES + 1 });
  const beside = settled([huge, run(10 * MIB), run(11 * MIB)]);
  assertEquals(sizes(beside), [9 * MIB, 21 * MIB]);
});

Deno.test("chooseOfDay() merges COMPACT_MAX_RUNS at the most, those of a form that can be merged further", () => {
  const runs = Array.from({ length: COMPACT_MAX_RUNS + 1 }, (_, i) => run(1000 + i));
  const choice = chooseOfDay(runs, NOTHING)!;
  assertEquals([choice.runs.length, choice.isDay], [COMPACT_MAX_RUNS, false]);
  assertEquals(settled(runs).length, 1);
});

Deno.test("chooseOfDay() names runs in the order in which they were made", () => {
  const runs = [run(30), run(10), run(20)];
  assertEquals(sizes(chooseOfDay(runs.toReversed(), NOTHING)!.runs), [30, 10, 20]);
});

Deno.test("chooseSmall() merges small runs once there are COMPACT_MAX_RUNS of them, and no larger ones", () => {
  const large = run(COMPACT_SMALL_BYTES + 1);
  const small = Array.from({ length: COMPACT_MAX_RUNS - 1 }, () => run(1 * MIB));
  assertEquals(chooseSmall([large, ...small]), undefined);
  small.push(run(COMPACT_SMALL_BYTES, { footer: 1 }));
  assertEquals(chooseSmall([large, ...small]), { runs: small, isDay: false });
});
