/**
 * `sluice points`: data points from CSV, NDJSON or Prometheus' text format.
 *
 * @module
 */
import { hostname } from "node:os";
import { StreamKind } from "../../gen/sluice/v1/stream_pb.ts";
import { csvPoints } from "../readers/csv.ts";
import type { ReaderError, ReaderOptions } from "../readers/lines.ts";
import { ndjsonPoints } from "../readers/ndjson.ts";
import { prometheusPoints } from "../readers/prometheus.ts";
import type { PointInit } from "../mod.ts";
import { commaSeparated, parseDelimiter, parseEncoding } from "./arguments.ts";
import type { Context, RunOn } from "./context.ts";
import { type Command, Option } from "./deps.ts";
import { Exit, UsageError } from "./exit.ts";
import { expandPaths, extensionOf, interruptedSending, STDIN } from "./inputs.ts";
import { sendInputs } from "./send.ts";

type Format = "csv" | "ndjson" | "prometheus";

interface Options {
  format?: Format;
  source?: string;
  delimiter?: string;
  timestampColumn?: string;
  sourceColumn?: string;
  metricColumn?: string;
  valueColumn?: string;
  tagColumns?: string[];
  metricColumns?: string[];
  encoding?: string;
  skipBad?: boolean;
}

const BY_EXTENSION: Readonly<Record<string, Format>> = {
  ".csv": "csv",
  ".tsv": "csv",
  ".json": "ndjson",
  ".jsonl": "ndjson",
  ".ndjson": "ndjson",
  ".prom": "prometheus",
  ".txt": "prometheus",
  ".om": "prometheus",
};

/** What options there are for lines that were not understood. */
const ADVICE: Readonly<Record<Format, string>> = {
  csv:
    "what columns are is said with --tag-columns, --metric-columns, --timestamp-column and --source-column, and the " +
    "source of lines that name none with --source",
  ndjson: "the source of lines that name none is given with --source",
  prometheus: "",
};

export function addPoints(program: Command, run: RunOn): void {
  program.command("points")
    .summary("send data points from CSV, NDJSON or Prometheus' text format")
    .description("Sends the data points of files, or of standard input (-). One that was interrupted goes on.")
    .argument("<file...>", "files, folders, patterns, or - for standard input")
    .addOption(
      new Option("-f, --format <format>", "what the files are; default: by their extension")
        .choices(["csv", "ndjson", "prometheus"]),
    )
    .option("-s, --source <name>", "source of points that name none (Prometheus: this machine's name)")
    .option(
      "--delimiter <char>",
      "what parts the fields of CSV, \\t for a tab (default: a comma; of .tsv a tab)",
      parseDelimiter,
    )
    .option("--timestamp-column <name>", "CSV: column of the time")
    .option("--source-column <name>", "CSV: column of the source")
    .option("--metric-column <name>", "CSV: column of the metric's name, where each row has one value")
    .option("--value-column <name>", "CSV: column of the value, where each row has one")
    .option("--metric-columns <names>", "CSV: columns that are metrics, parted by commas", commaSeparated)
    .option("--tag-columns <names>", "CSV: columns that are tags, parted by commas", commaSeparated)
    .option("--encoding <name>", "of the text (default: utf-8)", parseEncoding)
    .option("--skip-bad", "leave out lines that cannot be read, and go on")
    .addHelpText("after", EXAMPLES)
    .action((args: string[], options: Options) =>
      run((context) => points(context, args, options), interruptedSending(args))
    );
}

const EXAMPLES = `
Examples:
  $ sluice points measurements.csv
  $ sluice points --source plant-1 --tag-columns line,shift 'data/*.csv'
  $ curl -s localhost:9100/metrics | sluice points --format prometheus -
`;

async function points(context: Context, args: readonly string[], options: Options): Promise<number> {
  if (options.format === undefined && args.includes(STDIN)) {
    context.warn("standard input has no extension that says what it is: give --format");
    return Exit.usage;
  }
  return await sendInputs<PointInit>(context, await expandPaths(context, args), {
    what: "point",
    kind: StreamKind.POINTS,
    // A line that is left out is no item, so the others have the same places in the stream.
    how: JSON.stringify({ ...options, skipBad: undefined }),
    skipBad: options.skipBad ?? false,
    advice: (path) => ADVICE[options.format ?? BY_EXTENSION[extensionOf(path)]],
    read: (path, bytes, onError) => readPoints(path, bytes, options, onError),
    send: (items, sendOptions) => context.sluice.sendPoints(items, sendOptions),
  });
}

function readPoints(
  path: string,
  bytes: AsyncIterable<Uint8Array>,
  options: Options,
  onError: (error: ReaderError) => void,
): AsyncIterable<PointInit> {
  const { format = BY_EXTENSION[extensionOf(path)], source, encoding } = options;
  const common: ReaderOptions = { encoding, onError };
  switch (format) {
    case "csv":
      return csvPoints(bytes, {
        ...common,
        source,
        delimiter: options.delimiter ?? (extensionOf(path) === ".tsv" ? "\t" : undefined),
        timestamp: options.timestampColumn,
        sourceColumn: options.sourceColumn,
        metric: options.metricColumn,
        value: options.valueColumn,
        metrics: options.metricColumns,
        tags: options.tagColumns,
      });
    case "ndjson":
      return ndjsonPoints(bytes, { ...common, source });
    case "prometheus":
      return prometheusPoints(bytes, { ...common, source: source ?? hostname() });
    default:
      throw new UsageError("its extension does not say what it is: give --format");
  }
}
