import { assert, assertEquals, assertThrows } from "@std/assert";
import { MAX_SKETCH_BINS, SKETCH_ERROR } from "../../../limits.ts";
import { Sketch } from "../../../store/format/sketch.ts";
import { DamagedError } from "../../../store/format/value.ts";
import { damage, property, type Random } from "./random.ts";

const DISTRIBUTIONS: Record<string, (random: Random) => number> = {
  uniform: (random) => random.next() * 1000,
  gaussian: (random) => random.gaussian(),
  exponential: (random) => -Math.log(1 - random.next()) * 1e-3,
  "log-normal": (random) => Math.exp(3 * random.gaussian()),
  pareto: (random) => (1 - random.next()) ** -1.5,
  "integers and zero": (random) => random.below(20) - 10,
  constant: () => 42,
  "any size": (random) => random.pick([1, -1]) * 10 ** (random.next() * 600 - 300),
};

const QUANTILES = [0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1];

function sketchOf(values: Iterable<number>): Sketch {
  const sketch = new Sketch();
  for (const value of values) sketch.add(value);
  return sketch;
}

for (const [name, make] of Object.entries(DISTRIBUTIONS)) {
  Deno.test(`Sketch.quantiles() are within SKETCH_ERROR of the exact one: ${name}`, () =>
    property(5, (random) => {
      const values = Array.from({ length: 1 + random.below(3000) }, () => make(random));
      const sketch = Sketch.decode(sketchOf(values).encode());
      const sorted = Float64Array.from(values).sort();
      assertEquals(sketch.count, values.length);
      const asked = random.shuffle([...QUANTILES]);
      for (const [i, quantile] of sketch.quantiles(asked).entries()) {
        const exact = sorted[Math.floor(asked[i] * (values.length - 1))];
        const error = Math.abs(quantile - exact);
        assert(error <= SKETCH_ERROR * Math.abs(exact) * (1 + 1e-9), `q ${asked[i]}: ${quantile} for ${exact}`);
      }
    }));
}

Deno.test("Sketch.merge() of parts equals the sketch of the whole", () =>
  property(30, (random) => {
    const make = random.pick(Object.values(DISTRIBUTIONS));
    const values = Array.from({ length: random.below(500) }, () => make(random));
    const middle = random.below(values.length + 1);
    const merged = sketchOf(values.slice(0, middle));
    merged.merge(sketchOf(values.slice(middle)));
    assertEquals(merged.encode(), sketchOf(random.shuffle(values)).encode());
  }));

Deno.test("Sketch.merge() equals the whole where the lowest bins were merged, and upper quantiles stay exact", () =>
  property(3, (random) => {
    const values = Array.from({ length: 20_000 }, () => DISTRIBUTIONS["any size"](random));
    const whole = sketchOf(values);
    const parts = [0, 1, 2, 3].map((part) => sketchOf(values.filter((_, i) => i % 4 === part)));
    const merged = Sketch.decode(parts[3].encode());
    for (const part of parts.slice(0, 3)) merged.merge(part);
    assertEquals(merged.encode(), whole.encode());
    assertEquals(whole.bins, MAX_SKETCH_BINS);
    const sorted = Float64Array.from(values).sort();
    for (const q of [0.9, 0.95, 0.99, 1]) {
      const exact = sorted[Math.floor(q * (values.length - 1))];
      assert(Math.abs(whole.quantiles([q])[0] / exact - 1) <= SKETCH_ERROR * (1 + 1e-9));
    }
  }));

Deno.test("Sketch takes the ends of what a double can be, and nothing that is not finite", () => {
  for (const value of [Number.MAX_VALUE, -Number.MAX_VALUE, 2 ** -1022, -(2 ** -1022)]) {
    const [quantile] = sketchOf([value]).quantiles([0.5]);
    assert(Math.abs(quantile / value - 1) <= SKETCH_ERROR * (1 + 1e-9), `${quantile} for ${value}`);
  }
  assertEquals(sketchOf([5e-324, -0, 0]).quantiles([1]), [0]);
  assertEquals(new Sketch().quantiles([0.5, 1]), [NaN, NaN]);
  for (const value of [NaN, Infinity, -Infinity]) assertThrows(() => sketchOf([value]), RangeError);
});

Deno.test("Sketch.decode() refuses damaged bytes or does no harm", () =>
  property(10, (random) => {
    const make = random.pick(Object.values(DISTRIBUTIONS));
    const bytes = sketchOf(Array.from({ length: 1 + random.below(200) }, () => make(random))).encode();
    damage(
      random,
      bytes,
      (damaged) => Sketch.decode(damaged).quantiles([0.5]),
      (error) => error instanceof DamagedError,
    );
    assertThrows(() => Sketch.decode(bytes.subarray(0, -1)), DamagedError);
  }));
