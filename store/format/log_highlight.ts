/**
 * Where in an entry stands what a search looks for, so that it can be shown.
 *
 * @module
 */
import { MAX_HIGHLIGHTS } from "../../limits.ts";
import type { LogCondition, Words } from "../log_condition.ts";
import type { Highlight, LogRecord } from "../log_types.ts";
import { findFolded, foldWord } from "./tokens.ts";

// deno-lint-ignore no-control-regex
const ASCII = /^[\x00-\x7f]*$/;
/** A character with the marks that belong to it: what folding may make one of. */
const CLUSTER = /\P{M}\p{M}*|\p{M}+/gu;

/**
 * The places in an entry that a condition names, in order, without overlaps, at most MAX_HIGHLIGHTS. What must not be there is
 * nowhere.
 */
export function highlightsOf(record: LogRecord, condition: LogCondition): Highlight[] {
  const found: Highlight[] = [];
  const texts = [undefined, ...record.fields.keys()].map((field) => new Text(record, field));
  collect(condition, texts, found);
  found.sort((a, b) => (a.field ?? -1) - (b.field ?? -1) || a.start - b.start || b.end - a.end);
  const apart = found.filter(({ field, end }, i) =>
    !found.slice(0, i).some((before) => before.field === field && before.end >= end)
  );
  return apart.slice(0, MAX_HIGHLIGHTS);
}

function collect(condition: LogCondition, texts: readonly Text[], found: Highlight[]): void {
  switch (condition.type) {
    case "all":
    case "any":
      for (const part of condition.of) collect(part, texts, found);
      break;
    case "words":
      for (const text of condition.where === "message" ? texts.slice(0, 1) : texts) text.find(condition.words, found);
      break;
    case "field":
      for (const text of texts) if (text.name === condition.name) text.all(found);
  }
}

/** The message of an entry, or the value of a field. */
class Text {
  readonly #text: string;
  readonly name: string | undefined;
  #folded: Folded | undefined;

  constructor(record: LogRecord, readonly field: number | undefined) {
    [this.name, this.#text] = field === undefined ? [undefined, record.message] : record.fields[field];
  }

  all(found: Highlight[]): void {
    if (this.#text.length > 0) found.push({ field: this.field, start: 0, end: this.#text.length });
  }

  find({ text: words, isPrefix }: Words, found: Highlight[]): void {
    const { text, placeOf } = this.#folded ??= fold(this.#text);
    for (let i = 0, at = 0; i < MAX_HIGHLIGHTS; i++, at += words.length) {
      at = findFolded(text, words, isPrefix, at);
      if (at < 0) return;
      found.push({ field: this.field, start: placeOf(at), end: placeOf(at + words.length) });
    }
  }
}

interface Folded {
  readonly text: string;
  /** Where in the text as it was stands what is folded to a place. */
  placeOf(at: number): number;
}

/** Folding may change lengths, of characters and of what marks make of them, so each is folded by itself. */
function fold(original: string): Folded {
  const text = foldWord(original);
  if (ASCII.test(original)) return { text, placeOf: (at) => at };
  /** Beginnings of characters, in the folded text and in the original. */
  const folded: number[] = [];
  const places: number[] = [];
  let length = 0;
  let place = 0;
  for (const [cluster] of original.matchAll(CLUSTER)) {
    folded.push(length);
    places.push(place);
    length += foldWord(cluster).length;
    place += cluster.length;
  }
  folded.push(length);
  places.push(place);
  // A character that became part of the one before it: places further on are near enough.
  return { text, placeOf: (at) => places[lowerBound(folded, Math.min(at, length))] };
}

/** The first index whose value is at least `value`. */
function lowerBound(values: readonly number[], value: number): number {
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
