/**
 * Two endpoints over one store: one that dies, in one way or another, and one that is slow.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { createSluice, type SluiceEvent } from "../../client/mod.ts";
import { numberedPoints, storedOf } from "../client/buffered_points.ts";
import { Random } from "../store/format/random.ts";
import { startProxy } from "../support/proxy.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

/** How late the slow one's answers come, ms. */
const DELAY_MS = 250;
const CALL_TIMEOUT_MS = 2000;

/** Kills or freezes one endpoint while a stream goes to both, and prints how long nothing was committed. */
export async function failOver(signal: "SIGKILL" | "SIGSTOP"): Promise<void> {
  await using slow = await startServer();
  await using dying = await startServer({ dir: slow.dir });
  await using proxy = startProxy({
    ...{ port: Number(new URL(slow.url).port), random: new Random(1), faults: ["none"], delayMs: DELAY_MS },
  });
  const events: (SluiceEvent & { at: number })[] = [];
  const sluice = createSluice({
    urls: [proxy.url, dying.url],
    callTimeoutMs: CALL_TIMEOUT_MS,
    rate: { itemsPerSecond: 5000 },
    onEvent: (event) => events.push({ ...event, at: performance.now() }),
  });
  const streams = Array.from({ length: 4 }, (_, i) =>
    sluice.sendPoints(numberedPoints(`f${i}`, 0, 20_000), {
      window: { items: 500, ms: 500 },
    }));
  const received = (url: string) => events.some((event) => event.type === "receipt" && event.url === url);
  await until(() => received(proxy.url) && received(dying.url), 20_000);
  let died = performance.now();
  if (signal === "SIGSTOP") died = await freeze(dying, slow.url);
  else dying.kill(signal);
  for (const stream of streams) assertEquals((await stream).successfulCount, 20_000);
  const longest = Math.max(...streams.map((_, i) => gapAfter(events, died, i)));
  if (signal === "SIGSTOP") dying.kill("SIGCONT");
  for (let i = 0; i < streams.length; i++) assertEquals(await storedOf(slow.url, `f${i}`), 20_000);
  const ejected = events.find(({ type }) => type === "ejected");
  const probes = events.filter((event) => event.type === "probe" && !event.healthy).length;
  console.log(
    `${signal.padEnd(8)}  a stream's first receipt elsewhere after at most ${
      longest.toFixed(0)
    } ms (one call may take ` +
      `${CALL_TIMEOUT_MS} ms, the other endpoint answers ${DELAY_MS} ms late); ejected ` +
      `${ejected === undefined ? "never" : `after ${(ejected.at - died).toFixed(0)} ms`}, ${probes} probes failed; ` +
      "all stored exactly once",
  );
}

/**
 * Stops a process, and gives the moment. Not in the middle of a transaction: then it holds SQLite's lock, and all who share
 * the file with it wait for it to go on.
 */
async function freeze(dying: TestServer, other: string): Promise<number> {
  const sluice = createSluice({ url: other, retry: false });
  for (;;) {
    const moment = performance.now();
    dying.kill("SIGSTOP");
    const point = { source: "freeze", timestamp: Date.now(), metrics: { x: 1 } };
    const isWell = await sluice.sendPoints([point], { deadlineMs: 1500 }).then(() => true, () => false);
    if (isWell) return moment;
    dying.kill("SIGCONT");
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** How long after a moment a stream had its first receipt, ms. Streams are told apart by the order of their first calls. */
function gapAfter(events: (SluiceEvent & { at: number })[], moment: number, index: number): number {
  const ids = new Set(events.flatMap((event) => event.type === "call" ? [event.streamId] : []));
  const id = [...ids][index];
  const receipt = events.find((event) => event.type === "receipt" && event.streamId === id && event.at > moment);
  return receipt === undefined ? 0 : receipt.at - moment;
}
