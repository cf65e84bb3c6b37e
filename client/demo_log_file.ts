/**
 * A log file as log entries.
 *
 * @module
 */
import type { LogInit } from "./mod.ts";

/** How old a line's own timestamp may be to be used, ms: a server keeps 30 days by default. */
const MAX_AGE_MS = 29 * 24 * 60 * 60 * 1000;

/** The lines of a file that are not blank. */
export async function* readLines(path: string): AsyncGenerator<string> {
  const file = await Deno.open(path);
  let rest = "";
  for await (const text of file.readable.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") yield line.replace(/\r$/, "");
  }
  if (rest.trim() !== "") yield rest;
}

/** A line as an entry: its level and time are taken from it where it has them. */
export function parseLine(line: string, application: string, now: number): LogInit {
  const time = leadingTime(line, now);
  const usable = time !== undefined && time > now - MAX_AGE_MS && time <= now;
  return { application, level: levelOf(line), timestamp: usable ? time : now, message: line };
}

/** `2026-11-23T21:47:22.5Z`, `2026-11-23 21:47:22,5`, or syslog's `Nov 23 21:47:22`, perhaps in brackets. */
function leadingTime(line: string, now: number): number | undefined {
  const iso = /^\W?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d+))? ?(Z|[+-]\d\d:?\d\d)?/.exec(line);
  if (iso !== null) {
    const [, day, clock, fraction = "0", zone = ""] = iso;
    const time = Date.parse(`${day}T${clock}.${fraction.slice(0, 3)}${zone.replace(/^(...)(\d\d)$/, "$1:$2")}`);
    return Number.isNaN(time) ? undefined : time;
  }
  const syslog = /^([A-Z][a-z]{2}) +(\d{1,2}) (\d\d:\d\d:\d\d)/.exec(line);
  if (syslog === null) return undefined;
  const [, month, day, clock] = syslog;
  // It leaves the year out; what would be ahead of us was last year.
  const year = new Date(now).getFullYear();
  const times = [year, year - 1].map((y) => Date.parse(`${month} ${day} ${y} ${clock}`));
  return times.find((time) => time <= now);
}

function levelOf(line: string): string {
  return /\b(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|CRIT(?:ICAL)?|FATAL)\b/i.exec(line)?.[1] ?? "";
}
