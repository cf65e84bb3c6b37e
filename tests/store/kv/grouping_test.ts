import { assertEquals, assertRejects } from "@std/assert";
import { unavailable } from "../../../errors.ts";
import {
  FLUSH_ITEMS,
  FLUSH_MS,
  GROUP_BYTES,
  GROUP_HOURS,
  GROUP_NEW_SERIES,
  MAX_BUFFERED_BYTES,
} from "../../../limits.ts";
import { type Contribution, Grouping, Pending } from "../../../store/kv/grouping.ts";
import { FakeClock } from "../../support/fake_clock.ts";

/** A grouping whose commits the test ends one by one. */
function open() {
  const clock = new FakeClock();
  const groups: number[] = [];
  const commits: PromiseWithResolvers<void>[] = [];
  const grouping = new Grouping<Contribution>({
    clock,
    commit(group) {
      groups.push(group.length);
      const commit = Promise.withResolvers<void>();
      commits.push(commit);
      return commit.promise;
    },
  });
  const settled: unknown[] = [];
  const add = (c: Partial<Contribution> = {}) =>
    grouping.add({
      items: 1,
      bytes: 100,
      hours: 1,
      newSeries: 0,
      part: undefined,
      settle: (e) => settled.push(e ?? "ok"),
      ...c,
    });
  /** Lets promises that are resolved run. */
  const turn = () => new Promise<void>((resolve) => setTimeout(resolve));
  return { clock, grouping, groups, commits, settled, add, turn };
}

Deno.test("Grouping commits when enough items wait", async () => {
  const t = open();
  t.add({ items: FLUSH_ITEMS - 1 });
  await t.turn();
  assertEquals(t.groups, []);
  t.add();
  await t.turn();
  assertEquals(t.groups, [2]);
  t.commits[0].resolve();
  await t.turn();
  assertEquals(t.settled, ["ok", "ok"]);
});

Deno.test("Grouping commits when the oldest item has waited FLUSH_MS", async () => {
  const t = open();
  t.add();
  t.clock.advance(FLUSH_MS - 1);
  t.add();
  await t.turn();
  assertEquals(t.groups, []);
  t.clock.advance(1);
  await t.turn();
  assertEquals(t.groups, [2]);
  t.commits[0].resolve();
});

Deno.test("Grouping.urge() commits what waits; the next group fills meanwhile", async () => {
  const t = open();
  t.add();
  t.grouping.urge();
  await t.turn();
  for (let i = 0; i < 5; i++) t.add();
  t.grouping.urge();
  await t.turn();
  assertEquals(t.groups, [1]);
  t.commits[0].resolve();
  await t.turn();
  assertEquals(t.groups, [1, 5]);
  t.commits[1].resolve();
  await t.turn();
  assertEquals(t.settled.length, 6);
});

Deno.test("Grouping cuts a group by bytes, hours and new series", async () => {
  for (const limit of [{ bytes: GROUP_BYTES / 2 }, { hours: GROUP_HOURS / 2 }, { newSeries: GROUP_NEW_SERIES / 2 }]) {
    const t = open();
    for (let i = 0; i < 5; i++) t.add(limit);
    t.grouping.urge();
    for (let i = 0; i < 3; i++) {
      await t.turn();
      t.commits[i].resolve();
    }
    await t.turn();
    assertEquals(t.groups, "bytes" in limit ? t.groups : [2, 2, 1]);
    assertEquals(t.groups.reduce((a, b) => a + b), 5);
  }
});

Deno.test("Grouping tells a failure to those whose group it was", async () => {
  const t = open();
  t.add();
  t.grouping.urge();
  await t.turn();
  t.add();
  t.grouping.urge();
  t.commits[0].reject("disk");
  await t.turn();
  t.commits[1].resolve();
  await t.turn();
  assertEquals(t.settled, ["disk", "ok"]);
});

Deno.test("Grouping.room() waits while more than MAX_BUFFERED_BYTES are held", async () => {
  const t = open();
  t.add({ bytes: MAX_BUFFERED_BYTES + 1 });
  let room = false;
  const waiting = t.grouping.room().then(() => room = true);
  await t.turn();
  assertEquals(room, false);
  t.commits[0].resolve();
  await waiting;
});

Deno.test("Pending.settled() waits for all and throws the first failure", async () => {
  const pending = new Pending();
  const [a, b] = [pending.begin(), pending.begin()];
  const settled = pending.settled();
  a(new Error("first"));
  b(new Error("second"));
  await assertRejects(() => settled, Error, "first");
});

Deno.test("Grouping parts a group that KV does not take, so that one contribution fails alone", async () => {
  const tried: number[][] = [];
  const grouping = new Grouping<Contribution>({
    clock: new FakeClock(),
    commit(group) {
      tried.push(group.map(({ bytes }) => bytes));
      return group.some(({ bytes }) => bytes === 13) ? Promise.reject(new TypeError("too large")) : Promise.resolve();
    },
  });
  const settled = new Map<number, unknown>();
  for (const bytes of [11, 12, 13, 14]) {
    grouping.add({
      items: 1,
      bytes,
      hours: 1,
      newSeries: 0,
      part: undefined,
      settle: (error) => settled.set(bytes, error),
    });
  }
  grouping.urge();
  while (settled.size < 4) await new Promise((resolve) => setTimeout(resolve));
  assertEquals(tried, [[11, 12, 13, 14], [11, 12], [13, 14], [13], [14]]);
  assertEquals([...settled].filter(([, error]) => error !== undefined).map(([bytes]) => bytes), [13]);
});

Deno.test("Grouping begins a full group beside another, but no third one, and none that is only urged", async () => {
  const t = open();
  t.add();
  t.grouping.urge();
  await t.turn();
  t.add({ items: FLUSH_ITEMS });
  await t.turn();
  assertEquals(t.groups, [1, 1]);
  t.add({ items: FLUSH_ITEMS });
  t.add({ items: FLUSH_ITEMS });
  await t.turn();
  assertEquals(t.groups, [1, 1]);
  t.commits[0].resolve();
  await t.turn();
  assertEquals(t.groups, [1, 1, 2]);
  t.add();
  t.grouping.urge();
  t.commits[1].resolve();
  await t.turn();
  assertEquals(t.groups, [1, 1, 2]);
  t.commits[2].resolve();
  await t.turn();
  assertEquals(t.groups, [1, 1, 2, 1]);
  t.commits[3].resolve();
  await t.turn();
  assertEquals(t.settled.length, 5);
});

Deno.test("Grouping: nobody waits in line for a store that does not answer", async () => {
  const t = open();
  t.add();
  t.grouping.urge();
  await t.turn();
  for (let i = 0; i < 3; i++) t.add();
  const down = unavailable("the store does not answer");
  t.commits[0].reject(down);
  await t.turn();
  assertEquals(t.settled, [down, down, down, down]);
  t.add();
  t.grouping.urge();
  await t.turn();
  t.commits[1].resolve();
  await t.turn();
  assertEquals(t.settled.slice(4), ["ok"]);
});
