/**
 * `sluice upload`: files, folders, patterns, standard input.
 *
 * @module
 */
import { basename } from "node:path";
import process from "node:process";
import type { UploadResult } from "../mod.ts";
import { wholeNumber } from "./arguments.ts";
import { type Bars, createBars } from "./bars.ts";
import type { Context, RunOn } from "./context.ts";
import type { Command } from "./deps.ts";
import { Exit, exitCodeOf, explain } from "./exit.ts";
import { bytes } from "./format.ts";
import { expandPaths, interruptedSending, STDIN } from "./inputs.ts";
import { nameOf } from "./send.ts";

interface Options {
  name?: string;
  contentType?: string;
  concurrency: number;
  checksum: boolean;
}

export function addUpload(program: Command, run: RunOn): void {
  program.command("upload")
    .summary("upload files")
    .description(
      "Uploads files, each verified by its SHA-256, several at a time. One that was interrupted goes on from what is stored.",
    )
    .argument("<file...>", "files, folders, patterns, or - for standard input")
    .option("-n, --name <name>", "name of the stored file, for one file (standard input needs it)")
    .option("-t, --content-type <type>", "media type; default: by the name's extension")
    .option("-c, --concurrency <number>", "files that are under way at once", wholeNumber(1, 64), 4)
    .option("--no-checksum", "send no SHA-256s")
    .addHelpText("after", EXAMPLES)
    .action((args: string[], options: Options) =>
      run((context) => upload(context, args, options), interruptedSending(args))
    );
}

const EXAMPLES = `
Examples:
  $ sluice upload report.csv
  $ sluice upload reports/ 'logs/**/*.txt' --concurrency 8
  $ psql --csv --command 'TABLE orders' | sluice upload --name dump.csv -
`;

async function upload(context: Context, args: readonly string[], options: Options): Promise<number> {
  const { paths, code } = await expandPaths(context, args);
  if (options.name !== undefined && paths.length > 1) {
    context.warn("--name is for one file");
    return Exit.usage;
  }
  if (options.name === undefined && paths.includes(STDIN)) {
    context.warn("standard input has no name: give --name");
    return Exit.usage;
  }
  const bars = createBars(context);
  const waiting = paths.values();
  let worst = code;
  /** All workers take from one iterator. */
  const worker = async () => {
    for (const path of waiting) {
      if (context.signal.aborted) return;
      const one = await uploadOne(context, bars, path, options);
      // Not in one expression: meanwhile, other workers have set it.
      worst = Math.max(worst, one);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(options.concurrency, paths.length) }, worker));
  } finally {
    bars.stop();
  }
  context.signal.throwIfAborted();
  return worst;
}

/** One file; what goes wrong with it does not stop the others. */
async function uploadOne(context: Context, bars: Bars, path: string, options: Options): Promise<number> {
  const bar = bars.add(nameOf(path), "bytes");
  const start = performance.now();
  try {
    const result = await context.sluice.uploadFile(path === STDIN ? process.stdin : path, {
      name: options.name ?? basename(path),
      contentType: options.contentType,
      checksum: options.checksum,
      signal: context.signal,
      onProgress: ({ sent, total, rate }) => bar.update(sent, rate, total),
    });
    report(context, path, result, (performance.now() - start) / 1000);
    return Exit.ok;
  } catch (error) {
    if (context.signal.aborted) return Exit.interrupted;
    context.warn(`${nameOf(path)}: ${explain(error)}`);
    return exitCodeOf(error);
  } finally {
    bar.end();
  }
}

function report(context: Context, path: string, result: UploadResult, seconds: number): void {
  const { fileId, fileName, totalSize, checksum } = result;
  const rate = bytes(Number(totalSize) / Math.max(seconds, 0.001));
  context.result(
    { input: nameOf(path), fileId, fileName, totalSize, checksum },
    `${fileId}  ${fileName}  ${bytes(Number(totalSize))}  ${rate}/s  sha256 ${checksum}`,
  );
}
