import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { create, toBinary } from "@bufbuild/protobuf";
import { PointDecoder, type PointShapes } from "../../decode/points.ts";
import { ShapeCache } from "../../decode/shape_cache.ts";
import { DataPointSchema } from "../../gen/sluice/v1/data_collection_pb.ts";
import { MAX_SHAPE_BYTES, MAX_SHAPES, MAX_SHAPES_BYTES } from "../../limits.ts";
import { Random } from "../store/format/random.ts";

/** As in decode/shape_cache.ts. */
const WAYS = 4;

function gather(cache: ShapeCache<unknown>, identity: Uint8Array): void {
  cache.begin();
  cache.add(identity, 0, identity.length);
}

function find<S>(cache: ShapeCache<S>, identity: Uint8Array): S | undefined {
  gather(cache, identity);
  return cache.find();
}

function hold<S>(cache: ShapeCache<S>, identity: Uint8Array, shape: S, cost = identity.length): void {
  gather(cache, identity);
  cache.hold(shape, cost);
}

/** An identity of four bytes that no other number has. */
function numbered(n: number): Uint8Array {
  return Uint8Array.of(n, n >>> 8, n >>> 16, n >>> 24);
}

/** FNV-1a, by the book: http://www.isthe.com/chongo/tech/comp/fnv/. */
function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash | 0;
}

/** Identities that lie in one set of the table: they agree in what the place is taken from. */
function* inOneSet(): Generator<Uint8Array> {
  const sets = MAX_SHAPES / WAYS;
  for (let n = 0;; n++) {
    const hash = fnv1a(numbered(n));
    if (((hash ^ (hash >>> 15)) & (sets - 1)) === 0) yield numbered(n);
  }
}

/** Identities of eight bytes, many of them, two of which have the same hash: 2^18 of them have some 8 such pairs. */
function collisions(): [Uint8Array, Uint8Array][] {
  const random = new Random(1);
  const seen = new Map<number, Uint8Array>();
  const pairs: [Uint8Array, Uint8Array][] = [];
  for (let i = 0; i < 2 ** 18; i++) {
    const identity = random.bytes(8);
    const hash = fnv1a(identity);
    const other = seen.get(hash);
    if (other) pairs.push([other, identity]);
    else seen.set(hash, identity);
  }
  return pairs;
}

Deno.test("ShapeCache finds what it holds, and nothing else", () => {
  const cache = new ShapeCache<string>();
  const texts = ["", "a", "b", "ab", "ba", "a\0", "\0a"];
  for (const text of texts) {
    assertEquals(find(cache, new TextEncoder().encode(text)), undefined, text);
    cache.hold(text, 1);
  }
  for (const text of texts) assertEquals(find(cache, new TextEncoder().encode(text)), text);
});

Deno.test("ShapeCache takes an identity in parts as the same as in one", () => {
  const cache = new ShapeCache<string>();
  hold(cache, Uint8Array.of(1, 2, 3, 4), "shape");
  const spread = Uint8Array.of(9, 1, 2, 9, 3, 9, 4);
  cache.begin();
  cache.add(spread, 1, 3);
  cache.add(spread, 4, 5);
  cache.add(spread, 5, 5);
  cache.add(spread, 6, 7);
  assertEquals(cache.find(), "shape");
});

Deno.test("ShapeCache keeps its own copy of an identity", () => {
  const cache = new ShapeCache<string>();
  const identity = Uint8Array.of(1, 2, 3);
  hold(cache, identity, "shape");
  identity.fill(0);
  assertEquals(find(cache, identity), undefined);
  assertEquals(find(cache, Uint8Array.of(1, 2, 3)), "shape");
});

Deno.test("ShapeCache tells identities apart that hash alike", () => {
  const pairs = collisions();
  assert(pairs.length > 0);
  for (const [a, b] of pairs) {
    const cache = new ShapeCache<string>();
    hold(cache, a, "a");
    assertEquals(find(cache, b), undefined);
    cache.hold("b", 1);
    assertEquals([find(cache, a), find(cache, b)], ["a", "b"]);
  }
});

Deno.test("ShapeCache gives up places of a full set in turn", () => {
  const cache = new ShapeCache<number>();
  const alike = inOneSet().take(3 * WAYS).toArray();
  for (const [i, identity] of alike.entries()) {
    hold(cache, identity, i);
    const held = alike.map((other) => find(cache, other)).filter((shape) => shape !== undefined);
    // The newest are there, as many as there are ways.
    assertEquals(held, Array.from({ length: Math.min(i + 1, WAYS) }, (_, w) => i + 1 - Math.min(i + 1, WAYS) + w));
  }
});

Deno.test("MAX_SHAPES: beyond it the older shapes go, and none is taken for another", () => {
  const cache = new ShapeCache<number>();
  const count = 3 * MAX_SHAPES;
  for (let n = 0; n < count; n++) hold(cache, numbered(n), n);
  let found = 0;
  for (let n = 0; n < count; n++) {
    const shape = find(cache, numbered(n));
    assert(shape === undefined || shape === n);
    if (shape !== undefined) found++;
  }
  assert(found <= MAX_SHAPES && found > MAX_SHAPES / 2, `${found} were held`);
});

Deno.test("MAX_SHAPE_BYTES: an identity at it is held, one over it is not, however it comes", () => {
  const cache = new ShapeCache<string>();
  const at = new Uint8Array(MAX_SHAPE_BYTES).fill(1);
  const over = new Uint8Array(MAX_SHAPE_BYTES + 1).fill(1);
  hold(cache, at, "at");
  hold(cache, over, "over");
  assertEquals([find(cache, at), find(cache, over)], ["at", undefined]);
  // What is too long must not be found by those of its parts that would fit.
  cache.begin();
  cache.add(at, 0, MAX_SHAPE_BYTES);
  cache.add(over, 0, 1);
  assertEquals(cache.find(), undefined);
  cache.begin();
  cache.add(over, 0, MAX_SHAPE_BYTES + 1);
  cache.add(at, 0, MAX_SHAPE_BYTES);
  assertEquals(cache.find(), undefined);
  assertEquals(find(cache, at), "at");
});

Deno.test("MAX_SHAPES_BYTES: beyond it all shapes go, and new ones are held again", () => {
  const cache = new ShapeCache<number>();
  const identity = (n: number) => {
    const bytes = new Uint8Array(MAX_SHAPE_BYTES);
    bytes.set(numbered(n));
    return bytes;
  };
  const most = MAX_SHAPES_BYTES / MAX_SHAPE_BYTES;
  const held = (count: number) => {
    let found = 0;
    for (let n = 0; n < count; n++) {
      const shape = find(cache, identity(n));
      assert(shape === undefined || shape === n);
      if (shape !== undefined) found++;
    }
    return found;
  };
  for (let n = 0; n < most; n++) hold(cache, identity(n), n);
  // A few sets are full by then.
  const before = held(most);
  assert(before <= most && before > most * 0.9, `${before} of ${most} were held`);
  let n = most;
  for (; n < 2 * most && held(n) >= before; n += 64) {
    for (let more = 0; more < 64; more++) hold(cache, identity(n + more), n + more);
  }
  assert(n < 2 * most, "nothing went");
  hold(cache, identity(n), n);
  assertEquals(find(cache, identity(n)), n);
});

Deno.test("ShapeCache counts the bytes that it holds: the same in other words never makes it give up", () => {
  const cache = new ShapeCache<number>();
  const kept = Uint8Array.of(255, 255, 255, 255, 255);
  hold(cache, kept, -1);
  // One set, whose places are taken again and again by identities of nearly the same length.
  const alike = inOneSet().take(2 * WAYS).toArray();
  for (let i = 0; i < MAX_SHAPES_BYTES / 4; i++) hold(cache, alike[i % alike.length], i);
  assertEquals(find(cache, kept), -1);
});

Deno.test("PointDecoder gives each point its own shape, though shapes go all the time", () => {
  const shapes: PointShapes = new ShapeCache();
  const decoder = new PointDecoder(shapes);
  const random = new Random(7);
  for (let round = 0; round < 20; round++) {
    const expected: [string, number][] = [];
    for (let i = 0; i < 1_500; i++) {
      const source = `source-${random.below(2 * MAX_SHAPES)}${random.below(50) === 0 ? "x".repeat(5_000) : ""}`;
      const message = toBinary(DataPointSchema, create(DataPointSchema, { source, metrics: { m: i } }));
      decoder.add(message, 0, message.length);
      expected.push([source, i]);
    }
    const { shapes: taken, shapeOf, values } = decoder.take();
    assertEquals(Array.from(shapeOf, (s, i) => [taken[s].source, values[i]]), expected);
  }
});

Deno.test("ShapeCache returns the object that it was given", () => {
  const cache = new ShapeCache<object>();
  const shape = {};
  hold(cache, Uint8Array.of(1), shape);
  assertStrictEquals(find(cache, Uint8Array.of(1)), shape);
});
