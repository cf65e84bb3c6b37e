/**
 * Whether an entry is what a search asks for.
 *
 * @module
 */
import type { LogCondition, ValueCondition } from "../log_condition.ts";
import type { LogRow } from "./log_row.ts";
import { findFolded, foldWord } from "./tokens.ts";

/** A decimal number, as people and programs write it. */
const NUMBER = /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/;

export type LogMatcher = (entry: LogRow) => boolean;
export type ValueMatcher = (value: string) => boolean;

/** Says of entries whether they meet a condition. */
export function logMatcher(condition: LogCondition): LogMatcher {
  switch (condition.type) {
    case "all": {
      const parts = cheapestFirst(condition.of).map(logMatcher);
      return (entry) => parts.every((isMet) => isMet(entry));
    }
    case "any": {
      const parts = cheapestFirst(condition.of).map(logMatcher);
      return (entry) => parts.some((isMet) => isMet(entry));
    }
    case "not": {
      const isMet = logMatcher(condition.of);
      return (entry) => !isMet(entry);
    }
    case "level": {
      const { from, to } = condition;
      return ({ level }) => level >= from && level <= to;
    }
    case "time": {
      const { from, to } = condition;
      return ({ timestamp }) => timestamp >= from && timestamp < to;
    }
    case "application": {
      const isMet = remembered(valueMatcher(condition.value));
      return ({ application }) => isMet(application);
    }
    case "field": {
      const { name } = condition;
      const isMet = valueMatcher(condition.value);
      return (entry) => {
        const value = entry.field(name);
        return value !== undefined && isMet(value);
      };
    }
    case "words": {
      const { where, words: { text, isPrefix } } = condition;
      const has = (folded: string) => findFolded(folded, text, isPrefix) >= 0;
      if (where === "message") return (entry) => has(entry.foldedMessage);
      return (entry) => has(entry.foldedMessage) || entry.someFoldedValue(has);
    }
  }
}

/** What it takes to know whether an entry meets a condition: numbers, one text, all texts. */
function cost(condition: LogCondition): number {
  switch (condition.type) {
    case "all":
    case "any":
      return condition.of.reduce((most, part) => Math.max(most, cost(part)), 0);
    case "not":
      return cost(condition.of);
    case "level":
    case "time":
      return 0;
    case "application":
      return 1;
    case "field":
      return 2;
    case "words":
      return 3;
  }
}

function cheapestFirst(conditions: readonly LogCondition[]): readonly LogCondition[] {
  return conditions.toSorted((a, b) => cost(a) - cost(b));
}

/** Asks once for the same value after the other: neighbours often have it. */
function remembered(isMet: ValueMatcher): ValueMatcher {
  let last: string | undefined;
  let answer = false;
  return (value) => {
    if (value !== last) {
      answer = isMet(value);
      last = value;
    }
    return answer;
  };
}

/** Says of values whether they meet a condition. */
export function valueMatcher(condition: ValueCondition): ValueMatcher {
  switch (condition.type) {
    case "any":
      return () => true;
    case "exact":
      return (value) => value === condition.value;
    case "equal":
      return (value) => foldWord(value) === condition.value;
    case "prefix":
      return (value) => foldWord(value).startsWith(condition.value);
    case "number":
      return (value) => NUMBER.test(value) && compares(Number(value), condition);
  }
}

function compares(number: number, { comparison, value }: Extract<ValueCondition, { type: "number" }>): boolean {
  switch (comparison) {
    case "<":
      return number < value;
    case "<=":
      return number <= value;
    case ">":
      return number > value;
    case ">=":
      return number >= value;
  }
}
