import { assertEquals, assertRejects } from "@std/assert";
import type { Fault } from "./faults.ts";
import { SimKv, type SimulatedKv } from "./kv.ts";
import { MachineClock, Process } from "./process.ts";
import { Random } from "./random.ts";
import { World } from "./world.ts";

function simulated(fault?: Fault) {
  const world = new World({ seed: 1, faults: false });
  if (fault) world.faults.force(fault);
  const process = new Process(world, "p", new MachineClock(world));
  const sim = new SimKv();
  return { world, process, sim, kv: sim.open(process) };
}

/** Runs the same on a simulated KV, and on Deno's. */
async function onBoth<T>(scenario: (kv: SimulatedKv) => Promise<T>): Promise<[simulated: T, real: T]> {
  const { world, kv } = simulated();
  using real = await Deno.openKv(":memory:");
  return [await world.scheduler.complete(() => scenario(kv)), await scenario(real)];
}

/** What an operation comes to, as text. */
async function outcome(fn: () => Promise<unknown>): Promise<string> {
  try {
    return Deno.inspect(await fn());
  } catch (error) {
    return String(error);
  }
}

Deno.test("SimKv gives the answers of Deno KV to random operations", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const [fake, real] = await onBoth(async (kv) => {
      const random = new Random(seed);
      const answers: unknown[] = [];
      const key = (): Deno.KvKey => ["k", random.pick(["a", "b"]), random.between(0, 5)];
      const counter = (): Deno.KvKey => ["n", random.between(0, 2)];
      const known = new Map<string, string | null>();
      const bare = <T>({ key, value }: Deno.KvEntryMaybe<T>) => ({ key, value });
      for (let i = 0; i < 60; i++) {
        switch (random.between(0, 4)) {
          case 0: {
            const entry = await kv.get(key());
            known.set(entry.key.join(), entry.versionstamp);
            answers.push(bare(entry));
            break;
          }
          case 1:
            answers.push((await kv.getMany([key(), counter(), key()])).map(bare));
            break;
          case 2: {
            const low = random.between(0, 5);
            const selector: Deno.KvListSelector = random.pick([
              { prefix: ["k"] },
              { prefix: ["k", "a"], start: ["k", "a", low] },
              { prefix: ["k", "b"], end: ["k", "b", low] },
              { start: ["k", "a", low], end: ["n"] },
              { prefix: [] },
            ]);
            const options = {
              reverse: random.chance(0.5),
              batchSize: random.between(1, 4),
              ...(random.chance(0.3) && { limit: random.between(1, 5) }),
            };
            answers.push((await Array.fromAsync(kv.list(selector, options))).map(bare));
            break;
          }
          default: {
            const operation = kv.atomic();
            for (const checked of random.chance(0.5) ? [key()] : []) {
              operation.check({ key: checked, versionstamp: known.get(checked.join()) ?? null });
            }
            for (let m = random.between(0, 3); m > 0; m--) {
              const kind = random.between(0, 2);
              if (kind === 0) operation.set(key(), random.bytes(3));
              else if (kind === 1) operation.delete(key());
              else operation.sum(counter(), random.pick([1n, 2n ** 64n - 1n]));
            }
            answers.push((await operation.commit()).ok);
          }
        }
      }
      answers.push((await Array.fromAsync(kv.list({ prefix: [] }))).map(bare));
      return answers;
    });
    assertEquals(fake, real, `seed ${seed}`);
  }
});

Deno.test("SimKv has the limits of Deno KV, with its messages", async () => {
  const bytes = (n: number) => new Uint8Array(n);
  const [fake, real] = await onBoth(async (kv) => {
    const values = (total: number) => {
      const operation = kv.atomic();
      let n = 0;
      // Each of these keys has 12 bytes, and counts twice.
      for (let left = total; left > 0; left -= 65536 + 24) {
        operation.set(["v", n++], bytes(Math.min(left - 24, 65536)));
      }
      return operation.commit();
    };
    const keys = (n: number, kind: "set" | "sum" | "delete") => {
      const operation = kv.atomic();
      for (let i = 0; i < n; i++) {
        const key = [kind.padEnd(2037), i];
        if (kind === "set") operation.set(key, bytes(1));
        else if (kind === "sum") operation.sum(key, 1n);
        else operation.delete(key);
      }
      return operation.commit();
    };
    const many = (checks: number, mutations: number) => {
      const operation = kv.atomic();
      for (let i = 0; i < checks; i++) operation.check({ key: ["none", i], versionstamp: null });
      for (let i = 0; i < mutations; i++) operation.delete(["none", i]);
      return operation.commit();
    };
    const tries: (() => Promise<{ ok: boolean } | unknown>)[] = [
      () => kv.atomic().set([], bytes(1)).commit(),
      () => kv.get([]),
      () => kv.get(["x".repeat(2047)]),
      () => kv.get(["x".repeat(2048)]),
      () => kv.atomic().set(["x".repeat(2046)], bytes(1)).commit(),
      () => kv.atomic().set(["x".repeat(2047)], bytes(1)).commit(),
      () => kv.atomic().set(["x"], bytes(65536)).commit(),
      () => kv.atomic().set(["x"], bytes(65537)).commit(),
      () => kv.atomic().sum(["x"], 1n).commit(),
      () => values(819200),
      () => values(819201),
      () => keys(40, "set"),
      () => keys(41, "set"),
      () => keys(40, "sum"),
      () => keys(41, "sum"),
      () => keys(50, "delete"),
      () => many(100, 1000),
      () => many(101, 0),
      () => many(0, 1001),
      () => kv.getMany(Array.from({ length: 11 }, (_, i) => ["none", i])),
      () => Array.fromAsync(kv.list({ prefix: ["none"] }, { batchSize: 1001 })),
      () => Array.fromAsync(kv.list({ prefix: ["k"], start: ["l"] })),
      () => Array.fromAsync(kv.list({ prefix: ["k"], end: ["j"] })),
      () => Array.fromAsync(kv.list({ start: ["k"], end: ["j"] })),
    ];
    const outcomes: string[] = [];
    for (const fn of tries) outcomes.push((await outcome(fn)).replace(/versionstamp: "\w+"/, "versionstamp"));
    kv.close();
    return outcomes;
  });
  assertEquals(fake, real);
});

Deno.test("SimKv keeps its own copies of values", async () => {
  const [fake, real] = await onBoth(async (kv) => {
    const value = new Uint8Array([1]);
    const committed = kv.atomic().set(["a"], value).commit();
    value[0] = 2;
    await committed;
    const read = await kv.get<Uint8Array>(["a"]);
    read.value![0] = 3;
    return (await kv.get(["a"])).value;
  });
  assertEquals(fake, real);
});

/** Commits a set that is checked and a sum that is not, with one fault; says what came of it within a minute and in the end. */
async function commitWith(fault: Fault): Promise<{ answer: string; early: bigint | null; late: bigint | null }> {
  const { world, sim, kv } = simulated(fault);
  let answer = "none";
  const operation = kv.atomic().check({ key: ["a"], versionstamp: null }).set(["a"], new Uint8Array(1)).sum(["n"], 1n);
  outcome(() => operation.commit()).then((text) => answer = text.includes("ok: true") ? "ok" : text);
  const calm = new World({ seed: 2, faults: false });
  const reader = sim.open(new Process(calm, "reader", new MachineClock(calm)));
  const count = () => calm.scheduler.complete(async () => (await reader.get<Deno.KvU64>(["n"])).value?.value ?? null);
  await world.scheduler.complete(() => world.scheduler.sleep(1900));
  const early = await count();
  await world.scheduler.complete(() => world.scheduler.sleep(100_000));
  return { answer, early, late: await count() };
}

Deno.test("SimKv fails in the ways that KV does", async () => {
  assertEquals(await commitWith("kv.error"), { answer: "TypeError: connection refused", early: null, late: null });
  assertEquals(await commitWith("kv.locked"), { answer: "TypeError: database is locked", early: null, late: null });
  assertEquals(await commitWith("kv.silent"), { answer: "none", early: null, late: null });
  assertEquals(await commitWith("kv.lost"), {
    answer: "TypeError: connection closed before message completed",
    early: 1n,
    late: 1n,
  });
  assertEquals(await commitWith("kv.resent"), { answer: "{ ok: false }", early: 1n, late: 1n });
  assertEquals(await commitWith("kv.late"), { answer: "ok", early: null, late: 1n });
});

Deno.test("SimKv applies an unchecked commit twice where it is sent again", async () => {
  const { world, kv } = simulated("kv.resent");
  await world.scheduler.complete(() => kv.atomic().sum(["n"], 1n).commit());
  await world.scheduler.complete(() => world.scheduler.sleep(2000));
  const { value } = await world.scheduler.complete(() => kv.get<Deno.KvU64>(["n"]));
  assertEquals(value?.value, 2n);
});

Deno.test("SimKv: a handle that is closed answers nothing more", async () => {
  const { world, kv } = simulated();
  kv.close();
  await assertRejects(() => world.scheduler.complete(() => kv.get(["a"])), Deno.errors.BadResource);
});
