/** Classes of bytes, and strings of bytes. */

/** RFC 9110 section 5.6.2: allowed in a method and in the name of a field. */
export const TOKEN = 1;
/** RFC 9110 section 5.5: allowed in the value of a field. */
export const VALUE = 2;
/** Allowed in a request target: visible ASCII without `#`, which no client may send (RFC 9112 section 3.2). */
export const TARGET = 4;
/** Allowed in an authority: RFC 3986 section 3.2 without user information (RFC 9110 section 4.2.4). */
export const AUTHORITY = 8;

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;

/** For each byte, the classes that it is of. */
export const CLASSES: Uint8Array = makeClasses();

function makeClasses(): Uint8Array {
  const classes = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) {
    const char = String.fromCharCode(byte);
    if (/[A-Za-z0-9!#$%&'*+\-.^_`|~]/.test(char)) classes[byte] |= TOKEN;
    if (byte === HTAB || (byte >= SP && byte !== 0x7f)) classes[byte] |= VALUE;
    if (byte > SP && byte < 0x7f && char !== "#") classes[byte] |= TARGET;
    if (/[A-Za-z0-9\-._~%!$&'()*+,;=:[\]]/.test(char)) classes[byte] |= AUTHORITY;
  }
  return classes;
}

/** Whether all bytes from `start` to `end` are of the class. */
export function allOf(bytes: Uint8Array, start: number, end: number, kind: number): boolean {
  for (let at = start; at < end; at++) if ((CLASSES[bytes[at]] & kind) === 0) return false;
  return true;
}

/** Up to this length a loop makes a string sooner than a call with so many arguments. */
const SHORT = 32;
const MAX_ARGUMENTS = 8_192;

/** Each byte a character, as `Headers` has it (ISO 8859-1). */
export function stringOf(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  if (end - start <= SHORT) {
    for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]);
    return text;
  }
  for (let at = start; at < end; at += MAX_ARGUMENTS) {
    // It takes any array-like of numbers, but its type wants an array.
    const part = bytes.subarray(at, Math.min(end, at + MAX_ARGUMENTS)) as ArrayLike<number> as number[];
    text += String.fromCharCode.apply(null, part);
  }
  return text;
}

/** Whether the bytes are `word`, which is in lower case, in any case. They must be of the class TOKEN. */
export function isWord(bytes: Uint8Array, start: number, end: number, word: string): boolean {
  if (end - start !== word.length) return false;
  for (let i = 0; i < word.length; i++) if ((bytes[start + i] | 0x20) !== word.charCodeAt(i)) return false;
  return true;
}
