/**
 * Checks of text from outside.
 *
 * @module
 */

const encoder = new TextEncoder();

/** Whether `text` has at most `limit` bytes in UTF-8. Encodes only what is near the limit. */
export function fitsUtf8(text: string, limit: number): boolean {
  // A UTF-16 code unit takes one to three bytes.
  if (text.length * 3 <= limit) return true;
  return text.length <= limit && utf8Length(text) <= limit;
}

/** Bytes of `text` in UTF-8. */
export function utf8Length(text: string): number {
  return encoder.encode(text).length;
}
