/**
 * Words: what a search for words looks for in messages and field values.
 *
 * Text is folded (lower case, final sigma as sigma, NFC), and a word is a maximal run of letters with their marks,
 * digits and underscores in it. A filter knows tokens: words, of which those over MAX_TOKEN_BYTES are cut to their
 * beginning. Tokens only say where to look. Whether a text has a word is decided by `findFolded()`, on the whole word; so
 * index and search must cut alike, and a cut costs false hits of the filter but never a wrong answer.
 *
 * Marks belong to words as some letters become letter and mark in lower case, and as much of the world writes vowels
 * so.
 *
 * @module
 */
import { MAX_TOKEN_BYTES } from "../../limits.ts";

const WORD = /[\p{L}\p{M}\p{N}_]+/gu;
const WORD_CHARACTER = /[\p{L}\p{M}\p{N}_]/u;
// deno-lint-ignore no-control-regex
const ASCII = /^[\x00-\x7f]*$/;

/** For each ASCII code the folded code if it is part of words, else 0. */
export const ASCII_WORD: Uint8Array = asciiWord();

/** Folds a word, or any text: two that differ only in case or in how they are composed become equal. */
export function foldWord(word: string): string {
  const lower = word.toLowerCase();
  // Lower case of a capital sigma depends on what stands around it, so a word alone and in a text would differ.
  return ASCII.test(lower) ? lower : lower.replaceAll("ς", "σ").toWellFormed().normalize("NFC");
}

/** Calls `fn` with each token of `text` in order, repeated ones too: folded, at most MAX_TOKEN_BYTES of UTF-8. */
export function forEachToken(text: string, fn: (token: string) => void): void {
  const folded = foldWord(text);
  let start = -1;
  for (let i = 0; i < folded.length; i++) {
    const code = folded.charCodeAt(i);
    if (code > 0x7f) return forEachUnicodeToken(start < 0 ? folded.slice(i) : folded.slice(start), fn);
    if (ASCII_WORD[code] !== 0) {
      if (start < 0) start = i;
    } else if (start >= 0) {
      fn(folded.slice(start, Math.min(i, start + MAX_TOKEN_BYTES)));
      start = -1;
    }
  }
  if (start >= 0) fn(folded.slice(start, start + MAX_TOKEN_BYTES));
}

/**
 * Where `words` stand in `text`, both folded and in whole, with no word going on before or after them; -1 if they do not.
 * Several words (`10.0.0.1`, `not found`) must stand there just so.
 *
 * @param isPrefix Whether the last word may go on.
 * @param from Where to begin.
 */
export function findFolded(text: string, words: string, isPrefix: boolean, from = 0): number {
  const first = text.indexOf(words, from);
  if (first < 0) return -1;
  const boundBefore = isWordCharacter(codePointAt(words, 0));
  const boundAfter = !isPrefix && isWordCharacter(codePointBefore(words, words.length));
  for (let at = first; at >= 0; at = text.indexOf(words, at + 1)) {
    if (boundBefore && isWordCharacter(codePointBefore(text, at))) continue;
    if (boundAfter && isWordCharacter(codePointAt(text, at + words.length))) continue;
    return at;
  }
  return -1;
}

/** For text that is folded and not all ASCII. */
function forEachUnicodeToken(folded: string, fn: (token: string) => void): void {
  for (const [word] of folded.matchAll(WORD)) fn(cutWord(word));
}

/** The longest beginning of whole characters that has at most MAX_TOKEN_BYTES of UTF-8. */
function cutWord(word: string): string {
  if (word.length * 3 <= MAX_TOKEN_BYTES) return word;
  let bytes = 0;
  let end = 0;
  for (const character of word) {
    const code = character.codePointAt(0) ?? 0;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (bytes > MAX_TOKEN_BYTES) return word.slice(0, end);
    end += character.length;
  }
  return word;
}

/** The character at `at`; empty at the end. */
function codePointAt(text: string, at: number): string {
  const code = text.codePointAt(at);
  return code === undefined ? "" : String.fromCodePoint(code);
}

/** The character before `at`; empty at the beginning. */
function codePointBefore(text: string, at: number): string {
  const low = text.charCodeAt(at - 1);
  return low >= 0xdc00 && low <= 0xdfff ? codePointAt(text, Math.max(at - 2, 0)) : text.slice(Math.max(at - 1, 0), at);
}

function isWordCharacter(character: string): boolean {
  const code = character.charCodeAt(0);
  return code <= 0x7f ? ASCII_WORD[code] !== 0 : WORD_CHARACTER.test(character);
}

function asciiWord(): Uint8Array {
  const table = new Uint8Array(128);
  for (const character of "abcdefghijklmnopqrstuvwxyz0123456789_") {
    table[character.charCodeAt(0)] = character.charCodeAt(0);
    table[character.toUpperCase().charCodeAt(0)] = character.charCodeAt(0);
  }
  return table;
}
