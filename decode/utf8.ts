/**
 * UTF-8 that is checked while it is copied, without a string being made.
 *
 * @module
 */
import { malformed } from "./wire.ts";

/**
 * Copies a text, `bytes` from `from` up to `to`, to `out` at `at`, and returns how many UTF-16 code units it has. Throws
 * INVALID_ARGUMENT, after it may have written, if it is not UTF-8 as RFC 3629 has it (no surrogates, no overlong forms).
 */
export function copyText(bytes: Uint8Array, from: number, to: number, out: Uint8Array, at: number): number {
  for (let i = from; i < to; i++) {
    const byte = bytes[i];
    if (byte >= 0x80) {
      const units = i - from + unitsOf(bytes, i, to);
      out.set(bytes.subarray(i, to), at);
      return units;
    }
    out[at++] = byte;
  }
  return to - from;
}

/** Code units of a text. Throws INVALID_ARGUMENT if it is not UTF-8. */
export function unitsOf(bytes: Uint8Array, from: number, to: number): number {
  let units = 0;
  let at = from;
  while (at < to) {
    const lead = bytes[at++];
    units++;
    if (lead < 0x80) continue;
    // The second byte has bounds of its own after some leads: what is below is overlong, above are surrogates or no
    // characters at all.
    let low = 0x80, high = 0xbf, more = 1;
    if (lead < 0xc2 || lead > 0xf4) throw notUtf8();
    if (lead >= 0xe0) {
      more = 2;
      if (lead === 0xe0) low = 0xa0;
      else if (lead === 0xed) high = 0x9f;
    }
    if (lead >= 0xf0) {
      more = 3;
      units++;
      if (lead === 0xf0) low = 0x90;
      else if (lead === 0xf4) high = 0x8f;
    }
    if (more > to - at || bytes[at] < low || bytes[at] > high) throw notUtf8();
    for (const end = at + more; ++at < end;) if ((bytes[at] & 0xc0) !== 0x80) throw notUtf8();
  }
  return units;
}

function notUtf8(): Error {
  return malformed("a string is not valid UTF-8");
}
