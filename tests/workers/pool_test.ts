import { assertMatch } from "@std/assert";
import { join } from "node:path";
import { ROOT } from "../support/server.ts";

Deno.test("startWorkers() says why a worker could not start", async () => {
  const dir = await Deno.makeTempDir({ prefix: "sluice-test-" });
  try {
    const args = ["run", "--cached-only", "-A", join(ROOT, "tests/workers/failing_start.ts"), dir];
    const { stdout } = await new Deno.Command(Deno.execPath(), { args, stderr: "inherit" }).output();
    assertMatch(
      new TextDecoder().decode(stdout),
      /^Cannot start a worker: Cannot listen: Address already in use \(.*\)\n$/,
    );
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
