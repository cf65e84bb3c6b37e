/**
 * `sluice query`, `sluice search`: questions about points and logs.
 *
 * @module
 */
import { Aggregation, type LogHit } from "../mod.ts";
import { collectPairs, commaSeparated, parseMoment, parseQuantiles, parseStep, wholeNumber } from "./arguments.ts";
import type { Context } from "./context.ts";
import { type Command, InvalidArgumentError, Option } from "./deps.ts";
import { Exit } from "./exit.ts";
import { count, decimal, pairs, table, time } from "./format.ts";
import { tailOn } from "./tail.ts";

/** Entries of a page of a search. */
const PAGE_SIZE = 1000;

const AGGREGATES: Readonly<Record<string, Aggregation>> = {
  count: Aggregation.COUNT,
  sum: Aggregation.SUM,
  min: Aggregation.MIN,
  max: Aggregation.MAX,
  avg: Aggregation.AVG,
  last: Aggregation.LAST,
  increase: Aggregation.INCREASE,
  rate: Aggregation.RATE,
};

interface Range {
  from?: bigint;
  to?: bigint;
}

interface QueryOptions extends Range {
  source?: string;
  tag?: Record<string, string>;
  step?: number;
  aggregate?: string[];
  quantiles?: number[];
  groupBy?: string[];
}

interface SearchOptions extends Range {
  application?: string;
  level?: string;
  field?: Record<string, string>;
  limit: number;
  follow?: boolean;
}

type Run = (work: (context: Context) => Promise<number>) => Promise<void>;

export function addQuery(program: Command, run: Run): void {
  program.command("query")
    .summary("aggregates of a metric; without one, the series that there are")
    .argument("[metric]", "name of the metric")
    .option("-s, --source <name>", "only of this source")
    .option("-t, --tag <name=value>", "only with this tag; can be given again", collectPairs)
    .option(
      "--from <time>",
      "begin: a time, now, or so long ago (default: as far back as points are kept)",
      parseMoment,
    )
    .option("--to <time>", "end (default: now)", parseMoment)
    .option("--step <duration>", "one row for each such time (default: one for all)", parseStep)
    .option(
      "--aggregate <names>",
      `of ${Object.keys(AGGREGATES).join(", ")}; parted by commas`,
      parseAggregates,
    )
    .option("--group-by <names>", "one row for all that have these alike: source, or names of tags", commaSeparated)
    .option("--quantiles <list>", "such as p50,p95", parseQuantiles)
    .addHelpText(
      "after",
      `
Examples:
  $ sluice query
  $ sluice query cpu --from 24h --step 1h --quantiles p50,p95
  $ sluice query cpu --source web-1 --tag zone=a --aggregate min,max --json
  $ sluice query requests_total --group-by zone --aggregate rate --step 5m --from 3h
`,
    )
    .action((metric: string | undefined, options: QueryOptions) =>
      run((context) => metric === undefined ? listSeries(context, options) : query(context, metric, options))
    );
}

export function addSearch(program: Command, run: Run): void {
  program.command("search")
    .summary("find log entries, or follow them")
    .argument("[query...]", 'words, "phrases", field:value, level:warn+, NOT, OR: see docs/search.md')
    .option("-a, --application <name>", "only of this application")
    .option("-l, --level <level>", "of this level and above")
    .option("-f, --field <name=value>", "only with this field; can be given again", collectPairs)
    .option("--from <time>", "begin: a time, now, or so long ago (default: as far back as logs are kept)", parseMoment)
    .option("--to <time>", "end (default: now)", parseMoment)
    .option("-n, --limit <number>", "entries at the most, newest first", wholeNumber(1, 1_000_000), 100)
    .addOption(new Option("--follow", "show what comes, as it comes").conflicts(["from", "to", "limit"]))
    .addHelpText(
      "after",
      `
Examples:
  $ sluice search timeout --level warn --from 1h
  $ sluice search 'app:web (timeout OR ms:>500) -path:/health'
  $ sluice search --follow level:error+
  $ sluice search --application web --field user=42 --limit 1000 --json
`,
    )
    .action((words: string[], options: SearchOptions) =>
      run((context) => options.follow ? follow(context, words, options) : search(context, words, options))
    );
}

async function query(context: Context, metric: string, options: QueryOptions): Promise<number> {
  const names = options.aggregate ?? ["count", "min", "avg", "max", "last"];
  const aggregations = names.map((name) => AGGREGATES[name]);
  const quantiles = options.quantiles ?? [];
  const { series } = await context.sluice.queryMetrics({
    metric,
    source: options.source,
    tags: options.tag,
    from: options.from,
    to: options.to,
    stepMs: BigInt(options.step ?? 0),
    aggregations,
    quantiles,
    groupBy: options.groupBy,
  }, { signal: context.signal });
  const isEmpty = series.every(({ buckets }) => buckets.length === 0);
  if (isEmpty) context.note("no points");
  if (isEmpty && !context.json) return Exit.ok;
  if (context.json) {
    for (const one of series) context.result({ ...one.series, buckets: one.buckets }, "");
    return Exit.ok;
  }
  // Of one row for all there is no time to tell.
  const times = options.step !== undefined;
  const rows = series.flatMap(({ series, buckets }) =>
    buckets.map((bucket) => [
      ...times ? [time(bucket.timestamp)] : [],
      series?.source ?? "",
      ...names.map((name) => number(bucket[name as "count"])),
      ...bucket.quantiles.map(number),
      pairs(series?.tags ?? {}),
    ])
  );
  context.result(
    undefined,
    table([
      ...times ? ["time"] : [],
      "source",
      ...names,
      ...quantiles.map((q) => `p${+(q * 100).toFixed(3)}`),
      "tags",
    ], rows),
  );
  return Exit.ok;
}

function parseAggregates(text: string): string[] {
  const names = commaSeparated(text);
  if (names.length > 0 && names.every((name) => Object.hasOwn(AGGREGATES, name))) return names;
  throw new InvalidArgumentError(`It must be of ${Object.keys(AGGREGATES).join(", ")}.`);
}

async function listSeries(context: Context, { source, tag, ...others }: QueryOptions): Promise<number> {
  if (Object.keys(others).length > 0) {
    context.warn("without a metric there are only --source and --tag");
    return Exit.usage;
  }
  for (let pageToken = "";;) {
    const page = await context.sluice.listSeries({ source, tags: tag, pageSize: PAGE_SIZE, pageToken }, {
      signal: context.signal,
    });
    if (page.series.length === 0 && pageToken === "") context.note("no series");
    for (const series of page.series) {
      context.result(series, `${series.metric}  ${series.source}  ${pairs(series.tags)}`.trimEnd());
    }
    pageToken = page.nextPageToken;
    if (pageToken === "") return Exit.ok;
  }
}

async function search(context: Context, words: readonly string[], options: SearchOptions): Promise<number> {
  let left = options.limit;
  for (let pageToken = "";;) {
    const page = await context.sluice.searchLogs({
      ...conditionsOf(words, options),
      from: options.from,
      to: options.to,
      // A page token goes with an otherwise equal request.
      pageSize: Math.min(PAGE_SIZE, options.limit),
      pageToken,
    }, { signal: context.signal });
    for (const hit of page.hits.slice(0, left)) show(context, hit);
    left -= page.hits.length;
    pageToken = page.nextPageToken;
    if (left === options.limit && pageToken === "") context.note("no entries");
    const isMore = left < 0 || left === 0 && pageToken !== "";
    if (isMore && !context.json) {
      context.note(`the newest ${count(options.limit)}; there are more: see --limit, --from`);
    }
    if (pageToken === "" || left <= 0) return Exit.ok;
  }
}

/** Shows what comes, until it is interrupted. */
async function follow(context: Context, words: readonly string[], options: SearchOptions): Promise<number> {
  const { application, level, field = {} } = options;
  const quoted = (text: string) => JSON.stringify(text);
  const query = [
    ...words.length > 0 ? [`(${queryOf(words)})`] : [],
    ...application === undefined ? [] : [`app:${quoted(application)}`],
    ...level === undefined ? [] : [`level:${level}+`],
    ...Object.entries(field).map(([name, value]) => `${quoted(name)}:${quoted(value)}`),
  ].join(" ");
  const { signal } = context;
  const sluice = context.createPatient();
  // What is wrong is said of what was given, and not of the query that is made of it here.
  await sluice.searchLogs({ ...conditionsOf(words, options), from: BigInt(Date.now()), pageSize: 1 }, { signal });
  let state = "following; Ctrl-C ends it";
  const onLost = () => {
    context.warn("the connection was lost: what comes until there is another is not shown");
    state = "it goes on";
  };
  for await (const { hits, missed } of tailOn(() => sluice.tailLogs({ query }, { signal }), { signal, onLost })) {
    if (state !== "") context.note(state);
    state = "";
    if (missed > 0n) context.warn(`${count(missed)} entries came too fast to be shown`);
    for (const hit of hits) show(context, hit);
  }
  return Exit.interrupted;
}

function conditionsOf(words: readonly string[], { application, level, field }: SearchOptions) {
  return { query: queryOf(words), application, minLevel: level, fields: field };
}

function queryOf(words: readonly string[]): string {
  return words.join(" ");
}

function show(context: Context, { id, entry }: LogHit): void {
  if (entry === undefined) return;
  const { application, level, timestamp, message, fields } = entry;
  const more = pairs(fields);
  context.result(
    { id, application, level, timestamp, message, fields },
    `${time(timestamp)} ${level.padEnd(5)} ${application}: ${message}${more === "" ? "" : `  ${more}`}`,
  );
}

function number(value: number | bigint | undefined): string {
  if (value === undefined) return "";
  return typeof value === "bigint" ? count(value) : decimal(value);
}
