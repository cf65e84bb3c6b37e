/**
 * Points from Prometheus' text exposition format 0.0.4, and from OpenMetrics 1.0, as far as both are alike: metrics,
 * labels, values, timestamps. See https://prometheus.io/docs/instrumenting/exposition_formats/.
 *
 * @module
 */
import type { PointInit } from "../items.ts";
import { assertDecoded, parseLines, type ReaderOptions, type TextSource } from "./lines.ts";

/** How an exposition is read. */
export interface PrometheusOptions extends ReaderOptions {
  /** The source of samples that have no label for it. */
  source?: string;
  /** The label that names the source, and is then no tag. Default: `instance`. */
  sourceLabel?: string;
  /** The time of samples that have none, ms since the epoch. Default: the moment when the reading begins. */
  timestamp?: number;
  /**
   * Whether timestamps are in seconds (OpenMetrics) or in milliseconds. Default: in seconds, if they have a point or
   * would lie before March 1973 otherwise.
   */
  openMetrics?: boolean;
}

/**
 * The samples of an exposition, each a point; labels become tags. Values that are no finite numbers, such as the quantiles
 * of a summary without observations, are left out.
 *
 * @throws {ReaderError} See {@linkcode ReaderOptions.onError}.
 *
 * @example
 * ```ts
 * import { prometheusPoints } from "./prometheus.ts";
 *
 * const text = '# TYPE requests counter\nrequests_total{code="200"} 1027 1795500000000\n';
 * const points = await Array.fromAsync(prometheusPoints(new Blob([text]).stream(), { source: "web-1" }));
 * console.assert(points[0].tags?.code === "200");
 * ```
 */
export async function* prometheusPoints(
  source: TextSource,
  options: PrometheusOptions = {},
): AsyncGenerator<PointInit> {
  const now = options.timestamp ?? Date.now();
  yield* parseLines(source, options, (line) => {
    assertDecoded(line);
    return line.trimStart().startsWith("#") ? undefined : sampleOf(line.trim(), now, options);
  });
}

/** A name, an opening brace perhaps. The name of a metric may have colons, that of a label not. */
const NAME = /([a-zA-Z_:][a-zA-Z0-9_:]*)[ \t]*(\{)?/y;
const LABEL = /[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*(,?)[ \t]*/y;
const CLOSE = /[ \t]*\}/y;
/** A value, a timestamp perhaps; then the exemplar of OpenMetrics, which is not stored. */
const VALUE = /[ \t]*(\S+)(?:[ \t]+(-?[0-9.]+(?:[eE][+-]?\d+)?))?(?:[ \t]+#.*)?$/y;

function sampleOf(line: string, now: number, options: PrometheusOptions): PointInit | undefined {
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(line);
    if (found !== null) at = pattern.lastIndex;
    return found;
  };
  const [, name, brace] = match(NAME) ?? fail("does not begin with the name of a metric");
  const tags: [string, string][] = [];
  let source = options.source;
  if (brace !== undefined) {
    for (let label = match(LABEL); label !== null; label = match(LABEL)) {
      const value = unescape(label[2]);
      if (label[1] === (options.sourceLabel ?? "instance")) source = value;
      else tags.push([label[1], value]);
      if (label[3] === "") break;
    }
    if (match(CLOSE) === null) fail(`has labels that are none, from character ${at + 1} on`);
  }
  const [, text, timestamp] = match(VALUE) ?? fail("has no value, or more than value and timestamp");
  const value = valueOf(text);
  if (source === undefined) fail(`has no label ${options.sourceLabel ?? "instance"}: name the source`);
  if (!Number.isFinite(value)) return undefined;
  return {
    source: source!,
    timestamp: timestamp === undefined ? now : timeOf(timestamp, options.openMetrics),
    metrics: { [name]: value },
    tags: Object.fromEntries(tags),
  };
}

function valueOf(text: string): number {
  if (/^[+-]?inf(inity)?$/i.test(text)) return Infinity;
  if (/^nan$/i.test(text)) return NaN;
  const value = Number(text);
  return Number.isNaN(value) ? fail(`has a value that is none: ${text.slice(0, 40)}`) : value;
}

function timeOf(text: string, openMetrics: boolean | undefined): number {
  const time = Number(text);
  if (!Number.isFinite(time)) fail(`has a timestamp that is none: ${text.slice(0, 40)}`);
  const inSeconds = openMetrics ?? (text.includes(".") || Math.abs(time) < 1e11);
  return Math.floor(inSeconds ? time * 1000 : time);
}

function unescape(text: string): string {
  return text.replace(/\\([\s\S])/g, (_, char: string) => char === "n" ? "\n" : char);
}

function fail(reason: string): never {
  throw new SyntaxError(reason);
}
