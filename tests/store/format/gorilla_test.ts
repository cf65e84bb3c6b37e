import { assert, assertEquals, assertThrows } from "@std/assert";
import { decodeTimestamps, decodeValues, encodeTimestamps, encodeValues } from "../../../store/format/gorilla.ts";
import { DamagedError } from "../../../store/format/value.ts";
import { damage, property, type Random } from "./random.ts";

const isDamage = (error: unknown) => error instanceof DamagedError;

function assertColumn(actual: Float64Array, expected: ArrayLike<number>): void {
  assertEquals(actual.length, expected.length);
  for (let i = 0; i < expected.length; i++) {
    if (!Object.is(actual[i], expected[i])) throw new Error(`[${i}] is ${actual[i]}, not ${expected[i]}`);
  }
}

const TIMESTAMPS: Record<string, (random: Random, count: number) => number[]> = {
  regular: (_, count) => Array.from({ length: count }, (_, i) => 1_700_000_000_000 + i * 15_000),
  jittered: (random, count) =>
    Array.from({ length: count }, (_, i) => 1_700_000_000_000 + i * 15_000 + random.below(50)).sort((a, b) => a - b),
  bursts: (random, count) => {
    let time = 0;
    return Array.from({ length: count }, () => time += random.below(4) === 0 ? random.below(1e9) : 0);
  },
  "of any size": (random, count) =>
    Array.from({ length: count }, () => Math.abs(random.integer())).sort((a, b) => a - b),
  "of any sign and order": (random, count) => Array.from({ length: count }, () => random.integer()),
  "at the ends": (random, count) =>
    Array.from({ length: count }, () => random.pick([0, 1, -1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER])),
};

const SPECIAL = [
  0,
  -0,
  5e-324,
  -5e-324,
  2.2e-308,
  Number.MAX_VALUE,
  -Number.MAX_VALUE,
  Infinity,
  -Infinity,
  NaN,
  1 / 3,
];

const VALUES: Record<string, (random: Random, count: number) => number[]> = {
  constant: (random, count) => new Array(count).fill(random.double()),
  counter: (random, count) => {
    let value = random.below(1e9);
    return Array.from({ length: count }, () => value += random.below(10));
  },
  decimals: (random, count) => {
    const power = 10 ** random.below(11);
    return Array.from({ length: count }, () => random.below(1e6) / power);
  },
  gaussian: (random, count) => Array.from({ length: count }, () => 50 + 10 * random.gaussian()),
  "coarse doubles": (random, count) => Array.from({ length: count }, () => Math.fround(random.gaussian())),
  "any bits": (random, count) => Array.from({ length: count }, () => random.double()),
  special: (random, count) => Array.from({ length: count }, () => random.pick(SPECIAL)),
  "one bit": (random, count) => Array.from({ length: count }, () => 2 ** (random.below(2000) - 1000)),
  "mostly whole": (random, count) => Array.from({ length: count }, () => random.below(50) ? random.below(9) : 1 / 3),
};

for (const [name, make] of Object.entries(TIMESTAMPS)) {
  Deno.test(`decodeTimestamps() gives back timestamps ${name}`, () =>
    property(100, (random) => {
      const timestamps = make(random, random.below(200));
      assertColumn(decodeTimestamps(encodeTimestamps(timestamps), timestamps.length), timestamps);
    }));
}

for (const [name, make] of Object.entries(VALUES)) {
  Deno.test(`decodeValues() gives back values: ${name}`, () =>
    property(100, (random) => {
      const values = make(random, random.below(200));
      const bytes = encodeValues(values);
      assertColumn(decodeValues(bytes, values.length), values);
      assert(bytes.length <= 1 + 8 * values.length, "a column never takes more than its values");
    }));
}

Deno.test("encodeTimestamps() takes nothing for each further regular timestamp", () => {
  const bytes = encodeTimestamps(TIMESTAMPS.regular({} as Random, 1000));
  assert(bytes.length < 12, `${bytes.length} bytes`);
});

Deno.test("decodeTimestamps() refuses damaged bytes or does no harm", () =>
  property(20, (random) => {
    const timestamps = random.pick(Object.values(TIMESTAMPS))(random, 1 + random.below(100));
    const bytes = encodeTimestamps(timestamps);
    damage(random, bytes, (damaged) => decodeTimestamps(damaged, timestamps.length), isDamage);
    assertThrows(() => decodeTimestamps(bytes.subarray(0, -1), timestamps.length), DamagedError);
    assertThrows(() => decodeTimestamps(Uint8Array.of(...bytes, 0), timestamps.length), DamagedError);
  }));

Deno.test("decodeValues() refuses damaged bytes or does no harm", () =>
  property(20, (random) => {
    const values = random.pick(Object.values(VALUES))(random, 1 + random.below(100));
    const bytes = encodeValues(values);
    damage(random, bytes, (damaged) => decodeValues(damaged, values.length), isDamage);
    assertThrows(() => decodeValues(bytes.subarray(0, -1), values.length), DamagedError);
    assertThrows(() => decodeValues(Uint8Array.of(...bytes, 0), values.length), DamagedError);
    assertThrows(() => decodeValues(bytes, 0), DamagedError);
  }));
