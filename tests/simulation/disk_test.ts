import { assertEquals, assertRejects } from "@std/assert";
import type { Disk } from "../../store/blob/disk.ts";
import { SimDisk } from "./disk.ts";
import type { Fault } from "./faults.ts";
import { MachineClock, Process } from "./process.ts";
import { World } from "./world.ts";

/** Runs a scenario on a disk, cuts the power, and says what each file then holds. */
async function afterPowerCut(
  seed: number,
  scenario: (disk: Disk) => Promise<unknown>,
  fault?: Fault,
): Promise<Record<string, Uint8Array>> {
  const world = new World({ seed, faults: false });
  const sim = new SimDisk(world);
  const process = new Process(world, "p", new MachineClock(world));
  const run = <T>(fn: () => Promise<T>) => world.scheduler.complete(fn);
  if (fault) world.faults.force(fault);
  await run(async () => await scenario(sim.open(process)));
  world.faults.stop();
  process.crash();
  sim.powerCut();
  const disk = sim.open(new Process(world, "reader", new MachineClock(world)));
  const files: Record<string, Uint8Array> = {};
  for (const path of sim.tree().map((entry) => entry.split(":")[0])) {
    const file = await run(() => disk.open(path));
    const buffer = new Uint8Array(1 << 16);
    files[path] = buffer.subarray(0, await run(() => file.readAt(buffer, 0)));
  }
  return files;
}

/** How often each outcome comes, over many seeds. */
async function outcomes(
  scenario: (disk: Disk) => Promise<unknown>,
  show: (files: Record<string, Uint8Array>) => string,
  fault?: Fault,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (let seed = 1; seed <= 200; seed++) {
    const text = show(await afterPowerCut(seed, scenario, fault));
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return counts;
}

const names = (files: Record<string, Uint8Array>) => Object.keys(files).join(" ");
const filled = (byte: number, length: number) => new Uint8Array(length).fill(byte);

Deno.test("SimDisk keeps through a power cut what was synced, with its names", async () => {
  const seen = await outcomes(async (disk) => {
    await disk.makeDirectory("/d");
    await disk.syncDirectory("/");
    const file = await disk.createNew("/d/f");
    await file.write(filled(1, 2000));
    await file.syncData();
    await disk.syncDirectory("/d");
  }, (files) => `${names(files)} ${files["/d/f"]?.every((byte) => byte === 1)} ${files["/d/f"]?.length}`);
  assertEquals([...seen.keys()], ["/d/f true 2000"]);
});

Deno.test("SimDisk may forget a name that was not synced, whatever of the file was", async () => {
  const withoutFile = await outcomes(async (disk) => {
    await disk.makeDirectory("/d");
    await disk.syncDirectory("/");
    const file = await disk.createNew("/d/f");
    await file.write(filled(1, 10));
    await file.syncData();
  }, names);
  assertEquals([...withoutFile.keys()].sort(), ["", "/d/f"]);
  const withoutDirectory = await outcomes(async (disk) => {
    await disk.makeDirectory("/d");
    await disk.createNew("/d/f");
    await disk.syncDirectory("/d");
  }, names);
  assertEquals([...withoutDirectory.keys()].sort(), ["", "/d/f"]);
});

Deno.test("SimDisk may bring back a file whose removal was not synced", async () => {
  const scenario = (synced: boolean) => async (disk: Disk) => {
    await disk.createNew("/f");
    await disk.syncDirectory("/");
    await disk.remove("/f");
    if (synced) await disk.syncDirectory("/");
  };
  assertEquals([...(await outcomes(scenario(false), names)).keys()].sort(), ["", "/f"]);
  assertEquals([...(await outcomes(scenario(true), names)).keys()], [""]);
});

Deno.test("SimDisk keeps any sectors of what was written and not synced", async () => {
  const seen = await outcomes(async (disk) => {
    const file = await disk.createNew("/f");
    await disk.syncDirectory("/");
    await file.write(filled(1, 512));
    await file.syncData();
    await file.write(filled(2, 1024));
  }, (files) => [0, 512, 1024].map((at) => files["/f"][at] ?? "-").join());
  // The last sector without the one before it leaves a hole.
  assertEquals([...seen.keys()].sort(), ["1,-,-", "1,0,2", "1,2,-", "1,2,2"]);
});

Deno.test("SimDisk: a sync that failed keeps nothing for sure, nor does the one after it", async () => {
  const seen = await outcomes(
    async (disk) => {
      const file = await disk.createNew("/f");
      await disk.syncDirectory("/").catch(() => {});
      await file.write(filled(1, 10));
      await assertRejects(() => file.syncData(), Error, "Input/output");
    },
    (files) => files["/f"]?.[0] === 1 ? "there" : "gone",
    "disk.syncError",
  );
  assertEquals([...seen.keys()].sort(), ["gone", "there"]);
});

Deno.test("SimDisk: processes share it, a crash of one takes nothing, and a full one says so", async () => {
  const world = new World({ seed: 1, faults: false });
  const sim = new SimDisk(world);
  const [a, b] = ["a", "b"].map((name) => new Process(world, name, new MachineClock(world)));
  const [ofA, ofB] = [sim.open(a), sim.open(b)];
  await world.scheduler.complete(async () => {
    const file = await ofA.createNew("/f");
    await file.write(filled(7, 3));
    sim.isFull = true;
    await assertRejects(() => file.write(filled(7, 3)), Error, "No space left");
    await assertRejects(() => ofB.createNew("/g"), Error, "No space left");
    sim.isFull = false;
    a.crash();
    await assertRejects(() => ofB.createNew("/f"), Deno.errors.AlreadyExists);
    await assertRejects(() => ofB.open("/none"), Deno.errors.NotFound);
    assertEquals((await ofB.changedAt("/f")) <= b.now(), true);
    assertEquals((await Array.fromAsync(ofB.list("/"))).map(({ name }) => name), ["f"]);
    const buffer = new Uint8Array(3);
    assertEquals(await (await ofB.open("/f")).readAt(buffer, 0), 3);
    assertEquals(buffer, filled(7, 3));
  });
});

Deno.test("SimDisk: what was under way at a power cut never happens", async () => {
  const world = new World({ seed: 1, faults: false });
  const sim = new SimDisk(world);
  world.faults.force("disk.slow");
  const process = new Process(world, "p", new MachineClock(world));
  void sim.open(process).createNew("/f");
  process.crash();
  sim.powerCut();
  await world.scheduler.complete(() => world.scheduler.sleep(100_000));
  assertEquals(sim.tree(), []);
});
