import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { DAY, MAX_FUTURE_MS } from "../../limits.ts";
import { timeBounds, timestampFault } from "../../services/time_bounds.ts";

const NOW = 1_700_000_000_000;
const bounds = timeBounds(NOW, 30 * DAY);

Deno.test("timestampFault() takes the whole of retention and a day ahead, ends included", () => {
  for (const t of [NOW, NOW - 30 * DAY, NOW + MAX_FUTURE_MS]) assertEquals(timestampFault(t, bounds), undefined);
});

Deno.test("timestampFault() refuses what lies a millisecond beyond, and what is no number", () => {
  for (const t of [NOW - 30 * DAY - 1, NOW + MAX_FUTURE_MS + 1, 0, -1, NaN, 2 ** 63]) {
    const fault = timestampFault(t, bounds);
    assert(fault, String(t));
    assertEquals([fault.code, fault.field], ["INVALID_ARGUMENT", "timestamp"]);
    assertStringIncludes(fault.reason, String(t));
  }
});

Deno.test("timestampFault() says which end it is", () => {
  assertStringIncludes(timestampFault(NOW * 1000, bounds)?.reason ?? "", "24 hours ahead");
  assertStringIncludes(timestampFault(NOW / 1000, bounds)?.reason ?? "", "30 days that are kept");
});
