/**
 * `sluice files`, `sluice delete`: stored files.
 *
 * @module
 */
import { wholeNumber } from "./arguments.ts";
import type { Context } from "./context.ts";
import type { Command } from "./deps.ts";
import { Exit, exitCodeOf, explain } from "./exit.ts";
import { bytes, time } from "./format.ts";

type Run = (work: (context: Context) => Promise<number>) => Promise<void>;

export function addFiles(program: Command, run: Run): void {
  program.command("files")
    .summary("list stored files, newest first")
    .option("-n, --limit <number>", "files at the most", wholeNumber(1, 1_000_000), 100)
    .addHelpText("after", "\nExamples:\n  $ sluice files --limit 10\n  $ sluice files --json\n")
    .action((options: { limit: number }) => run((context) => listFiles(context, options.limit)));
  program.command("delete")
    .summary("delete files")
    .argument("<id...>", "ids of the files")
    .addHelpText("after", "\nExamples:\n  $ sluice delete 01KAJ7Z0W5Q3\n")
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
