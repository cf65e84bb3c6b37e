/**
 * Where in an entry stands what a search looks for, so that it can be shown.
 *
 * @module
 */
import { MAX_HIGHLIGHTS } from "../../limits.ts";
import type { LogCondition, Words } from "../log_condition.ts";
import type { Highlight, LogRecord } from "../log_types.ts";
import { type ValueMatcher, valueMatcher } from "./log_match.ts";
import { findFolded, foldWord } from "./tokens.ts";

// deno-lint-ignore no-control-regex
const ASCII = /^[\x00-\x7f]*$/;
/** A character with the marks that belong to it: what folding may make one of. */
const CLUSTER = /\P{M}\p{M}*|\p{M}+/gu;

/** A part of a text: from `start` (inclusive) up to `end` (exclusive). */
interface Range {
  start: number;
  end: number;
}

/** What a condition names, each once. */
interface Sought {
  readonly inMessage: Map<string, Words>;
  readonly inValues: Map<string, Words>;
  /** By the name of the field. */
  readonly values: Map<string, ValueMatcher[]>;
}

/** Says of entries where in them is what a condition names: in order, without overlaps, at most MAX_HIGHLIGHTS places. */
export type LogHighlighter = (record: LogRecord) => Highlight[];

/** What must not be there is nowhere, nor is a value that is not the one sought. */
export function logHighlighter(condition: LogCondition): LogHighlighter {
  const sought: Sought = { inMessage: new Map(), inValues: new Map(), values: new Map() };
  collect(condition, sought);
  const inMessage = [...sought.inMessage.values()];
  const inValues = [...sought.inValues.values()];
  return ({ message, fields }) => {
    const found: Highlight[] = [];
    const add = (field: number | undefined, ranges: readonly Range[]) => {
      for (const { start, end } of ranges) found.push({ field, start, end });
    };
    add(undefined, placesOf(inMessage, message, MAX_HIGHLIGHTS));
    for (let i = 0; i < fields.length && found.length < MAX_HIGHLIGHTS; i++) {
      const [name, value] = fields[i];
      const isSought = sought.values.get(name)?.some((isMet) => isMet(value)) ?? false;
      if (!isSought) add(i, placesOf(inValues, value, MAX_HIGHLIGHTS - found.length));
      else if (value.length > 0) add(i, [{ start: 0, end: value.length }]);
    }
    return found;
  };
}

function collect(condition: LogCondition, sought: Sought): void {
  switch (condition.type) {
    case "all":
    case "any":
      for (const part of condition.of) collect(part, sought);
      break;
    case "words": {
      const { where, words } = condition;
      const key = `${words.isPrefix} ${words.text}`;
      sought.inMessage.set(key, words);
      if (where === "anywhere") sought.inValues.set(key, words);
      break;
    }
    case "field": {
      const isMet = valueMatcher(condition.value);
      const others = sought.values.get(condition.name);
      if (others) others.push(isMet);
      else sought.values.set(condition.name, [isMet]);
    }
  }
}

/** Where words stand in a text; the first `limit` places. */
function placesOf(words: readonly Words[], text: string, limit: number): readonly Range[] {
  if (words.length === 0) return [];
  const ranges = placesInFolded(words, foldWord(text), limit);
  return ranges.length === 0 || ASCII.test(text) ? ranges : unfolded(ranges, text);
}

/** Goes through all places of all words in their order, and makes one of those that overlap. */
function placesInFolded(words: readonly Words[], folded: string, limit: number): Range[] {
  const ranges: Range[] = [];
  const next = words.map(({ text, isPrefix }) => findFolded(folded, text, isPrefix));
  for (;;) {
    let first = -1;
    for (let i = 0; i < next.length; i++) {
      if (next[i] >= 0 && (first < 0 || next[i] < next[first])) first = i;
    }
    if (first < 0) return ranges;
    const { text, isPrefix } = words[first];
    const start = next[first];
    const end = start + text.length;
    const last = ranges.at(-1);
    if (last !== undefined && start < last.end) last.end = Math.max(last.end, end);
    else if (ranges.length === limit) return ranges;
    else ranges.push({ start, end });
    next[first] = findFolded(folded, text, isPrefix, end);
  }
}

/**
 * Where ranges of a folded text stand in the text as it was: all characters that they touch. Folding may change lengths, of
 * characters and of what marks make of them, so each is folded by itself. One that became part of the one before it makes
 * places further on near enough.
 */
function unfolded(ranges: readonly Range[], text: string): Range[] {
  const found: Range[] = [];
  let next = 0;
  /** Where the character ends that is being looked at, when folded. */
  let foldedEnd = 0;
  let start: number | undefined;
  for (const { 0: cluster, index } of text.matchAll(CLUSTER)) {
    foldedEnd += foldWord(cluster).length;
    if (foldedEnd <= ranges[next].start) continue;
    start ??= index;
    if (foldedEnd < ranges[next].end) continue;
    const end = index + cluster.length;
    found.push({ start, end });
    start = undefined;
    // What else ends within this character has been shown with it.
    while (next < ranges.length && ranges[next].end <= foldedEnd) next++;
    if (next === ranges.length) break;
  }
  return found;
}
