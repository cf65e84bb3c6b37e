/**
 * Log entries from logfmt: `ts=2026-11-24T10:00:00Z level=warn msg="slow answer" ms=512`. There is no standard of it; this
 * takes what go-kit/log and Heroku write.
 *
 * @module
 */
import type { LogInit } from "../items.ts";
import { type LogFields, logOf, type LogReaderOptions } from "./log_fields.ts";
import { parseLines, type TextSource } from "./lines.ts";

/**
 * The log entries of a logfmt text. Application, level, time and message are taken from the usual names, as
 * {@linkcode ndjsonLogs} does; all else becomes fields. A name without a value is `true`; of equal names the last wins.
 *
 * @throws {ReaderError} See {@linkcode ReaderOptions.onError}.
 *
 * @example
 * ```ts
 * import { logfmtLogs } from "./logfmt.ts";
 *
 * const line = 'time=1795500000 level=warn msg="slow answer" ms=512';
 * const [entry] = await Array.fromAsync(logfmtLogs(new Blob([line]).stream(), { application: "web" }));
 * console.assert(entry.message === "slow answer" && entry.fields?.ms === "512");
 * ```
 */
export function logfmtLogs(source: TextSource, options: LogReaderOptions = {}): AsyncGenerator<LogInit> {
  return parseLines(source, options, (line) => logOf(parseLogfmt(line), options));
}

/** A name, then perhaps a value: quoted with the escapes of JSON, or up to the next space. */
const PAIR = /[ \t]*([^\s="]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*)))?(?=\s|$)/gy;

function parseLogfmt(line: string): LogFields {
  const text = line.trim();
  const pairs: [string, string][] = [];
  PAIR.lastIndex = 0;
  while (PAIR.lastIndex < text.length) {
    const begin = PAIR.lastIndex;
    const match = PAIR.exec(text);
    if (match === null) throw new SyntaxError(`is no logfmt from character ${begin + 1} on`);
    const [, name, quoted, plain] = match;
    pairs.push([name, quoted === undefined ? plain ?? "true" : unescape(quoted)]);
  }
  return Object.fromEntries(pairs);
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f" };

function unescape(text: string): string {
  return text.replace(
    /\\(?:u([0-9a-fA-F]{4})|([\s\S]))/g,
    (_, code?: string, char?: string) =>
      code === undefined ? ESCAPES[char!] ?? char! : String.fromCharCode(parseInt(code, 16)),
  );
}
