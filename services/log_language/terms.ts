/**
 * Makes a condition of one term: a word, a phrase, or something about a field.
 *
 * @module
 */
import { foldWord } from "../../store/format/tokens.ts";
import { EVERY_ENTRY, type LogCondition, type ValueCondition } from "../../store/log_condition.ts";
import { LEVELS } from "../../store/log_types.ts";
import { parseLevel } from "../log_level.ts";
import { malformed, type Term } from "./lexer.ts";

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
/** A date, or a date and a time; without an offset it is UTC. */
const DATE = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)?)?$/;
/** Before now. */
const AGO = /^-(\d{1,9})(s|m|h|d)$/;
const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** @throws {ConnectError} INVALID_ARGUMENT, with the place and what was expected there. */
export function conditionOf(query: string, term: Term, now: number): LogCondition {
  const { name, isNameQuoted, value, valueAt, isValueQuoted, isPrefix } = term;
  const expect = (what: string) => malformed(query, valueAt, what);
  const isAll = value === "" && isPrefix && !isValueQuoted;
  if (name === undefined && isAll) return EVERY_ENTRY;
  const words = () => {
    if (foldWord(value).trim() === "") throw expect("a word");
    return { text: foldWord(value), isPrefix };
  };
  if (name === undefined) return { type: "words", where: "anywhere", words: words() };

  if (!isNameQuoted) {
    if (name === "level") return levelOf(term, expect);
    if (name === "time") return timeOf(term, now, expect);
    if (name === "message") {
      if (term.comparison !== "") throw expect("words");
      return { type: "words", where: "message", words: words() };
    }
    if (name === "app" || name === "application") {
      if (term.comparison !== "") throw expect("a name");
      return { type: "application", value: textOf() };
    }
  }
  if (term.comparison === "") return { type: "field", name, value: textOf() };
  if (isPrefix || !NUMBER.test(value)) throw expect("a number");
  return { type: "field", name, value: { type: "number", comparison: term.comparison, value: Number(value) } };

  function textOf(): ValueCondition {
    if (isAll) return { type: "any" };
    return { type: isPrefix ? "prefix" : "equal", value: foldWord(value) };
  }
}

/** `level:warn`, `level:warn+` and above, `level:>=warn`. */
function levelOf({ comparison, value, isPrefix, isValueQuoted }: Term, expect: (what: string) => Error): LogCondition {
  const isAndAbove = comparison === "" && !isValueQuoted && value.endsWith("+");
  const name = isAndAbove ? value.slice(0, -1) : value;
  const level = parseLevel(name);
  if (level === undefined || name.trim() === "" || isPrefix) {
    throw expect(`one of ${LEVELS.join(", ")}, or such as warn+`);
  }
  const highest = LEVELS.length - 1;
  switch (comparison) {
    case "":
      return { type: "level", from: level, to: isAndAbove ? highest : level };
    case "<":
      return { type: "level", from: 0, to: level - 1 };
    case "<=":
      return { type: "level", from: 0, to: level };
    case ">":
      return { type: "level", from: level + 1, to: highest };
    case ">=":
      return { type: "level", from: level, to: highest };
  }
}

/** `time:>=2026-01-02`, `time:<2026-01-02T03:04:05Z`, `time:>-15m`, or milliseconds since the epoch. */
function timeOf({ comparison, value, isPrefix }: Term, now: number, expect: (what: string) => Error): LogCondition {
  if (comparison === "") throw expect("<, <=, > or >= before a time");
  const time = isPrefix ? undefined : parseTime(value, now);
  if (time === undefined) throw expect("a time such as 2026-01-02T03:04:05Z or -15m");
  switch (comparison) {
    case "<":
      return { type: "time", from: -Infinity, to: time };
    case "<=":
      return { type: "time", from: -Infinity, to: time + 1 };
    case ">":
      return { type: "time", from: time + 1, to: Infinity };
    case ">=":
      return { type: "time", from: time, to: Infinity };
  }
}

function parseTime(text: string, now: number): number | undefined {
  const ago = AGO.exec(text);
  if (ago !== null) return now - Number(ago[1]) * UNIT_MS[ago[2] as keyof typeof UNIT_MS];
  if (/^\d{1,15}$/.test(text)) return Number(text);
  if (!DATE.test(text)) return undefined;
  const isUtc = text.length > 10 && !/(Z|[+-]\d\d:\d\d)$/.test(text);
  const time = Date.parse(isUtc ? `${text}Z` : text);
  return Number.isNaN(time) || !isDay(text.slice(0, 10)) ? undefined : time;
}

/** Whether a date such as 2026-02-30 exists; Date.parse() takes that for the 2nd of March. */
function isDay(date: string): boolean {
  const time = Date.parse(date);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(date);
}
