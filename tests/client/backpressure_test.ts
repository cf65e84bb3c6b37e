import { assert, assertEquals, assertInstanceOf, assertLess, assertRejects } from "@std/assert";
import { systemClock } from "../../client/clock.ts";
import { readEnvelopes } from "../../client/envelope.ts";
import type { OpenWindow } from "../../client/feed.ts";
import { ItemsFeed } from "../../client/items_feed.ts";
import { type PointInit, writePoint } from "../../client/items.ts";
import { createSluice, SluiceError } from "../../client/mod.ts";
import { PushProducer } from "../../client/producers.ts";

/** A thousand of them make a window. */
const FILLER = "x".repeat(1000);

function pointOf(source: string): PointInit {
  return { source, timestamp: 1, metrics: { x: 1 } };
}

/** How many items go out with a window that is sent whole. */
async function countOf({ body }: OpenWindow): Promise<number> {
  return (await Array.fromAsync(readEnvelopes((await body as Blob).stream()))).length;
}

Deno.test("ItemsFeed: flushes behind a window on its way make no more windows, and are sent when it is their turn", async () => {
  const feed = new ItemsFeed<PointInit>(new PushProducer(), {
    write: writePoint,
    clock: systemClock,
    window: { bytes: 128 * 1024 },
  });
  const put = (count: number) => {
    for (let i = 0; i < count; i++) {
      feed.put(pointOf(FILLER));
      if (feed.full) feed.collect();
      feed.flush();
    }
  };
  put(1);
  const first = feed.open("windows", () => {});
  assertEquals(await countOf(first), 1);
  put(100);
  assert(!feed.blocked);
  put(100);
  assert(feed.blocked);
  // Who puts all the same does not make it less so.
  put(500);
  assert(feed.blocked);
  // Each is sent as far as it is filled, nothing of it alone.
  const sizes: number[] = [];
  for (let at = 1; at < feed.made; at += sizes.at(-1)!) {
    feed.commit(at);
    sizes.push(await countOf(feed.open("windows", () => {})));
  }
  assertEquals(sizes, [128, 128, 128, 128, 128, 60]);
  feed.commit(feed.made);
  assert(!feed.blocked);
  assertEquals(feed.held, 0);
  feed.release();
});

Deno.test("pointWriter() makes who writes and flushes wait, though nobody answers", async () => {
  const abortable: typeof fetch = (_input, init) =>
    new Promise((_, reject) => init!.signal!.addEventListener("abort", () => reject(new TypeError("aborted"))));
  const sluice = createSluice({ url: "http://nowhere.test", fetch: abortable });
  const writer = sluice.pointWriter();
  let made = 0;
  for (;;) {
    made++;
    const room = writer.write(pointOf(FILLER));
    writer.flush().catch(() => {});
    if (room !== undefined) break;
  }
  // The first one is sealed at once, the one after it has 1 MiB.
  assertLess(made, 1200);
  // Not that a promise for each of many calls had to be chained to the others.
  for (let i = 0; i < 20_000; i++) assertInstanceOf(writer.write(pointOf("a")), Promise);
  await new Promise((resolve) => setTimeout(resolve, 0));
  sluice.close();
  await assertRejects(() => writer.close(), SluiceError, "closed");
});
