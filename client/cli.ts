#!/usr/bin/env -S deno run -A
/**
 * The command `sluice`: sends files, points and logs to a server and asks it questions. docs/cli.md describes it; it runs
 * as `deno run -A URL/client/cli.ts`, after `deno install -gA -n sluice URL/client/cli.ts`, and from the npm package.
 *
 * @module
 */
import process from "node:process";
import { parseDuration } from "./cli/arguments.ts";
import { addQuery, addSearch } from "./cli/ask.ts";
import { type Context, createContext, type GlobalOptions } from "./cli/context.ts";
import { addDeletions } from "./cli/deletions.ts";
import { addDemo } from "./cli/demo.ts";
import { Command, CommanderError, InvalidArgumentError } from "./cli/deps.ts";
import { Exit, exitCodeOf, exitCodeOfQuestion, explain } from "./cli/exit.ts";
import { addDownload } from "./cli/download.ts";
import { addFiles } from "./cli/files.ts";
import { addLogs } from "./cli/logs.ts";
import { addPoints } from "./cli/points.ts";
import { addStatus } from "./cli/status.ts";
import { addUpload } from "./cli/upload.ts";

const HELP = `
Exit codes:
  0    all of it is stored, or answered
  1    something was refused or could not be read; what could be is stored
  2    the arguments are wrong; nothing was done
  3    no server was reached, or it could not go on: run the command again later
  4    the server does not let this caller do it
  130  interrupted: run again, what sends or downloads goes on, but for standard input and output

Examples:
  $ sluice upload report.csv
  $ sluice logs --follow /var/log/app.log
  $ sluice query cpu --from 24h --step 1h --quantiles p95
  $ sluice --url https://sluice.example.com --token $TOKEN status
`;

const interrupt = new AbortController();

// Whoever reads the output may have seen enough, as `head` has.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(Exit.ok);
  // Nothing can be said there any more, and what waits for a write would wait for ever.
  console.error(`sluice: the output cannot be written: ${error.message}`);
  process.exit(Exit.refused);
});

type Work = (context: Context) => Promise<number>;

/** Runs a command's work, and ends the process with what comes of it. */
async function run(work: Work, interrupted = "interrupted", codeOf = exitCodeOf): Promise<void> {
  process.on("SIGINT", onInterrupt);
  process.on("SIGTERM", onInterrupt);
  const context = createContext(program.opts<GlobalOptions>(), interrupt.signal);
  try {
    process.exitCode = await work(context);
  } catch (error) {
    if (!interrupt.signal.aborted) context.warn(explain(error));
    process.exitCode = codeOf(error);
  }
  if (interrupt.signal.aborted) {
    context.note(interrupted);
    process.exitCode = Exit.interrupted;
  }
  // Standard input, and connections that are kept open, must not keep the process.
  await new Promise((resolve) => process.stdout.write("", resolve));
  process.exit();
}

/** Of a command that, run again, goes on where it was. */
function runOn(work: Work, interrupted = "interrupted: run the same command again to go on"): Promise<void> {
  return run(work, interrupted);
}

/** Of a command that asks. */
function runQuestion(work: Work): Promise<void> {
  return run(work, undefined, exitCodeOfQuestion);
}

/** The first one stops in order, a second one at once: either way, what is not stored is sent the next time. */
function onInterrupt(): void {
  if (interrupt.signal.aborted) process.exit(Exit.interrupted);
  interrupt.abort(new DOMException("interrupted", "AbortError"));
}

function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return text;
  throw new InvalidArgumentError("It must begin with http:// or https://.");
}

const { SLUICE_URL = "http://127.0.0.1:8080", SLUICE_TOKEN } = process.env;
const program = new Command("sluice")
  .description("Sends files, data points and logs to a Sluice server, each item exactly once, and asks it questions.")
  .option("-u, --url <url>", "the server; or SLUICE_URL", parseUrl, SLUICE_URL)
  .option("--token <token>", "who calls; better SLUICE_TOKEN, which others on this machine do not see", SLUICE_TOKEN)
  .option("--json", "results as JSON, one value a line")
  .option("-q, --quiet", "no progress")
  .option(
    "--wait <duration>",
    "how long to try while no server is reached (10s; 5m once it was; --follow: for ever)",
    parseDuration,
  )
  .option("--state <folder>", "where streams that are not finished are remembered; or SLUICE_STATE")
  .addHelpText("after", HELP)
  .showHelpAfterError("(sluice --help, or sluice COMMAND --help, say more)")
  .exitOverride();
for (const add of [addUpload, addPoints, addLogs, addDownload]) add(program, runOn);
for (const add of [addQuery, addSearch]) add(program, runQuestion);
addFiles(program, run);
addDeletions(program, runQuestion);
for (const add of [addStatus, addDemo]) add(program, run);
for (const command of program.commands) command.copyInheritedSettings(program);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  // Help that was asked for is no fault.
  process.exitCode = error.exitCode === 0 ? Exit.ok : Exit.usage;
}
