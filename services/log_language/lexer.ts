/**
 * Cuts a query into tokens. See docs/search.md for the language.
 *
 * @module
 */
import { invalidArgument } from "../../errors.ts";
import { quoted } from "../text.ts";

/** A part of a query. `at` is where it begins, in UTF-16 code units from 0. */
export type Token =
  | { readonly type: "(" | ")" | "-" | "AND" | "OR" | "NOT" | "end"; readonly at: number }
  | Term;

/** What an entry is compared with, as it was written. */
export interface Term {
  readonly type: "term";
  readonly at: number;
  /** What stands before the colon; undefined if there is none. One in quotes is always the name of a field. */
  readonly name: string | undefined;
  readonly isNameQuoted: boolean;
  /** What the value is to be compared by, if it is not to be equal; empty if it is. */
  readonly comparison: "" | "<" | "<=" | ">" | ">=";
  readonly value: string;
  /** Where the value begins. */
  readonly valueAt: number;
  readonly isValueQuoted: boolean;
  /** An asterisk follows: the value may go on. */
  readonly isPrefix: boolean;
}

const SPACE = /\s+/uy;
const KEYWORD = /(AND|OR|NOT)(?=[\s()"]|$)/uy;
/** A minus sign in front of a term or a parenthesis is NOT; `->` and `--` are words. */
const MINUS = /-(?=[\p{L}\p{N}_@"(])/uy;
/** A name begins with a letter or an underscore: a time of day is no field, nor is an address. */
const NAME = /([\p{L}_@][\p{L}\p{M}\p{N}_.@/-]*):(?!\/\/)/uy;
const QUOTED = /"((?:[^"\\]|\\["\\])*)"/uy;
const QUOTED_NAME = /"((?:[^"\\]|\\["\\])+)":/uy;
const COMPARISON = /[<>]=?/uy;
const BARE = /[^\s()"*]+/uy;
/** What cannot follow an asterisk: it says that a word, or a phrase, may go on, and ends it. */
const AFTER_ASTERISK = /(?=[^\s()"])/uy;

/**
 * @throws {ConnectError} INVALID_ARGUMENT, with the place, for quotes that do not end, terms without a value, and asterisks
 * that are not at the end of one.
 */
export function tokenize(query: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at;
    const match = pattern.exec(query) ?? undefined;
    if (match !== undefined) at = pattern.lastIndex;
    return match;
  };
  const term = (): Term => {
    const start = at;
    const quotedName = take(QUOTED_NAME);
    const name = quotedName ?? take(NAME);
    const comparison = name === undefined ? undefined : take(COMPARISON);
    const valueAt = at;
    const text = take(QUOTED);
    const bare = text === undefined ? take(BARE)?.[0] : undefined;
    const isPrefix = query[at] === "*";
    if (isPrefix) at++;
    if (text === undefined && bare === undefined && !isPrefix) {
      throw query[at] === '"'
        ? malformed(query, at, 'a quotation mark that ends the text; within it, write \\" and \\\\')
        : malformed(query, at, `a value after ${quoted(query.slice(start, at))}`);
    }
    if (isPrefix && take(AFTER_ASTERISK) !== undefined) {
      throw malformed(query, at, "the end of a word after an asterisk (in quotes it stands for itself)");
    }
    return {
      type: "term",
      at: start,
      name: quotedName === undefined ? name?.[1] : unescape(quotedName[1]),
      isNameQuoted: quotedName !== undefined,
      comparison: (comparison?.[0] ?? "") as Term["comparison"],
      value: text === undefined ? bare ?? "" : unescape(text[1]),
      valueAt,
      isValueQuoted: text !== undefined,
      isPrefix,
    };
  };
  for (take(SPACE); at < query.length; take(SPACE)) {
    const start = at;
    const character = query[at];
    if (character === "(" || character === ")") {
      at++;
      tokens.push({ type: character, at: start });
      continue;
    }
    const keyword = take(KEYWORD);
    if (keyword !== undefined) tokens.push({ type: keyword[1] as "AND" | "OR" | "NOT", at: start });
    else if (take(MINUS) !== undefined) tokens.push({ type: "-", at: start });
    else tokens.push(term());
  }
  tokens.push({ type: "end", at: query.length });
  return tokens;
}

/** The error for a query that is none, with the place, counted from 1, and what should stand there. */
export function malformed(query: string, at: number, expected: string): Error {
  const there = at < query.length ? quoted(query.slice(at, at + 20)) : "its end";
  return invalidArgument("query", `expected ${expected} at character ${at + 1}, where there is ${there}`);
}

function unescape(text: string): string {
  return text.replaceAll(/\\(["\\])/g, "$1");
}
