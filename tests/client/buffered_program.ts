/**
 * A program with an offline buffer, for tests that kill it. Writes points and prints how many are saved each time that is
 * so; in the end it closes its writer, if it is told to, and prints "closed".
 *
 * `deno run -A buffered_program.ts URL STATE_DIR SOURCE COUNT [close]`
 *
 * @module
 */
import { createSluice } from "../../client/mod.ts";
import { numberedPoints } from "./buffered_points.ts";

/** Points between two that are told of. */
const STEP = 250;

const [url, stateDir, source, count, close] = Deno.args;
const sluice = createSluice({ url, stateDir, retry: { baseMs: 5, maxMs: 50, budget: 1000, budgetPerSecond: 1000 } });
const writer = sluice.pointWriter({ buffer: "program", window: { bytes: 128 * 1024 } });
let written = 0;
for (const point of numberedPoints(source, 0, Number(count))) {
  await writer.write(point);
  if (++written % STEP > 0) continue;
  await writer.saved();
  console.log(written);
}
if (close === "close") {
  await writer.close();
  console.log("closed");
}
