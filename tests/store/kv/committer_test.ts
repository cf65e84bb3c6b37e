import { assert, assertEquals, assertRejects } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { KV_MAX_CHECKS, KV_MAX_MUTATIONS, KV_TIMEOUT_MS } from "../../../limits.ts";
import { Committer, ConflictError, type Operation } from "../../../store/kv/committer.ts";
import { type Kv, KvClient } from "../../../store/kv/kv.ts";
import { FakeClock } from "../../support/fake_clock.ts";

type Commit = () => Promise<Deno.KvCommitResult | Deno.KvCommitError>;

/** A KV whose commits the test counts and may interfere with. */
async function open(interfere: (commit: Commit, n: number) => ReturnType<Commit> = (commit) => commit()) {
  const db = await Deno.openKv(":memory:");
  let commits = 0;
  const kv: Kv = {
    get: db.get.bind(db),
    getMany: db.getMany.bind(db),
    list: db.list.bind(db),
    atomic: () => {
      const operation = db.atomic();
      const commit = operation.commit.bind(operation);
      operation.commit = () => interfere(commit, commits++);
      return operation;
    },
  };
  const clock = new FakeClock();
  const client = new KvClient(kv, clock);
  return {
    db,
    clock,
    client,
    committer: new Committer(client),
    get commits() {
      return commits;
    },
    [Symbol.dispose]: () => db.close(),
  };
}

function set(name: string, value: string, versionstamp: string | null = null): Operation {
  const key = [name];
  const bytes = new TextEncoder().encode(value);
  return {
    checks: [{ key, versionstamp }],
    mutations: [{ type: "set", key, value: bytes }],
    proof: { key, value: bytes },
  };
}

const read = async (db: Deno.Kv, name: string) => {
  const { value } = await db.get<Uint8Array>([name]);
  return value && new TextDecoder().decode(value);
};

Deno.test("Committer.commit() joins what waits into few atomics, within KV's limits", async () => {
  using t = await open();
  const count = 5 * KV_MAX_CHECKS;
  await Promise.all(Array.from({ length: count }, (_, i) => t.committer.commit(set(`k${i}`, "v"))));
  assertEquals(t.commits, 5);
  const wide: Operation = {
    checks: [{ key: ["wide"], versionstamp: null }],
    mutations: Array.from(
      { length: KV_MAX_MUTATIONS },
      (_, i) => ({ type: "set", key: ["w", i], value: new Uint8Array(1) }),
    ),
    proof: { key: ["w", 0], value: new Uint8Array(1) },
  };
  await Promise.all([t.committer.commit(wide), t.committer.commit(set("next", "v"))]);
  assertEquals(t.commits, 7);
});

Deno.test("Committer.commit(): of two operations that check and write the same key, one loses", async () => {
  using t = await open();
  const results = await Promise.allSettled(["1", "2"].map((value) => t.committer.commit(set("a", value))));
  assertEquals(results.map(({ status }) => status), ["fulfilled", "rejected"]);
  assertEquals(await read(t.db, "a"), "1");
});

Deno.test("Committer.commit() joins operations that check a key which none of them writes", async () => {
  using t = await open();
  const aboveFloor = (name: string): Operation => {
    const own = set(name, "v");
    return { ...own, checks: [...own.checks, { key: ["floor"], versionstamp: null }] };
  };
  await Promise.all(["a", "b", "c"].map((name) => t.committer.commit(aboveFloor(name))));
  assertEquals(t.commits, 1);
  const operations = [aboveFloor("d"), set("floor", "v"), aboveFloor("e")];
  const results = await Promise.allSettled(operations.map((operation) => t.committer.commit(operation)));
  assertEquals(results.map(({ status }) => status), ["fulfilled", "fulfilled", "rejected"]);
});

Deno.test("Committer.commit() fails the operation that lost its check, and no other of its group", async () => {
  using t = await open();
  await t.db.set(["taken"], new Uint8Array(1));
  const results = await Promise.allSettled([
    t.committer.commit(set("a", "1")),
    t.committer.commit(set("taken", "2")),
    t.committer.commit(set("b", "3")),
  ]);
  assertEquals(results.map((r) => r.status), ["fulfilled", "rejected", "fulfilled"]);
  assert(results[1].status === "rejected" && results[1].reason instanceof ConflictError);
  assertEquals([await read(t.db, "a"), await read(t.db, "b")], ["1", "3"]);
});

Deno.test("Committer.commit() knows its own commit when KV reports it as a conflict", async () => {
  // A remote KV that resends after a lost answer does this.
  using t = await open(async (commit) => {
    await commit();
    return { ok: false };
  });
  const versionstamp = await t.committer.commit(set("a", "1"));
  assertEquals((await t.db.get(["a"])).versionstamp, versionstamp);
});

Deno.test("Committer.commit() knows its own commit when the answer is lost", async () => {
  using t = await open(async (commit) => {
    await commit();
    throw new Error("connection reset");
  });
  await Promise.all([t.committer.commit(set("a", "1")), t.committer.commit(set("b", "2"))]);
  assertEquals([await read(t.db, "a"), await read(t.db, "b")], ["1", "2"]);
});

Deno.test("Committer.commit() is UNAVAILABLE when KV fails, and works again when KV does", async () => {
  let broken = true;
  using t = await open((commit) => broken ? Promise.reject(new Error("disk I/O error")) : commit());
  const error = await assertRejects(() => t.committer.commit(set("a", "1")), ConnectError);
  assertEquals([error.code, await read(t.db, "a")], [Code.Unavailable, null]);
  broken = false;
  await t.committer.commit(set("a", "1"));
  assertEquals(await read(t.db, "a"), "1");
});

Deno.test("KvClient: a call without an answer is UNAVAILABLE after KV_TIMEOUT_MS", async () => {
  let release = () => {};
  using t = await open((commit) => new Promise((resolve) => release = () => resolve(commit())));
  const outcome = t.committer.commit(set("a", "1")).then(() => undefined, (error) => error);
  while (t.commits === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  t.clock.advance(KV_TIMEOUT_MS);
  const error = await outcome;
  assert(error instanceof ConnectError);
  assertEquals(error.code, Code.Unavailable);
  release();
});

Deno.test("Committer.commit(): nobody waits in line for a KV that does not answer", async () => {
  const never = new Promise<never>(() => {});
  using t = await open(() => never);
  t.client.kv.get = () => never;
  const outcomes = Promise.all(
    Array.from({ length: 25 }, (_, i) => t.committer.commit(set(`k${i}`, "v")).catch((error) => error.code)),
  );
  // One deadline for the commit, one for its proofs.
  for (let i = 0; i < 2; i++) {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve));
    t.clock.advance(KV_TIMEOUT_MS);
  }
  assertEquals(await outcomes, Array(25).fill(Code.Unavailable));
});
