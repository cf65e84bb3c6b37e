/**
 * Levels as they are written in the wild, as one of six.
 *
 * @module
 */
import { LEVELS } from "../store/log_types.ts";

type Level = typeof LEVELS[number];

/** Usual spellings: syslog (RFC 5424), log4j, Go, Python, Rust, journald, and their initials. */
const SPELLINGS: Readonly<Record<Level, readonly string[]>> = {
  TRACE: ["TRACE", "TRC", "T", "FINEST", "FINER", "VERBOSE", "V", "SILLY"],
  DEBUG: ["DEBUG", "DBG", "D", "FINE", "CONFIG"],
  INFO: ["", "INFO", "INF", "I", "INFORMATION", "INFORMATIONAL", "NOTICE", "LOG", "DEFAULT"],
  WARN: ["WARN", "WARNING", "WRN", "W"],
  ERROR: ["ERROR", "ERR", "E", "SEVERE", "FAILURE"],
  FATAL: ["FATAL", "FTL", "F", "CRITICAL", "CRIT", "C", "ALERT", "EMERGENCY", "EMERG", "PANIC", "DPANIC"],
};

const BY_SPELLING = new Map<string, number>();
for (const [i, level] of LEVELS.entries()) {
  for (const spelling of SPELLINGS[level]) BY_SPELLING.set(spelling, i);
}

/** The index into LEVELS of a level in any usual spelling; nothing said is INFO; undefined for what is no level. */
export function parseLevel(text: string): number | undefined {
  return BY_SPELLING.get(text) ?? BY_SPELLING.get(text.trim().toUpperCase());
}
