/**
 * `sluice demo`: a file, points and logs, sent and read back.
 *
 * @module
 */
import type { Context } from "./context.ts";
import type { Command } from "./deps.ts";
import { Exit } from "./exit.ts";

export function addDemo(program: Command, run: (work: (context: Context) => Promise<number>) => Promise<void>): void {
  program.command("demo")
    .summary("send a 10 MiB file, points and logs, read them back and compare")
    .option("--real", "send what is on this machine: its load, memory, CPU and disk")
    .addHelpText("after", "\nExamples:\n  $ sluice demo\n  $ sluice demo --real\n")
    .action((options: { real?: boolean }) => run((context) => demo(context, options.real ?? false)));
}

async function demo({ url, token, json, warn }: Context, isReal: boolean): Promise<number> {
  const fault = !("Deno" in globalThis)
    ? "the demo needs Deno"
    : json
    ? "the demo is for people: what it says is no JSON"
    : undefined;
  if (fault !== undefined) {
    warn(fault);
    return Exit.usage;
  }
  // Not known to a bundler or compiler: what it looks at, of this machine, only Deno has.
  const module = new URL("../demo.ts", import.meta.url).href;
  const { main } = await import(module);
  const args = ["--url", url, ...token === undefined ? [] : ["--token", token], ...isReal ? ["--real"] : []];
  return await main(args) === 0 ? Exit.ok : Exit.refused;
}
