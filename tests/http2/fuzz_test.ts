import { fuzz } from "./fuzz.ts";

/** Seeds of batches that failed once. */
const kept: readonly number[] = [];

Deno.test("the server survives 20,000 mutated frame sequences", async () => {
  for (const seed of kept) await fuzz(seed, 50);
  await fuzz(1, 20_000);
});
