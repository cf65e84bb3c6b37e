/**
 * Validates log entries and normalises them.
 *
 * @module
 */
import type { LogEntry } from "../gen/sluice/v1/data_collection_pb.ts";
import { MAX_LOG_FIELD_BYTES, MAX_LOG_FIELDS, MAX_LOG_MESSAGE_BYTES, MAX_NAME_BYTES } from "../limits.ts";
import { sortTags } from "../store/format/series.ts";
import { LEVELS, type LogRecord } from "../store/types.ts";
import { parseLevel } from "./log_level.ts";
import { type Fault, invalid } from "./tally.ts";
import { fitsUtf8, quoted, utf8Length } from "./text.ts";
import { type TimeBounds, timestampFault } from "./time_bounds.ts";

/** The record of an entry, or why it is refused. */
export function toLogRecord(entry: LogEntry, bounds: TimeBounds): { record: LogRecord } | { fault: Fault } {
  const { application, message } = entry;
  const timestamp = Number(entry.timestamp);
  const fault = applicationFault(application) ?? timestampFault(timestamp, bounds) ?? messageFault(message) ??
    fieldsFault(entry.fields);
  if (fault) return { fault };
  const level = parseLevel(entry.level);
  if (level === undefined) {
    const shown = quoted(entry.level);
    return {
      fault: invalid("level", `must be one of ${LEVELS.join(", ")}, or as usually written: current value is ${shown}`),
    };
  }
  return { record: { application, level, timestamp, message, fields: sortTags(entry.fields) } };
}

function applicationFault(application: string): Fault | undefined {
  if (application === "") return invalid("application", "must not be empty");
  if (!fitsUtf8(application, MAX_NAME_BYTES)) {
    return invalid("application", `must have at most ${MAX_NAME_BYTES} bytes`);
  }
  if (!application.isWellFormed()) return invalid("application", "must be valid Unicode");
}

function messageFault(message: string): Fault | undefined {
  if (!fitsUtf8(message, MAX_LOG_MESSAGE_BYTES)) {
    return invalid("message", `must have at most ${MAX_LOG_MESSAGE_BYTES} bytes: it has ${utf8Length(message)}`);
  }
  if (!message.isWellFormed()) return invalid("message", "must be valid Unicode");
}

function fieldsFault(fields: Readonly<Record<string, string>>): Fault | undefined {
  let count = 0;
  let bytes = 0;
  for (const key in fields) {
    const value = fields[key];
    count++;
    if (key === "") return invalid("fields", "must not have an empty key");
    if (!fitsUtf8(key, MAX_NAME_BYTES)) return invalid("fields", `a key must have at most ${MAX_NAME_BYTES} bytes`);
    if (!key.isWellFormed() || !value.isWellFormed()) return invalid("fields", "must be valid Unicode");
    bytes += utf8Length(key) + utf8Length(value);
  }
  if (count > MAX_LOG_FIELDS) return invalid("fields", `must be at most ${MAX_LOG_FIELDS}: there are ${count}`);
  if (bytes > MAX_LOG_FIELD_BYTES) {
    return invalid("fields", `must have at most ${MAX_LOG_FIELD_BYTES} bytes: they have ${bytes}`);
  }
}
