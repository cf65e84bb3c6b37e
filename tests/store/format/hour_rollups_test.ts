import { assertEquals, assertThrows } from "@std/assert";
import { HOUR } from "../../../limits.ts";
import { encodeHourRollups, HourRollups, type SeriesHours } from "../../../store/format/hour_rollups.ts";
import { Rollup } from "../../../store/format/rollup.ts";
import { makeSeries } from "../../../store/format/series.ts";
import { DamagedError } from "../../../store/format/value.ts";
import { damage, property, type Random } from "./random.ts";

const NUMBERS = ["count", "sum", "min", "max", "last", "lastTime"] as const;

function randomHours(random: Random): SeriesHours[] {
  return Array.from({ length: 1 + random.below(20) }, (_, i) => {
    const hours = new Map<number, Rollup>();
    for (let left = 1 + random.below(24); left > 0; left--) {
      const hour = 480_000 + random.below(24);
      const rollup = new Rollup();
      for (let n = 1 + random.below(5); n > 0; n--) {
        rollup.add(hour * HOUR + random.below(HOUR), random.pick([random.below(1000), random.gaussian(), -0, 1e300]));
      }
      hours.set(hour, rollup);
    }
    return { series: makeSeries(`s${i}`, random.text(5), { zone: random.text(3) }), hours };
  });
}

/** All that there is, as text. */
function read(bytes: Uint8Array): string[] {
  const segment = new HourRollups(bytes);
  return Array.from({ length: segment.seriesCount }, (_, i) =>
    JSON.stringify([
      segment.series(i),
      ...Array.from(segment.rollups(i), ([start, rollup]) => [start, ...NUMBERS.map((name) => rollup[name])]),
    ]));
}

Deno.test("HourRollups has what encodeHourRollups() took", () =>
  property(100, (random) => {
    const list = randomHours(random);
    const expected = list.map(({ series, hours }) =>
      JSON.stringify([
        series,
        ...Array.from(hours, ([hour, rollup]) => [hour * HOUR, ...NUMBERS.map((name) => rollup[name])]),
      ])
    );
    assertEquals(read(encodeHourRollups(list)), expected);
  }));

Deno.test("HourRollups refuses damaged bytes or does no harm", () =>
  property(6, (random) => {
    const bytes = encodeHourRollups(randomHours(random));
    damage(random, bytes, read, (error) => error instanceof DamagedError);
    for (let length = 0; length < bytes.length; length += 5) {
      assertThrows(() => read(bytes.subarray(0, length)), DamagedError);
    }
  }));
