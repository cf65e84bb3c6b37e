import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { DELIBERATE_FAULTS } from "./deliberate_faults.ts";
import { parseOptions } from "./options.ts";
import { runSimulation } from "./simulation.ts";

Deno.test("runSimulation() finds no violation, and does the same again for the same seed", async () => {
  const hashes: string[] = [];
  for (let seed = 1; seed <= 30; seed++) {
    const { violations, hash } = await runSimulation({ seed });
    assertEquals(violations, [], `seed ${seed}`);
    hashes.push(hash);
  }
  assertEquals(new Set(hashes).size, hashes.length);
  for (const seed of [1, 7, 30]) assertEquals((await runSimulation({ seed })).hash, hashes[seed - 1]);
});

Deno.test("runSimulation() prints what its hash is of", async () => {
  const lines: string[] = [];
  const { hash } = await runSimulation({ seed: 2, print: (line) => lines.push(line) });
  assertNotEquals(lines.length, 0);
  assertEquals((await runSimulation({ seed: 2 })).hash, hash);
});

Deno.test("parseOptions() takes what the suite documents, and nothing else", () => {
  assertEquals(parseOptions(["--seed", "7", "--verbose"]), {
    first: 7,
    seeds: 1,
    faults: [],
    verbose: true,
    jobs: 1,
  });
  assertEquals(parseOptions(["--fault", "all", "--jobs", "2", "--seeds", "10"]).faults, Object.keys(DELIBERATE_FAULTS));
  for (const args of [["--seeds", "0"], ["--seeds", "x"], ["--fault", "none"], ["--many"]]) {
    assertThrows(() => parseOptions(args));
  }
});
