/**
 * `sluice files`, `sluice download`, `sluice delete`: stored files.
 *
 * @module
 */
import { createWriteStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { wholeNumber } from "./arguments.ts";
import { createBars } from "./bars.ts";
import type { Context } from "./context.ts";
import type { Command } from "./deps.ts";
import { Exit, exitCodeOf, explain } from "./exit.ts";
import { bytes, time } from "./format.ts";
import { STDIN } from "./inputs.ts";

type Run = (work: (context: Context) => Promise<number>) => Promise<void>;

export function addFiles(program: Command, run: Run): void {
  program.command("files")
    .summary("list stored files, newest first")
    .option("-n, --limit <number>", "files at the most", wholeNumber(1, 1_000_000), 100)
    .action((options: { limit: number }) => run((context) => listFiles(context, options.limit)));
  program.command("download")
    .summary("download a file, verified by its SHA-256")
    .argument("<id>", "id of the file, as `sluice files` lists it")
    .option("-o, --output <path>", "where to write it: a file, a folder, or - for standard output (default: its name)")
    .addHelpText(
      "after",
      `
Examples:
  $ sluice download 01KAJ7Z0W5Q3
  $ sluice download 01KAJ7Z0W5Q3 --output - | gunzip
`,
    )
    .action((id: string, options: { output?: string }) => run((context) => download(context, id, options.output)));
  program.command("delete")
    .summary("delete files")
    .argument("<id...>", "ids of the files")
    .action((ids: string[]) => run((context) => deleteFiles(context, ids)));
}

async function listFiles(context: Context, limit: number): Promise<number> {
  for (let pageToken = "", left = limit;;) {
    const page = await context.sluice.files.list({
      pageSize: Math.min(1000, limit),
      pageToken,
      signal: context.signal,
    });
    for (const file of page.files.slice(0, left)) {
      const { fileId, fileName, totalSize, createdAt } = file;
      context.result(file, `${fileId}  ${time(createdAt)}  ${bytes(Number(totalSize)).padStart(10)}  ${fileName}`);
    }
    left -= page.files.length;
    pageToken = page.nextPageToken;
    if (pageToken === "" || left <= 0) return Exit.ok;
  }
}

async function download(context: Context, id: string, output: string | undefined): Promise<number> {
  const { fileName, totalSize, checksum } = await context.sluice.files.get(id, { signal: context.signal });
  const source = context.sluice.files.download(id, { signal: context.signal });
  const bars = createBars(context);
  const bar = bars.add(fileName, "bytes");
  const start = performance.now();
  let done = 0;
  const write = async (to: NodeJS.WritableStream) => {
    for await (const piece of pieces(source)) {
      done += piece.length;
      bar.update(done, done / ((performance.now() - start) / 1000), Number(totalSize));
      if (!to.write(piece)) await new Promise<void>((resolve) => to.once("drain", resolve));
    }
  };
  try {
    if (output === STDIN) {
      await write(process.stdout);
      return Exit.ok;
    }
    const isFolder = output !== undefined && (await stat(output).catch(() => undefined))?.isDirectory();
    const path = isFolder ? join(output!, fileName) : output ?? fileName;
    // Under its name there is only ever a whole file that has been verified.
    const part = `${path}.part`;
    try {
      await writeTo(part, write);
      await rename(part, path);
    } catch (error) {
      await rm(part, { force: true });
      throw error;
    }
    context.result({ path, fileId: id, totalSize, checksum }, `${path}  ${bytes(done)}  sha256 ${checksum}`);
    return Exit.ok;
  } finally {
    bar.end();
    bars.stop();
  }
}

async function writeTo(path: string, write: (to: NodeJS.WritableStream) => Promise<void>): Promise<void> {
  const file = createWriteStream(path);
  const failed = new Promise<never>((_, reject) => file.once("error", reject));
  failed.catch(() => {});
  await Promise.race([failed, write(file)]);
  await Promise.race([failed, new Promise<void>((resolve) => file.end(resolve))]);
}

/** Node's ReadableStream can be iterated, but its types and those of browsers differ. */
async function* pieces(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  for (let result = await reader.read(); !result.done; result = await reader.read()) yield result.value;
}

async function deleteFiles(context: Context, ids: readonly string[]): Promise<number> {
  let worst: number = Exit.ok;
  for (const id of ids) {
    try {
      await context.sluice.files.delete(id, { signal: context.signal });
      context.result({ fileId: id, deleted: true }, `${id}  deleted`);
    } catch (error) {
      if (context.signal.aborted) throw error;
      context.warn(`${id}: ${explain(error)}`);
      worst = Math.max(worst, exitCodeOf(error));
    }
  }
  return worst;
}
