import { assert, assertEquals, assertLess } from "@std/assert";
import { LEASE_MS } from "../../limits.ts";
import { keysIn } from "../support/data_dir.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

Deno.test("housekeeping: a server that is stopped leaves it to another over the same store at once", async () => {
  const dir = await Deno.makeTempDir({ prefix: "sluice-test-" });
  try {
    const env = { SLUICE_HOUSEKEEPING_SECONDS: "1" };
    const isHeld = async () => (await keysIn(dir, "lease")).length === 1;
    await using first = await startServer({ dir, env });
    await until(isHeld, 10_000);
    await using second = await startServer({ dir, env });
    assertEquals((await first.stop()).code, 0);
    const began = performance.now();
    await until(isHeld, LEASE_MS);
    assertLess(performance.now() - began, LEASE_MS / 2);
    assertEquals((await second.stop()).code, 0);
    assert(!await isHeld());
    for (const { stderr } of [first, second]) assert(!stderr().includes("failed"), stderr());
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
