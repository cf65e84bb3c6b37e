/**
 * Checks of text from outside.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { MAX_QUOTED_CHARACTERS } from "../limits.ts";

/** Whether `text` has at most `limit` bytes in UTF-8. Encodes only what is near the limit. */
export function fitsUtf8(text: string, limit: number): boolean {
  // A UTF-16 code unit takes one to three bytes.
  if (text.length * 3 <= limit) return true;
  return text.length <= limit && utf8Length(text) <= limit;
}

/** Bytes of `text` in UTF-8. */
export function utf8Length(text: string): number {
  return Buffer.byteLength(text);
}

/** Text of a caller's as an error shows it: quoted, and not at any length. */
export function quoted(text: string): string {
  const shown = text.slice(0, MAX_QUOTED_CHARACTERS).toWellFormed();
  return JSON.stringify(shown.length < text.length ? `${shown}…` : shown);
}
