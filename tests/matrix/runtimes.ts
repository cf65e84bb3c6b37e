/**
 * The job (job.js) in each runtime there is.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { buildPackage } from "../../scripts/client_package.ts";
import type { Checkout } from "../support/checkout.ts";
import type { TestBrowser } from "./chromium.ts";
import type { runJob } from "./job.js";

type Options = Parameters<typeof runJob>[1];
export type JobResult = Awaited<ReturnType<typeof runJob>>;

/** Runs the job somewhere. */
export type Runtime = (options: Options) => Promise<JobResult>;

const PROGRAM = fileURLToPath(new URL("program.js", import.meta.url));

/** Deno, with the client that the server hands out. */
export const inDeno: Runtime = (options) =>
  run(Deno.execPath(), ["run", "-A", "--no-lock", PROGRAM, `${options.url}/client.js`, JSON.stringify(options)]);

/** Deno in a folder where nothing else is, with the client as a file server over the checkout has it. */
export function inDenoByUrl(folder: string, checkout: Checkout): Runtime {
  return async (options) => {
    await copyProgram(folder);
    const args = ["run", "-A", "program.js", `${checkout.url}/client/mod.ts`, JSON.stringify(options)];
    return await run(Deno.execPath(), args, folder);
  };
}

/** Node, with the package that `deno task build:npm` makes. */
export async function nodeIn(folder: string): Promise<Runtime> {
  if (!await buildPackage(`${folder}/package`)) throw new Error("the package could not be built");
  await Deno.writeTextFile(`${folder}/package.json`, '{"type":"module","private":true}');
  await run("npm", ["install", "--no-audit", "--no-fund", "--install-links", "./package"], folder, false);
  await copyProgram(folder);
  return (options) => run("node", ["program.js", "sluice-client", JSON.stringify(options)], folder);
}

async function copyProgram(folder: string): Promise<void> {
  for (const name of ["program.js", "job.js"]) {
    await Deno.copyFile(fileURLToPath(new URL(name, import.meta.url)), `${folder}/${name}`);
  }
}

/** A page in Chromium, with the client that the server hands out. */
export function inChromium({ browser, origin }: TestBrowser): Runtime {
  return async (options) => {
    const page = await browser.newPage();
    try {
      await page.goto(origin);
      return await page.evaluate(async (options) => {
        const { runJob } = await import(`${location.origin}/job.js`);
        const { createSluice } = await import(`${options.url}/client.js`);
        return await runJob(createSluice, options);
      }, options);
    } finally {
      await page.close();
    }
  };
}

// deno-lint-ignore no-explicit-any -- what a program prints
async function run(command: string, args: string[], cwd?: string, prints = true): Promise<any> {
  const output = await new Deno.Command(command, { args, cwd, env: { NO_COLOR: "1" }, stdin: "null" }).output();
  const decoder = new TextDecoder();
  if (!output.success) throw new Error(`${command}: ${decoder.decode(output.stderr)}${decoder.decode(output.stdout)}`);
  return prints ? JSON.parse(decoder.decode(output.stdout)) : undefined;
}
