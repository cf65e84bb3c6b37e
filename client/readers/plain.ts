/**
 * Log entries from plain lines: what most programs write.
 *
 * @module
 */
import type { LogInit } from "../items.ts";
import { parseLines, type TextSource } from "./lines.ts";
import type { LogReaderOptions } from "./log_fields.ts";
import { parseDate } from "./values.ts";

/** Characters at the beginning of a line in which a level, or the time of an access log, is looked for. */
const HEAD_CHARS = 200;

/**
 * The lines of a text that are not blank, each as an entry whose message is the whole line. Time and level are taken
 * from the line where they stand in one of the usual ways: ISO 8601, syslog (RFC 3164 and 5424), nginx, access logs,
 * klog, seconds since the epoch; without a zone in local time. A line without a time has that of the clock, one without
 * a level is INFO.
 *
 * @throws {ReaderError} if a line is too long.
 *
 * @example
 * ```ts
 * import { plainLogs } from "./plain.ts";
 *
 * const line = "2026-11-24 10:00:00,123 WARN slow answer";
 * const [entry] = await Array.fromAsync(plainLogs(new Blob([line]).stream(), { application: "web" }));
 * console.assert(entry.level === "WARN");
 * ```
 */
export function plainLogs(source: TextSource, options: LogReaderOptions = {}): AsyncGenerator<LogInit> {
  const { application = "unknown", now = Date.now } = options;
  return parseLines(source, options, (line) => {
    const moment = now();
    return { application, level: levelOf(line), timestamp: timeOf(line, moment) ?? moment, message: line };
  });
}

const ISO = /^\W{0,2}(\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?(?:Z|[+-]\d\d:?\d\d)(?!\d))?)/;
const SYSLOG = /^([A-Z][a-z]{2}) +(\d{1,2}) (\d\d:\d\d:\d\d)/;
const ACCESS = /\[(\d\d)\/([A-Z][a-z]{2})\/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d{4})\]/;
const KLOG = /^[IWEF](\d\d)(\d\d) (\d\d:\d\d:\d\d\.\d{3})/;
const EPOCH = /^\W?(\d{10})(?:\.(\d+)|(\d{3}))?(?=\W)/;

/** The time of a line, ms since the epoch; undefined if it has none. `now` gives the year where the line leaves it out. */
export function timeOf(line: string, now: number): number | undefined {
  const text = withoutPriority(line);
  const iso = ISO.exec(text);
  if (iso !== null) return parseDate(iso[1].replaceAll("/", "-"));
  const syslog = SYSLOG.exec(text);
  if (syslog !== null) return withoutYear((year) => Date.parse(`${syslog[1]} ${syslog[2]} ${year} ${syslog[3]}`), now);
  const klog = KLOG.exec(text);
  if (klog !== null) return withoutYear((year) => Date.parse(`${year}-${klog[1]}-${klog[2]}T${klog[3]}`), now);
  const epoch = EPOCH.exec(text);
  if (epoch !== null) return Number(epoch[1]) * 1000 + Number((epoch[2] ?? epoch[3] ?? "0").padEnd(3, "0").slice(0, 3));
  const access = ACCESS.exec(text.slice(0, HEAD_CHARS));
  if (access !== null) {
    const [, day, month, year, clock, zone] = access;
    return valid(Date.parse(`${day} ${month} ${year} ${clock} ${zone}`));
  }
  return undefined;
}

const LEVEL = /\b(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|CRIT(?:ICAL)?|FATAL|PANIC|EMERG|ALERT)\b/i;
const KLOG_LEVELS: Readonly<Record<string, string>> = { I: "INFO", W: "WARN", E: "ERROR", F: "FATAL" };
/** Severities of syslog (RFC 5424, table 2) as levels that servers know. */
const SEVERITIES = ["FATAL", "FATAL", "FATAL", "ERROR", "WARN", "INFO", "INFO", "DEBUG"];

/** The level of a line; undefined if it names none. */
export function levelOf(line: string): string | undefined {
  const priority = PRIORITY.exec(line);
  if (priority !== null) return SEVERITIES[Number(priority[1]) % 8];
  if (KLOG.test(line)) return KLOG_LEVELS[line[0]];
  return LEVEL.exec(line.slice(0, HEAD_CHARS))?.[1].toUpperCase();
}

/** What a line of syslog on the wire begins with: facility and severity, and perhaps a version. */
const PRIORITY = /^<(\d{1,3})>(?:1 )?/;

function withoutPriority(line: string): string {
  return line.replace(PRIORITY, "");
}

/** What would be more than a day ahead of us was last year. */
function withoutYear(inYear: (year: number) => number, now: number): number | undefined {
  const year = new Date(now).getFullYear();
  const time = inYear(year);
  return valid(time > now + 24 * 60 * 60 * 1000 ? inYear(year - 1) : time);
}

function valid(time: number): number | undefined {
  return Number.isNaN(time) ? undefined : time;
}
