/**
 * `sluice logs`: log entries from plain lines, NDJSON or logfmt; of a file that grows, on and on.
 *
 * @module
 */
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { StreamKind } from "../../gen/sluice/v1/stream_pb.ts";
import type { LogInit } from "../mod.ts";
import type { LogReaderOptions } from "../readers/log_fields.ts";
import { logfmtLogs } from "../readers/logfmt.ts";
import { ndjsonLogs } from "../readers/ndjson.ts";
import { plainLogs } from "../readers/plain.ts";
import { parseEncoding } from "./arguments.ts";
import type { Context, RunOn } from "./context.ts";
import { type Command, Option } from "./deps.ts";
import { Exit } from "./exit.ts";
import { followLogs } from "./follow_logs.ts";
import { expandPaths, extensionOf, interruptedSending, STDIN } from "./inputs.ts";
import { sendInputs } from "./send.ts";

type Format = "plain" | "ndjson" | "logfmt";

interface Options {
  format?: Format;
  application?: string;
  follow?: boolean;
  fromEnd?: boolean;
  encoding?: string;
  skipBad?: boolean;
}

export function addLogs(program: Command, run: RunOn): void {
  program.command("logs")
    .summary("send log lines: plain, NDJSON or logfmt")
    .description(
      "Sends the lines of files, or of standard input (-), as log entries; with --follow of a file that grows, across " +
        "rotation. What was interrupted goes on.",
    )
    .argument("<file...>", "files, folders, patterns, or - for standard input")
    .addOption(
      new Option("-f, --format <format>", "what the lines are; default: by the extension, else plain")
        .choices(["plain", "ndjson", "logfmt"]),
    )
    .option("-a, --application <name>", "application of lines that name none (default: the file's name)")
    .option("-F, --follow", "go on with what is added to the file, until interrupted")
    .option("--from-end", "with --follow: begin with what is added, unless it goes on")
    .option("--encoding <name>", "of the text (default: utf-8)", parseEncoding)
    .option("--skip-bad", "leave out lines that cannot be read, and go on (always so with --follow)")
    .addHelpText("after", EXAMPLES)
    .action((args: string[], options: Options) =>
      run((context) => logs(context, args, options), interruptedSending(args))
    );
}

const EXAMPLES = `
Examples:
  $ sluice logs --application nginx /var/log/nginx/access.log
  $ sluice logs --follow /var/log/app.log
  $ journalctl -o json --since today | sluice logs --format ndjson --application journal -
`;

async function logs(context: Context, args: readonly string[], options: Options): Promise<number> {
  const fault = await faultOf(args, options);
  if (fault !== undefined) {
    context.warn(fault);
    return Exit.usage;
  }
  if (options.follow) {
    const [path] = args;
    const onError = (error: Error) => context.warn(`${path}: left out: ${error.message.replace(/^line \d+: /, "")}`);
    return await followLogs(context, {
      path,
      fromEnd: options.fromEnd ?? false,
      read: (bytes) => readLogs(path, bytes, { ...options, onError }),
    });
  }
  return await sendInputs<LogInit>(context, await expandPaths(context, args), {
    what: "log entry",
    kind: StreamKind.LOGS,
    // A line that is left out is no item, so the others have the same places in the stream.
    how: JSON.stringify({ ...options, skipBad: undefined }),
    skipBad: options.skipBad ?? false,
    read: (path, bytes, onError) => readLogs(path, bytes, { ...options, onError }),
    send: (items, sendOptions) => context.sluice.sendLogs(items, sendOptions),
  });
}

/** What is wrong with the arguments, if anything. */
async function faultOf(args: readonly string[], { follow, fromEnd, encoding }: Options): Promise<string | undefined> {
  if (!follow) return fromEnd ? "--from-end goes with --follow" : undefined;
  const [path, ...more] = args;
  if (more.length > 0 || path === STDIN) {
    return "--follow is for one file; standard input is read until it ends anyway";
  }
  if ((await stat(path).catch(() => undefined))?.isDirectory()) {
    return `--follow is for one file, and ${path} is a folder`;
  }
  // A place between two lines is a place between two bytes, and known by the first of them.
  if (new TextDecoder(encoding).decode(Uint8Array.of(0x0a)) !== "\n") {
    return `--follow needs an encoding whose line ends are one byte, which ${encoding} has not`;
  }
}

function readLogs(
  path: string,
  bytes: AsyncIterable<Uint8Array>,
  { format, application, encoding, onError }: Options & Pick<LogReaderOptions, "onError">,
): AsyncIterable<LogInit> {
  const name = path === STDIN ? "stdin" : basename(path).replace(/\.(log|txt|json|jsonl|ndjson|logfmt)(\.\d+)?$/, "");
  const options: LogReaderOptions = { application: application ?? name, encoding, onError };
  switch (format ?? extensionOf(path)) {
    case "ndjson":
    case ".json":
    case ".jsonl":
    case ".ndjson":
      return ndjsonLogs(bytes, options);
    case "logfmt":
    case ".logfmt":
      return logfmtLogs(bytes, options);
    default:
      return plainLogs(bytes, options);
  }
}
