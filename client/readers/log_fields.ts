/**
 * Log entries from names and values, as NDJSON and logfmt have them.
 *
 * @module
 */
import type { LogInit } from "../items.ts";
import type { ReaderOptions } from "./lines.ts";
import { asText, parseTime } from "./values.ts";

/** The names and values of a line. */
export type LogFields = Record<string, unknown>;

/** How log entries are read. */
export interface LogReaderOptions extends ReaderOptions {
  /** The application of lines that name none. Default: `unknown`. */
  application?: string;
  /** The time of lines that have none, ms since the epoch. Default: the clock. */
  now?: () => number;
}

const APPLICATION = ["application", "app", "service", "service.name", "logger"];
const LEVEL = ["level", "lvl", "severity", "log.level", "loglevel"];
const TIME = ["timestamp", "time", "ts", "@timestamp", "t", "date"];
const MESSAGE = ["message", "msg", "log", "body", "event"];

/** Numbers for levels, of pino and bunyan: a hundred lines of JavaScript logging in Node have them. */
const NUMERIC_LEVELS: Readonly<Record<string, string>> = {
  "10": "TRACE",
  "20": "DEBUG",
  "30": "INFO",
  "40": "WARN",
  "50": "ERROR",
  "60": "FATAL",
};

/** @throws {SyntaxError} if the time is none. */
export function logOf(values: LogFields, { application, now = Date.now }: LogReaderOptions): LogInit {
  const rest = new Map(Object.entries(values));
  /** The value of the first of the names that is there, which is then no field. */
  const take = (names: readonly string[]): unknown => {
    const name = names.find((name) => rest.get(name) !== undefined && rest.get(name) !== null);
    const value = name === undefined ? undefined : rest.get(name);
    if (name !== undefined) rest.delete(name);
    return value;
  };
  const app = take(APPLICATION);
  const level = take(LEVEL);
  const time = take(TIME);
  const message = take(MESSAGE);
  // Not by assignment, here and in the other readers: `__proto__` is a name like any other.
  const fields = Object.fromEntries([...rest].filter(([, value]) => value !== null).map(([k, v]) => [k, asText(v)]));
  return {
    application: app === undefined ? application ?? "unknown" : asText(app),
    level: level === undefined ? undefined : NUMERIC_LEVELS[String(level)] ?? asText(level),
    timestamp: time === undefined ? now() : parseTime(time),
    message: message === undefined ? "" : asText(message),
    fields,
  };
}
