import { assertEquals } from "@std/assert";
import { parseRange } from "../../rpc/downloads.ts";

Deno.test("parseRange() is the part that was asked for", () => {
  const ranges: Record<string, [start: number, end: number]> = {
    "bytes=0-0": [0, 1],
    "bytes=0-99": [0, 100],
    "bytes=10-": [10, 100],
    "bytes=99-99": [99, 100],
    "bytes=50-1000": [50, 100],
    "bytes=-1": [99, 100],
    "bytes=-1000": [0, 100],
    "BYTES=1-2": [1, 3],
    "bytes= 1 - 2 ": [1, 3],
  };
  for (const [header, [start, end]] of Object.entries(ranges)) {
    assertEquals(parseRange(header, 100), { start, end }, header);
  }
});

Deno.test("parseRange() is the whole for none, several, and what it does not understand", () => {
  const whole = { start: 0, end: 100 };
  for (
    const header of [
      null,
      "",
      "bytes",
      "bytes=",
      "bytes=-",
      "bytes=5-4",
      "bytes=0-1,3-4",
      "items=0-1",
      "bytes=x-1",
      "bytes=0x1-2",
    ]
  ) {
    assertEquals(parseRange(header, 100), whole, String(header));
  }
  assertEquals(parseRange("bytes=1-99999999999999999999", 100), whole);
});

Deno.test("parseRange() is unsatisfiable beyond the end, and of an empty file", () => {
  for (const header of ["bytes=100-", "bytes=100-200", "bytes=-0"]) {
    assertEquals(parseRange(header, 100), "unsatisfiable", header);
  }
  for (const header of ["bytes=0-", "bytes=0-0", "bytes=-5"]) {
    assertEquals(parseRange(header, 0), "unsatisfiable", header);
  }
  assertEquals(parseRange(null, 0), { start: 0, end: 0 });
});
