/**
 * `deno task demo`: sends a file, points and logs to a Sluice server, reads them back, and says whether they are the
 * same. `deno task demo --help` lists the options.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { demoGenerated } from "./demo_generated.ts";
import { demoReal } from "./demo_real.ts";
import { Report } from "./demo_report.ts";
import { type DemoServer, existingServer, startServer } from "./demo_server.ts";
import { createSluice } from "./mod.ts";

const HELP = `Usage: deno task demo [options]

Sends a 10 MiB file, 10,000 points of which 15 are bad, and 10,000 log entries; reads them back and compares.

  --url URL        talk to this server instead of starting one
  --token TOKEN    with this token
  --data DIR       keep the started server's data here (default: a temporary directory, removed at the end)

  --real           send what is on this machine instead:
  --seconds N      its load, memory, CPU and disk, ten times a second for N seconds (default: 5)
  --log PATH       a log file, line by line
  --file PATH      a file, whose extension the server must allow (by default .txt .csv .json .xml)
`;

/** Runs the demo; returns the exit code. */
export async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      url: { type: "string" },
      token: { type: "string" },
      data: { type: "string" },
      real: { type: "boolean", default: false },
      seconds: { type: "string", default: "5" },
      log: { type: "string" },
      file: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const seconds = Number(values.seconds);
  if (!(seconds > 0)) throw new Error(`--seconds must be a number above 0, not ${values.seconds}`);
  if (!values.real && (values.log !== undefined || values.file !== undefined)) {
    throw new Error("--log and --file need --real");
  }

  await using server: DemoServer = values.url === undefined
    ? await startServer(values.data)
    : existingServer(values.url);
  const sluice = createSluice({ url: server.url, token: values.token });
  // Letters and digits only, for it is a word of a search.
  const run = `r${Date.now().toString(36)}${crypto.randomUUID().slice(0, 6)}`;
  const report = new Report();
  report.say(`Run ${run} with the server at ${server.url}`);
  if (values.real) await demoReal(sluice, run, { seconds, log: values.log, file: values.file }, report);
  else await demoGenerated(sluice, run, report);
  return report.finish();
}

if (import.meta.main) {
  try {
    Deno.exitCode = await main(Deno.args);
  } catch (error) {
    console.error(`\nThe demo FAILED: ${error instanceof Error ? error.message : error}`);
    Deno.exitCode = 1;
  }
}
