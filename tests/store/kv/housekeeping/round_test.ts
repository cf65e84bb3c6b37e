import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { KV_TIMEOUT_MS, LEASE_MS } from "../../../../limits.ts";
import { LeaseLostError } from "../../../../store/kv/lease.ts";
import { litter, openHouse } from "../../../support/house.ts";

Deno.test("Housekeeping.round() is for the one that has the lease", async () => {
  using store = await openHouse();
  const [a, b] = [store.instance("a"), store.instance("b")];
  const nothing = { hours: 0, series: 0, uploads: 0, pieces: 0, streams: 0, journals: 0, runs: 0 };
  assertEquals(await a.round(), nothing);
  const all = await litter(store);
  assertEquals(await b.round(), nothing);
  assertEquals(await a.round(), all);
  const left = await store.keys();
  assertEquals(
    left.filter((key) => !/^(stream\/t\/file\/up-|rejections\/t\/file\/up-|streams\/|floor\/)/.test(key)),
    [],
  );
  assertEquals(await store.pieces(), []);
  // One that stops leaves it to others at once.
  await litter(store);
  await a.housekeeping.stop();
  assertEquals(await b.round(), all);
});

Deno.test("Housekeeping: a paused holder that comes back changes nothing, wherever it was paused", async () => {
  let positions = 0;
  for (let paused = 1, wasPaused = true; wasPaused; paused++) {
    using store = await openHouse();
    wasPaused = false;
    const here = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const late: boolean[] = [];
    const a = store.instance("a", async (commit, n) => {
      if (n < paused) return await commit();
      wasPaused = true;
      here.resolve();
      await goOn.promise;
      const result = await commit();
      late.push(result.ok);
      return result;
    });
    const b = store.instance("b");
    const all = await litter(store);
    const round = a.round();
    const outcome = round.then(() => undefined, (error) => error);
    await Promise.race([here.promise, outcome]);
    if (!wasPaused) {
      assertEquals(await round, all);
      break;
    }
    await b.round();
    b.clock.advance(LEASE_MS);
    await b.round();
    // What the late one wants to delete is there again, by now with another meaning.
    await litter(store);
    const [keys, pieces] = [await store.keys(), await store.pieces()];
    // Its own time stood still in half of the cases.
    if (paused % 2 === 0) a.clock.advance(LEASE_MS);
    goOn.resolve();
    const error = await outcome;
    assert(error instanceof LeaseLostError || error instanceof ConnectError, String(error));
    // A call that ran into its deadline is carried out all the same.
    while (late.length === 0) await new Promise((resolve) => setTimeout(resolve));
    assertEquals(late.filter(Boolean), []);
    assertEquals([await store.keys(), await store.pieces()], [keys, pieces]);
    positions++;
  }
  assertLess(10, positions);
});

Deno.test("Housekeeping: the work of a dead holder is taken up where it died", async () => {
  using store = await openHouse();
  const a = store.instance("a", (commit, n) => n < 8 ? commit() : Promise.reject(new Error("killed")));
  const b = store.instance("b");
  const all = await litter(store);
  assertEquals((await assertRejects(a.round, ConnectError)).code, Code.Unavailable);
  await b.round();
  b.clock.advance(LEASE_MS);
  const removed = await b.round();
  assertLess(removed.hours, all.hours);
  assertEquals(removed.streams, all.streams);
  assertEquals(await store.pieces(), []);
});

Deno.test("Housekeeping: an operation of ours that KV reports as a conflict ends no round", async () => {
  using store = await openHouse();
  const a = store.instance("a", async (commit, n) => {
    const result = await commit();
    return n === 0 ? result : { ok: false };
  });
  await litter(store);
  assertEquals((await a.round()).hours, 0);
  assertEquals((await store.keys()).filter((key) => key.startsWith("points/")), []);
});

Deno.test("Housekeeping: a round that goes on for long keeps its lease", async () => {
  using store = await openHouse();
  const b = store.instance("b");
  let elapsed = 0;
  const a = store.instance("a", async (commit) => {
    const result = await commit();
    // As slow as a KV may be.
    const slow = KV_TIMEOUT_MS - 100;
    for (const { clock } of [a, b]) clock.advance(slow);
    elapsed += slow;
    // The lease cannot be had: it changes all the time.
    assertEquals((await b.round()).hours, 0);
    return result;
  });
  const all = await litter(store);
  // Ends the pauses between steps.
  const ticking = setInterval(() => a.clock.advance(10), 1);
  assertEquals(await a.round().finally(() => clearInterval(ticking)), all);
  assertLess(LEASE_MS, elapsed);
});
