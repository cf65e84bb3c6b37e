/**
 * More mutated frame sequences: `deno run -A tests/http2/fuzz.suite.ts --runs 1000000 [--seed 20001]`. A seed that fails
 * is kept in tests/http2/.seeds/, and belongs into the list of fuzz_test.ts.
 */
import { fuzz } from "./fuzz.ts";

const STEP = 10_000;

function option(name: string, otherwise: number): number {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(Deno.args[at + 1]);
}

const runs = option("runs", 100_000);
const seed = option("seed", 20_001);
const began = performance.now();
for (let done = 0; done < runs; done += STEP) {
  try {
    await fuzz(seed + done, Math.min(STEP, runs - done));
  } catch (error) {
    const directory = new URL("./.seeds/", import.meta.url);
    await Deno.mkdir(directory, { recursive: true });
    await Deno.writeTextFile(new URL(`${seed + done}.txt`, directory), Deno.inspect(error));
    throw error;
  }
  if (done % (10 * STEP) === 0) {
    const { rss } = Deno.memoryUsage();
    console.log(`${done + STEP} runs, ${(performance.now() - began) / 1000 | 0} s, rss ${rss >> 20} MiB`);
  }
}
console.log(`${runs} runs from seed ${seed}: no crash, no hang, no leak`);
