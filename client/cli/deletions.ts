/**
 * `sluice delete-points`, `sluice delete-logs`, `sluice deletions`: removing points and logs, and what was removed.
 *
 * @module
 */
import type { Deletion } from "../mod.ts";
import { collectPairs, parseMoment, wholeNumber } from "./arguments.ts";
import type { Context } from "./context.ts";
import type { Command } from "./deps.ts";
import { Exit } from "./exit.ts";
import { pairs, time } from "./format.ts";

type Run = (work: (context: Context) => Promise<number>) => Promise<void>;

interface Range {
  from?: bigint;
  to?: bigint;
}

export function addDeletions(program: Command, run: Run): void {
  program.command("delete-points")
    .summary("delete points: all that the server has now and the conditions hold for")
    .argument("[metric]", "name of the metric")
    .option("-s, --source <name>", "only of this source")
    .option("-t, --tag <name=value>", "only with this tag; can be given again", collectPairs)
    .option("--from <time>", "only from then on: a time, now, or so long ago", parseMoment)
    .option("--to <time>", "only before then: a time, now, or so long ago", parseMoment)
    .addHelpText(
      "after",
      `
Examples:
  $ sluice delete-points cpu --source web-7
  $ sluice delete-points --tag zone=old
  $ sluice delete-points --to 90d
`,
    )
    .action((metric: string | undefined, { source, tag, from, to }) =>
      run((context) =>
        remove(
          context,
          { metric, source, tag, from, to },
          "a metric, a source, a tag or a time",
          (signal) => context.sluice.deletePoints({ metric, source, tags: tag, from, to }, { signal }),
        )
      )
    );
  program.command("delete-logs")
    .summary("delete log entries: all that the server has now and the conditions hold for")
    .option("-a, --application <name>", "only of this application")
    .option("--from <time>", "only from then on: a time, now, or so long ago", parseMoment)
    .option("--to <time>", "only before then: a time, now, or so long ago", parseMoment)
    .addHelpText("after", `\nExamples:\n  $ sluice delete-logs --application shop --to 30d\n`)
    .action(({ application, from, to }: { application?: string } & Range) =>
      run((context) =>
        remove(
          context,
          { application, from, to },
          "an application or a time",
          (signal) => context.sluice.deleteLogs({ application, from, to }, { signal }),
        )
      )
    );
  program.command("deletions")
    .summary("list what was deleted in the last year (files too), newest first, and whether it is gone from the disk")
    .option("-n, --limit <number>", "deletions at the most", wholeNumber(1, 1_000_000), 100)
    .addHelpText("after", "\nExamples:\n  $ sluice deletions --limit 10\n")
    .action(({ limit }: { limit: number }) => run((context) => list(context, limit)));
}

async function remove(
  context: Context,
  conditions: Readonly<Record<string, unknown>>,
  expected: string,
  send: (signal: AbortSignal) => Promise<Deletion>,
): Promise<number> {
  if (Object.values(conditions).every((value) => value === undefined)) {
    context.warn(`name ${expected}: nothing was deleted`);
    return Exit.usage;
  }
  report(context, await send(context.signal));
  return Exit.ok;
}

async function list(context: Context, limit: number): Promise<number> {
  for (let pageToken = "", left = limit;;) {
    const page = await context.sluice.listDeletions({ pageSize: Math.min(1000, left), pageToken }, {
      signal: context.signal,
    });
    for (const deletion of page.deletions) report(context, deletion);
    left -= page.deletions.length;
    pageToken = page.nextPageToken;
    if (pageToken === "" || left <= 0) return Exit.ok;
  }
}

function report(context: Context, deletion: Deletion): void {
  const { id, what, createdAt, doneAt } = deletion;
  const state = doneAt === 0n ? "gone from every answer, and soon from the disk" : `gone since ${time(doneAt)}`;
  context.result(deletion, `${id}  ${time(createdAt)}  ${conditionsOf(what)}  ${state}`);
}

function conditionsOf({ case: kind, value }: Deletion["what"]): string {
  if (kind === undefined) return "";
  if (kind === "file") return `file ${pairs({ name: value.fileName, id: value.fileId, bytes: `${value.totalSize}` })}`;
  const { from, to } = value;
  const own = kind === "points"
    ? { metric: value.metric, source: value.source, ...value.tags }
    : { application: value.application };
  const named = Object.fromEntries(Object.entries(own).filter(([, text]) => text !== ""));
  const range = { ...from !== 0n && { from: time(from) }, ...to !== 0n && { to: time(to) } };
  return `${kind} ${pairs({ ...named, ...range })}`;
}
