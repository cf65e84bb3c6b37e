/**
 * Whether an entry is what a search asks for.
 *
 * @module
 */
import type { LogCondition, ValueCondition } from "../log_condition.ts";
import type { LogRecord } from "../log_types.ts";
import { findFolded, foldWord } from "./tokens.ts";

/** A decimal number, as people and programs write it. */
const NUMBER = /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/;

/** Whether an entry meets a condition. */
export function matchesLog(record: LogRecord, condition: LogCondition): boolean {
  return matches(new FoldedLog(record), condition);
}

/** An entry, of which each text is folded once at the most, and only if it is asked for. */
class FoldedLog {
  #message: string | undefined;
  #values: string[] | undefined;

  constructor(readonly record: LogRecord) {}

  get message(): string {
    return this.#message ??= foldWord(this.record.message);
  }

  get values(): readonly string[] {
    return this.#values ??= this.record.fields.map(([, value]) => foldWord(value));
  }
}

function matches(log: FoldedLog, condition: LogCondition): boolean {
  const { record } = log;
  switch (condition.type) {
    case "all":
      return condition.of.every((part) => matches(log, part));
    case "any":
      return condition.of.some((part) => matches(log, part));
    case "not":
      return !matches(log, condition.of);
    case "level":
      return record.level >= condition.from && record.level <= condition.to;
    case "time":
      return record.timestamp >= condition.from && record.timestamp < condition.to;
    case "application":
      return isValue(record.application, condition.value);
    case "field":
      return record.fields.some(([name, value]) => name === condition.name && isValue(value, condition.value));
    case "words": {
      const { where, words } = condition;
      if (findFolded(log.message, words.text, words.isPrefix) >= 0) return true;
      return where === "anywhere" && log.values.some((value) => findFolded(value, words.text, words.isPrefix) >= 0);
    }
  }
}

function isValue(value: string, condition: ValueCondition): boolean {
  switch (condition.type) {
    case "any":
      return true;
    case "exact":
      return value === condition.value;
    case "equal":
      return foldWord(value) === condition.value;
    case "prefix":
      return foldWord(value).startsWith(condition.value);
    case "number": {
      if (!NUMBER.test(value)) return false;
      const number = Number(value);
      switch (condition.comparison) {
        case "<":
          return number < condition.value;
        case "<=":
          return number <= condition.value;
        case ">":
          return number > condition.value;
        case ">=":
          return number >= condition.value;
      }
    }
  }
}
