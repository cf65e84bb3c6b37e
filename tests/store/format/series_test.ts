import { assertEquals, assertNotEquals } from "@std/assert";
import { makeSeries, seriesId, seriesKey } from "../../../store/format/series.ts";
import { property } from "./random.ts";

type Tag = [string, string];

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, i) => permutations(items.toSpliced(i, 1)).map((rest) => [item, ...rest]));
}

Deno.test("makeSeries() makes one series of four tags in all 24 orders", () => {
  const tags: Tag[] = [["host", "a"], ["zone", "b"], ["Zone", "c"], ["ä", "d"]];
  const orders = permutations(tags);
  assertEquals(orders.length, 24);
  const all = orders.flatMap((order) => [makeSeries("s", "m", order), makeSeries("s", "m", Object.fromEntries(order))]);
  assertEquals(new Set(all.map(({ key }) => key)).size, 1);
  for (const series of all) assertEquals(series.tags, [["Zone", "c"], ["host", "a"], ["zone", "b"], ["ä", "d"]]);
});

Deno.test("makeSeries() lets the last of equal keys win", () => {
  const series = makeSeries("s", "m", [["b", "1"], ["a", "2"], ["b", "3"]]);
  assertEquals(series, makeSeries("s", "m", { a: "2", b: "3" }));
  assertEquals(makeSeries("s", "m", [["a", "1"], ["a", "2"]]).tags, [["a", "2"]]);
});

Deno.test("seriesKey() differs wherever series differ, whatever their names hold", () => {
  const parts = ["", "a", ":", "1:a", "a1:a", "0:", "\0", "1", "11:", "=,"];
  const keys = new Map<string, string>();
  const remember = (source: string, metric: string, tags: Tag[]) => {
    const key = seriesKey(source, metric, tags);
    const series = JSON.stringify([source, metric, tags]);
    assertEquals(keys.get(key) ?? series, series);
    keys.set(key, series);
  };
  for (const source of parts) {
    for (const metric of parts) {
      remember(source, metric, []);
      for (const key of parts) for (const value of parts) remember(source, metric, [[key, value]]);
    }
  }
  assertEquals(keys.size, 100 + 10_000);
});

Deno.test("seriesKey() is the same for equal tags in any order, and only then", () =>
  property(100, (random) => {
    const tags = Array.from({ length: random.below(5) }, (): Tag => [random.text(4), random.text(4)]);
    const unique = [...new Map(tags)];
    assertEquals(makeSeries("s", "m", random.shuffle(unique)).key, makeSeries("s", "m", tags).key);
    assertNotEquals(makeSeries("s", "m", [...unique, ["another", ""]]).key, makeSeries("s", "m", tags).key);
  }));

Deno.test("seriesId() is the first half of the key's SHA-256", async () => {
  const key = seriesKey("source", "metric", [["ä", "b"]]);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key)));
  assertEquals(seriesId(key), digest.slice(0, 16));
});
