/**
 * Whether a segment may have an entry that is what a search asks for, as its index tells. False is certain.
 *
 * Two questions are asked of each condition, for what `NOT` asks is the other one: whether an entry may meet it, and whether
 * one may fail to. A filter of words can only answer the first.
 *
 * @module
 */
import type { LogCondition, ValueCondition, Words } from "../log_condition.ts";
import { bloomHas, fieldToken } from "./bloom.ts";
import type { LogIndex } from "./log_index.ts";
import { foldWord, forEachToken } from "./tokens.ts";

/** Whether an entry of the segment may meet the condition. */
export function mayMatch(index: LogIndex, condition: LogCondition): boolean {
  return index.count > 0 && may(index, condition);
}

function may(index: LogIndex, condition: LogCondition): boolean {
  switch (condition.type) {
    case "all":
      return condition.of.every((part) => may(index, part));
    case "any":
      return condition.of.some((part) => may(index, part));
    case "not":
      return mayFail(index, condition.of);
    case "level":
      return index.levels.some((count, level) => count > 0 && level >= condition.from && level <= condition.to);
    case "time":
      return index.minTime < condition.to && index.maxTime >= condition.from;
    case "application":
      return mayBeApplication(index, condition.value);
    case "field":
      if (index.names.fieldNamesComplete && !index.names.fieldNames.includes(condition.name)) return false;
      return mayBeValue(index, condition.name, condition.value);
    case "words":
      return mayHaveWords(index, condition.words);
  }
}

/** Whether an entry of the segment may be there that does not meet the condition. */
export function mayFail(index: LogIndex, condition: LogCondition): boolean {
  switch (condition.type) {
    case "all":
      return condition.of.some((part) => mayFail(index, part));
    case "any":
      return condition.of.every((part) => mayFail(index, part));
    case "not":
      return may(index, condition.of);
    case "level":
      return index.levels.some((count, level) => count > 0 && (level < condition.from || level > condition.to));
    case "time":
      return index.minTime < condition.from || index.maxTime >= condition.to;
    case "application":
      return !index.names.applicationsComplete ||
        [...index.names.applications.keys()].some((name) => !isName(name, condition.value));
    case "field":
    case "words":
      return true;
  }
}

function mayBeApplication(index: LogIndex, value: ValueCondition): boolean {
  return !index.names.applicationsComplete || [...index.names.applications.keys()].some((name) => isName(name, value));
}

function isName(name: string, value: ValueCondition): boolean {
  switch (value.type) {
    case "exact":
      return name === value.value;
    case "equal":
      return foldWord(name) === value.value;
    case "prefix":
      return foldWord(name).startsWith(value.value);
    default:
      return true;
  }
}

/** The filter has whole fields as they were written, and the words of values folded. */
function mayBeValue(index: LogIndex, name: string, value: ValueCondition): boolean {
  switch (value.type) {
    case "exact":
      return bloomHas(index.bloom, fieldToken(name, value.value));
    case "equal":
      return mayHaveWords(index, { text: value.value, isPrefix: false });
    default:
      return true;
  }
}

/** Whether all tokens of what is sought may be there; what has none, such as `->`, may be anywhere. */
function mayHaveWords(index: LogIndex, { text, isPrefix }: Words): boolean {
  const tokens: string[] = [];
  forEachToken(text, (token) => tokens.push(token));
  // The last one may go on, and then the filter has another.
  if (isPrefix) tokens.pop();
  return tokens.every((token) => bloomHas(index.bloom, token));
}
