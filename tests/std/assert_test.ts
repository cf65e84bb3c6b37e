import {
  assert,
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  assertExists,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
} from "@std/assert";

/** Runs what must fail and returns the text. */
function failure(fn: () => unknown): string {
  try {
    fn();
  } catch (error) {
    if (error instanceof AssertionError) return error.message;
    throw error;
  }
  throw new Error("no assertion failed");
}

Deno.test("assertEquals() takes equal structures as equal", () => {
  const cycle: Record<string, unknown> = { a: 1 };
  cycle.self = cycle;
  const other: Record<string, unknown> = { a: 1 };
  other.self = other;
  const pairs: [unknown, unknown][] = [
    [1, 1],
    [NaN, NaN],
    [10n, 10n],
    [{ a: { b: [1, 2] } }, { a: { b: [1, 2] } }],
    [{ a: 1, b: 2 }, { b: 2, a: 1 }],
    [Object.create(null), {}],
    [new Date(5), new Date(5)],
    [/a/g, /a/g],
    [new Map([["a", { x: 1 }]]), new Map([["a", { x: 1 }]])],
    [new Set([{ x: 1 }, 2]), new Set([2, { x: 1 }])],
    [new Uint8Array([1, 2]), new Uint8Array([1, 2])],
    [new Error("x"), new Error("x")],
    [{ [Symbol.iterator]: 1 }, { [Symbol.iterator]: 1 }],
    [cycle, other],
  ];
  for (const [a, b] of pairs) assertEquals(a, b);
});

Deno.test("assertEquals() takes unequal structures as unequal", () => {
  class A {}
  class B {}
  const pairs: [unknown, unknown][] = [
    [1, 2],
    [0, -0],
    [1, 1n],
    [null, undefined],
    [{ a: undefined }, {}],
    [[1, 2], [1, 2, 3]],
    [[undefined], []],
    [new A(), new B()],
    [new A(), {}],
    [new Date(5), new Date(6)],
    [/a/g, /a/i],
    [new Map([["a", 1]]), new Map([["a", 2]])],
    [new Set([1]), new Set([2])],
    [new Set([{ x: 1 }, { x: 1 }]), new Set([{ x: 1 }, { x: 2 }])],
    [new Uint8Array([1]), new Uint8Array([2])],
    [new Uint8Array([1]), [1]],
    [new Error("x"), new Error("y")],
    [new Error("x"), new TypeError("x")],
  ];
  for (const [a, b] of pairs) {
    assertNotEquals(a, b);
    assert(failure(() => assertEquals(a, b)).startsWith("Values are not equal"));
  }
});

Deno.test("assertEquals() says which lines differ", () => {
  const text = failure(() => assertEquals({ a: 1, b: 2, c: [1, 2, 3] }, { a: 1, b: 3, c: [1, 2, 4] }, "the sums"));
  assertStringIncludes(text, "Values are not equal: the sums");
  assertStringIncludes(text, "-     b: 2,");
  assertStringIncludes(text, "+     b: 3,");
  assertStringIncludes(text, "-       3,");
  assertStringIncludes(text, "+       4,");
  assertMatch(text, /^ {4} {2}c: \[$/m);
});

Deno.test("assertEquals() says of bytes where they differ, however many they are", () => {
  const a = new Uint8Array(20_000_000);
  const b = a.slice();
  b[19_000_000] = 7;
  assertStringIncludes(failure(() => assertEquals(a, b)), "differ from byte 19000000: 0 instead of 7");
});

Deno.test("assertStrictEquals() compares identity", () => {
  const o = {};
  assertStrictEquals(o, o);
  assertStringIncludes(failure(() => assertStrictEquals({}, {})), "not reference-equal");
  assertStringIncludes(failure(() => assertStrictEquals("a", "b")), "not strictly equal");
});

Deno.test("the orderings hold and fail as they should", () => {
  assertGreater(2, 1);
  assertGreaterOrEqual(2n, 2n);
  assertLess("a", "b");
  assertLessOrEqual(1, 1);
  assertEquals(failure(() => assertGreater(1, 1)), "Expect 1 > 1.");
  assertEquals(failure(() => assertGreaterOrEqual(1, 2, "why")), "Expect 1 >= 2: why");
  assertEquals(failure(() => assertLess(2, 2)), "Expect 2 < 2.");
  assertEquals(failure(() => assertLessOrEqual(3, 2)), "Expect 3 <= 2.");
});

Deno.test("assertAlmostEquals() allows the tolerance and no more", () => {
  assertAlmostEquals(0.1 + 0.2, 0.3);
  assertAlmostEquals(1.05, 1, 0.1);
  assertStringIncludes(failure(() => assertAlmostEquals(1.2, 1, 0.1)), "is greater than");
  failure(() => assertAlmostEquals(NaN, 1));
});

Deno.test("the checks of kinds and contents hold and fail as they should", () => {
  assertExists(0);
  assertStringIncludes(failure(() => assertExists(null)), "null or undefined");
  assertInstanceOf(new TypeError(), Error);
  assertStringIncludes(failure(() => assertInstanceOf(new Date(), Error)), 'instance of "Error" but was "Date"');
  assertArrayIncludes([{ a: 1 }, { a: 2 }], [{ a: 2 }]);
  assertStringIncludes(failure(() => assertArrayIncludes([1], [1, 2])), "missing");
  failure(() => assertMatch("abc", /d/));
  failure(() => assertStringIncludes("abc", "d"));
  assertEquals(failure(() => fail("so")), "Failed assertion: so");
  assertEquals(failure(() => assert(0, "zero")), "zero");
});

Deno.test("assertThrows() checks class and message and returns the error", () => {
  const thrower = () => {
    throw new TypeError("bad type");
  };
  const error: TypeError = assertThrows(thrower, TypeError, "bad");
  assertEquals(error.message, "bad type");
  assertInstanceOf(assertThrows(thrower), TypeError);
  assertStringIncludes(
    failure(() => assertThrows(thrower, RangeError)),
    'instance of "RangeError", but was "TypeError"',
  );
  assertStringIncludes(failure(() => assertThrows(thrower, TypeError, "good")), 'include "good"');
  assertEquals(failure(() => assertThrows(() => {})), "Expected function to throw.");
});

Deno.test("assertRejects() checks class and message and resolves to the error", async () => {
  const error: TypeError = await assertRejects(() => Promise.reject(new TypeError("bad type")), TypeError, "bad");
  assertEquals(error.message, "bad type");
  await assertRejects(() => assertRejects(() => Promise.resolve()), AssertionError, "Expected function to reject");
  await assertRejects(
    () =>
      assertRejects(() => {
        throw new Error("at once");
      }),
    AssertionError,
    "throws when expected to reject",
  );
});
