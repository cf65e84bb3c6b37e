import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { Rollup } from "../../../store/format/rollup.ts";
import { DamagedError } from "../../../store/format/value.ts";
import { damage, property, type Random } from "./random.ts";

type Sample = [time: number, value: number];

function rollupOf(samples: readonly Sample[], withSketch = true): Rollup {
  const rollup = new Rollup(withSketch);
  for (const [time, value] of samples) rollup.add(time, value);
  return rollup;
}

function randomSamples(random: Random): Sample[] {
  const whole = random.below(2) === 0;
  return Array.from(
    { length: 1 + random.below(100) },
    () => [random.below(50), whole ? random.below(100) : random.gaussian()],
  );
}

Deno.test("Rollup.add() keeps count, sum, min, max and the last value by time", () => {
  const rollup = rollupOf([[5, 1], [9, 2], [9, -4], [7, 8]]);
  assertEquals([rollup.count, rollup.sum, rollup.min, rollup.max, rollup.last, rollup.lastTime], [4, 7, -4, 8, -4, 9]);
  assertEquals(rollup.quantiles([0, 1]), [-4, 8]);
});

Deno.test("Rollup.merge() of parts equals the rollup of the whole", () =>
  property(100, (random) => {
    const samples = randomSamples(random);
    const middle = random.below(samples.length + 1);
    const merged = rollupOf(samples.slice(0, middle));
    merged.merge(rollupOf(samples.slice(middle)));
    const whole = rollupOf(samples);
    assertAlmostEquals(merged.sum, whole.sum, 1e-9);
    merged.sum = whole.sum;
    assertEquals(merged.encode(), whole.encode());
  }));

Deno.test("Rollup.merge() keeps a sketch only if both have one", () => {
  const rollup = rollupOf([[1, 1]]);
  rollup.merge(rollupOf([[2, 2]], false));
  assertEquals(rollup.sketch, undefined);
  assertEquals(rollup.quantiles([0.5]), [NaN]);
  assertEquals(rollup.count, 2);
});

Deno.test("Rollup.decode() gives back what encode() took", () =>
  property(100, (random) => {
    const rollup = rollupOf(randomSamples(random), random.below(2) === 0);
    const decoded = Rollup.decode(rollup.encode());
    for (const key of ["count", "sum", "min", "max", "last", "lastTime"] as const) {
      assertEquals(decoded[key], rollup[key]);
    }
    assertEquals(decoded.sketch?.encode(), rollup.sketch?.encode());
    assertEquals(Rollup.decode(rollupOf([[1, -0]]).encode()).last, -0);
    assertEquals(Rollup.decode(new Rollup().encode()).count, 0);
  }));

Deno.test("Rollup.decode() refuses damaged bytes or does no harm", () =>
  property(10, (random) => {
    const bytes = rollupOf(randomSamples(random), random.below(2) === 0).encode();
    damage(
      random,
      bytes,
      (damaged) => Rollup.decode(damaged).quantiles([0.5]),
      (error) => error instanceof DamagedError,
    );
    assertThrows(() => Rollup.decode(bytes.subarray(0, -1)), DamagedError);
    assertThrows(() => Rollup.decode(Uint8Array.of(...bytes, 0)), DamagedError);
  }));
