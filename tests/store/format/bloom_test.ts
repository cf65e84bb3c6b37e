import { assert, assertEquals } from "@std/assert";
import { MAX_BLOOM_BYTES } from "../../../limits.ts";
import { BloomBuilder, bloomHas, fieldPrefix, fieldToken } from "../../../store/format/bloom.ts";
import { forEachToken } from "../../../store/format/tokens.ts";
import { property } from "./random.ts";

function filterOf(tokens: Iterable<string>): Uint8Array {
  const builder = new BloomBuilder();
  for (const token of tokens) builder.add(token);
  return builder.build();
}

function addTo(builder: BloomBuilder, text: string): void {
  const bytes = new TextEncoder().encode(text);
  builder.addWords(bytes, 0, bytes.length);
}

/** The part of tokens that were not added which the filter takes for added. */
function falseRate(filter: Uint8Array): number {
  const tries = 20_000;
  let hits = 0;
  for (let i = 0; i < tries; i++) if (bloomHas(filter, `absent${i}`)) hits++;
  return hits / tries;
}

Deno.test("bloomHas() is true of every token that was added", () =>
  property(50, (random) => {
    const tokens = Array.from({ length: random.below(2000) }, () => random.text(12));
    const filter = filterOf(tokens);
    assert(filter.length <= MAX_BLOOM_BYTES);
    for (const token of tokens) assert(bloomHas(filter, token), JSON.stringify(token));
  }));

Deno.test("BloomBuilder.addWords() adds what forEachToken() finds", () =>
  property(300, (random) => {
    const texts = Array.from({ length: 5 }, () => random.text(60) + "x".repeat(random.pick([0, 70])));
    const builder = new BloomBuilder();
    for (const text of texts) addTo(builder, text);
    const filter = builder.build();
    for (const text of texts) {
      forEachToken(text, (token) =>
        assert(bloomHas(filter, token), `${JSON.stringify(token)} of ${JSON.stringify(text)}`));
    }
  }));

Deno.test("BloomBuilder.addField() adds fieldToken() and the words of the value", () =>
  property(100, (random) => {
    const [key, value] = [random.text(8), random.text(20)];
    const bytes = new TextEncoder().encode(`before${value}after`);
    const builder = new BloomBuilder();
    builder.addField(fieldPrefix(key), bytes, 6, bytes.length - 5);
    const expected = new BloomBuilder();
    expected.add(fieldToken(key, value));
    addTo(expected, value);
    assertEquals(builder.build(), expected.build());
  }));

Deno.test("bloomHas() takes about one token in a hundred for another with ten bits each", () => {
  for (const count of [10, 100, 1000, 3000]) {
    const filter = filterOf(Array.from({ length: count }, (_, i) => `token${i}`));
    assert(Math.abs(filter.length - count * 10 / 8) <= 2);
    const rate = falseRate(filter);
    assert(rate < 0.02, `${rate} of ${count}`);
  }
});

Deno.test("bloomHas() still tells most apart when the filter is as large as it may be", () => {
  const filter = filterOf(Array.from({ length: 8000 }, (_, i) => `token${i}`));
  assertEquals(filter.length, MAX_BLOOM_BYTES);
  const rate = falseRate(filter);
  // The optimum of 4.1 bits a token is 0.14.
  assert(rate < 0.18, `${rate}`);
});

Deno.test("bloomHas() is false of an empty filter, and takes any bytes", () => {
  assertEquals(bloomHas(filterOf([]), "a"), false);
  property(100, (random) => {
    bloomHas(random.bytes(random.below(20)), random.text(5));
  });
});
