/**
 * `deno task test:tail [--clients N] [--lines N] [--seconds N]`: many follow the log of a busy service, and one of them does
 * not keep up.
 *
 * @module
 */
import { assertEquals, assertGreater } from "@std/assert";
import { parseArgs } from "node:util";
import { createSluice, type Sluice } from "../../client/mod.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const { values } = parseArgs({
  args: Deno.args,
  options: {
    clients: { type: "string", default: "20" },
    lines: { type: "string", default: "1000" },
    seconds: { type: "string", default: "60" },
  },
});
const [clients, linesPerSecond, seconds] = [values.clients, values.lines, values.seconds].map(Number);
const total = linesPerSecond * seconds;
const filler = "x".repeat(1500);

/** What a follower has seen. */
interface Follower {
  /** Lines by their number. */
  readonly seen: Uint8Array;
  received: number;
  missed: number;
  /** The longest that a line took from its time to here, ms. */
  slowest: number;
  readonly ready: Promise<void>;
  readonly done: Promise<void>;
}

/** How long the slow one takes over a message, ms. */
const SLOW_MS = 3000;

/** Follows until all lines are there or counted; slowly, until `hurry` says so. */
function follow(sluice: Sluice, hurry: Promise<void> | undefined): Follower {
  const ready = Promise.withResolvers<void>();
  const follower = { seen: new Uint8Array(total), received: 0, missed: 0, slowest: 0 };
  const done = (async () => {
    for await (const { hits, missed } of sluice.tailLogs({ query: "app:tailed" })) {
      ready.resolve();
      if (hurry) await Promise.race([hurry, new Promise((resolve) => setTimeout(resolve, SLOW_MS))]);
      const now = Date.now();
      follower.missed += Number(missed);
      for (const { entry } of hits) {
        follower.seen[Number(entry!.fields.number)]++;
        follower.received++;
        follower.slowest = Math.max(follower.slowest, now - Number(entry!.timestamp));
      }
      if (follower.received + follower.missed >= total) return;
    }
  })();
  return Object.assign(follower, { ready: ready.promise, done });
}

await using server = await startServer();
const sluice = createSluice({ url: server.url });
const written = Promise.withResolvers<void>();
const followers = Array.from({ length: clients }, () => follow(sluice, undefined));
const slow = follow(sluice, written.promise);
await Promise.all([...followers, slow].map(({ ready }) => ready));

const start = performance.now();
const writer = sluice.logWriter({ window: { ms: 200 } });
for (let i = 0; i < total; i++) {
  const due = i / linesPerSecond * 1000 - (performance.now() - start);
  if (due > 5) await new Promise((resolve) => setTimeout(resolve, due));
  await writer.write({
    application: "tailed",
    timestamp: Date.now(),
    message: `line ${i} ${filler}`,
    fields: { number: String(i) },
  });
}
await writer.close();
written.resolve();
await Promise.race([
  Promise.all([...followers, slow].map(({ done }) => done)),
  new Promise((resolve) => setTimeout(resolve, 30_000)),
]);
for (const { seen, received, missed } of followers) {
  assertEquals([received, missed, seen.every((times) => times === 1)], [total, 0, true]);
}
await until(() => slow.received + slow.missed === total, 1000);
assertGreater(slow.missed, 0);
assertEquals(slow.seen.every((times) => times <= 1), true);
const slowest = Math.max(...followers.map(({ slowest }) => slowest));
console.log(
  `${clients} followers of ${linesPerSecond} lines/s for ${seconds} s: none missing, none twice, at the latest after ` +
    `${slowest} ms; one that took a message each ${SLOW_MS} ms had ${slow.received} and was told of ${slow.missed} that it missed`,
);
// Those who follow have no end of their own.
await server[Symbol.asyncDispose]();
Deno.exit(0);
