import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ConnectError } from "@connectrpc/connect";
import { DAY, LEASE_MS } from "../../../limits.ts";
import { Lease, LeaseLostError } from "../../../store/kv/lease.ts";
import { createInstance, type Interfere } from "../../support/instances.ts";

function contender(db: Deno.Kv, holder: string, interfere?: Interfere) {
  const instance = createInstance(db, interfere);
  return { ...instance, lease: new Lease({ ...instance, name: "work", holder }) };
}

/** Has `other` see the lease, and again when it has stood unchanged for long enough. */
async function takeOver(other: ReturnType<typeof contender>): Promise<boolean> {
  assertEquals(await other.lease.take(), false);
  other.clock.advance(LEASE_MS);
  return await other.lease.take();
}

Deno.test("Lease.take(): one holds it; another takes it over once it has stood unchanged for LEASE_MS", async () => {
  using db = await Deno.openKv(":memory:");
  const [a, b] = [contender(db, "a"), contender(db, "b")];
  assert(await a.lease.take());
  assertEquals(await b.lease.take(), false);
  b.clock.advance(LEASE_MS - 1);
  assertEquals(await b.lease.take(), false);
  b.clock.advance(1);
  assert(await b.lease.take());
  assertEquals(await a.lease.take(), false);
  assertThrows(() => a.lease.check, LeaseLostError);
});

Deno.test("Lease.renew() keeps it from others, and writes no more often than it must", async () => {
  using db = await Deno.openKv(":memory:");
  const [a, b] = [contender(db, "a"), contender(db, "b")];
  await a.lease.take();
  const first = a.lease.check.versionstamp;
  await a.lease.renew();
  assertEquals(a.lease.check.versionstamp, first);
  for (let i = 0; i < 10; i++) {
    assertEquals(await b.lease.take(), false);
    for (const { clock } of [a, b]) clock.advance(LEASE_MS / 2);
    await a.lease.renew();
  }
  assert(a.lease.check.versionstamp !== first);
});

Deno.test("Lease.take(): a clock that jumps neither hastens a takeover nor delays it", async () => {
  using db = await Deno.openKv(":memory:");
  const [a, b] = [contender(db, "a"), contender(db, "b")];
  await a.lease.take();
  assertEquals(await b.lease.take(), false);
  b.clock.time += 100 * DAY;
  assertEquals(await b.lease.take(), false);
  b.clock.time -= 200 * DAY;
  assertEquals(await b.lease.take(), false);
  b.clock.advance(LEASE_MS);
  assert(await b.lease.take());
});

Deno.test("Lease.check: what a former holder does is refused, and it gets to know", async () => {
  using db = await Deno.openKv(":memory:");
  const [a, b] = [contender(db, "a"), contender(db, "b")];
  await a.lease.take();
  const { check } = a.lease;
  assert(await takeOver(b));
  assertEquals(await a.kv.atomic([check], [{ type: "set", key: ["x"], value: new Uint8Array(1) }]), undefined);
  assertEquals((await db.get(["x"])).value, null);
  await assertRejects(() => a.lease.ensure(), LeaseLostError);
  // One that does not know yet learns of it when it renews.
  const c = contender(db, "c");
  assert(await takeOver(c));
  b.clock.advance(LEASE_MS);
  await assertRejects(() => b.lease.renew(), LeaseLostError);
  await assertRejects(() => b.lease.renew(), LeaseLostError);
  assert(await takeOver(a));
});

Deno.test("Lease.ensure(): another check that did not hold is no reason to stop", async () => {
  using db = await Deno.openKv(":memory:");
  const a = contender(db, "a");
  await a.lease.take();
  assertEquals(await a.kv.atomic([a.lease.check, { key: ["x"], versionstamp: "00000000000000000001" }], []), undefined);
  await a.lease.ensure();
  assert(await a.kv.atomic([a.lease.check], []));
});

Deno.test("Lease.release() lets another take it at once, and takes nothing from a new holder", async () => {
  using db = await Deno.openKv(":memory:");
  const [a, b, c] = ["a", "b", "c"].map((holder) => contender(db, holder));
  await a.lease.take();
  const { check } = a.lease;
  await a.lease.release();
  assertThrows(() => a.lease.check, LeaseLostError);
  assert(await b.lease.take());
  assertEquals(await a.kv.atomic([check], []), undefined);
  assert(await takeOver(c));
  await b.lease.release();
  await b.lease.release();
  await c.lease.ensure();
});

Deno.test("Lease.release() waits for what is being written", async () => {
  using db = await Deno.openKv(":memory:");
  const began = Promise.withResolvers<void>();
  const a = contender(db, "a", (commit, n) => {
    if (n === 0) began.resolve();
    return commit();
  });
  const taking = a.lease.take();
  await began.promise;
  await a.lease.release();
  await taking;
  assertThrows(() => a.lease.check, LeaseLostError);
  assert(await contender(db, "b").lease.take());
});

Deno.test("Lease.take(): of many that take over at once, one does", async () => {
  using db = await Deno.openKv(":memory:");
  await contender(db, "dead").lease.take();
  const all = Array.from({ length: 10 }, (_, i) => contender(db, `${i}`));
  for (const { lease } of all) await lease.take();
  for (const { clock } of all) clock.advance(LEASE_MS);
  const taken = await Promise.all(all.map(({ lease }) => lease.take()));
  assertEquals(taken.filter(Boolean).length, 1);
});

Deno.test("Lease.take() knows its own value when KV reports it as a conflict, or not at all", async () => {
  for (const answer of [() => Promise.resolve({ ok: false } as const), () => Promise.reject(new Error("reset"))]) {
    using db = await Deno.openKv(":memory:");
    const a = contender(db, "a", async (commit) => {
      await commit();
      return await answer();
    });
    assert(await a.lease.take());
    await a.lease.ensure();
  }
});

Deno.test("Lease.take(): a renewal that is carried out late is still of the same holder", async () => {
  using db = await Deno.openKv(":memory:");
  let late: (() => Promise<unknown>) | undefined;
  const a = contender(db, "a", (commit, n) => {
    if (n !== 1) return commit();
    late = commit;
    return Promise.reject(new Error("connection reset"));
  });
  await a.lease.take();
  a.clock.advance(LEASE_MS);
  await assertRejects(() => a.lease.renew(), ConnectError);
  assertThrows(() => a.lease.check, LeaseLostError);
  await late?.();
  assert(await a.lease.take());
  await a.lease.ensure();
});

Deno.test("Lease.take(): a damaged value is taken over like any other", async () => {
  using db = await Deno.openKv(":memory:");
  await db.set(["lease", "work"], new Uint8Array(20));
  const a = contender(db, "a");
  assert(await takeOver(a));
  assertEquals(a.damaged, ["lease/work", "lease/work"]);
});
