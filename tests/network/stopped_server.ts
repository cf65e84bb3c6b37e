/**
 * An endless producer and a server that is stopped for a while.
 *
 * @module
 */
import { assertEquals, assertGreater, assertLess } from "@std/assert";
import { createSluice, type Way } from "../../client/mod.ts";
import { MIB } from "../../limits.ts";
import { numberedPoints, storedOf } from "../client/buffered_points.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

/** How much the memory of the process may grow meanwhile: the garbage of the retries. */
const GROWTH = 32 * MIB;

/** Sends, with no server for so many seconds, and prints what became of the producer and the memory. */
export async function whileStopped(transport: Way, forSeconds: number): Promise<void> {
  await using first = await startServer();
  const env = { SLUICE_LISTEN: `127.0.0.1:${new URL(first.url).port}` };
  const sluice = createSluice({ url: first.url, transport });
  let made = 0;
  let end = false;
  function* endless() {
    // Sums of their squares are exact up to here.
    for (let stream = 0;; stream++) {
      for (const point of numberedPoints(`s${stream}`, 0, 100_000)) {
        if (end) return;
        made++;
        yield point;
      }
    }
  }
  const sending = sluice.sendPoints(endless(), { window: { bytes: MIB } });
  for await (const { committed } of sending) if (committed > 500_000) break;
  await first.stop();
  let before = -1;
  await until(async () => {
    await new Promise((resolve) => setTimeout(resolve, 500));
    return before === (before = made);
  }, 20_000);
  const [paused, atFirst] = [made, Deno.memoryUsage().rss];
  let most = atFirst;
  for (let second = 0; second < forSeconds; second++) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    most = Math.max(most, Deno.memoryUsage().rss);
  }
  assertEquals(made, paused);
  assertLess(most - atFirst, GROWTH);
  await using _second = await startServer({ dir: first.dir, env });
  await until(() => made > paused + 200_000, 60_000);
  end = true;
  const { successfulCount } = await sending;
  assertEquals(successfulCount, made);
  let stored = 0;
  for (let stream = 0; stored < made; stream++) stored += await storedOf(first.url, `s${stream}`);
  assertEquals(stored, made);
  assertGreater(paused, 500_000);
  console.log(
    `${transport.padEnd(8)}  no server for ${forSeconds} s: producer held after ${paused} points, memory ` +
      `${mib(atFirst)} MiB, then at the most ${mib(most)} MiB; all ${made} stored exactly once`,
  );
}

function mib(bytes: number): string {
  return (bytes / MIB).toFixed(0);
}
