/**
 * A Bloom filter of tokens (Bloom, 1970), with all its hashes derived from two (Kirsch and Mitzenmacher, "Less Hashing,
 * Same Performance", ESA 2006).
 *
 * ```
 * (nothing)                if there are no tokens
 * k         u8             bits set for each token
 * bits      m / 8 bytes    bit b is bit b % 8 of byte b / 8
 * ```
 *
 * A token sets the bits (h1 % m + i * (1 + h2 % (m - 1))) % m for i from 0 to k - 1. It has BITS_PER_TOKEN bits, and k
 * = 7 suits that; where the filter would exceed MAX_BLOOM_BYTES, fewer bits remain for each and so fewer are set.
 *
 * h1 and h2 are FNV-1a over the token's UTF-8 bytes with two offsets and primes, mixed at the end as in MurmurHash3. A
 * loop over bytes can compute them while it reads, without making a token first; `addWords()` does that over char
 * codes.
 *
 * @module
 */
import { MAX_BLOOM_BYTES, MAX_TOKEN_BYTES } from "../../limits.ts";
import { ASCII_WORD, forEachToken } from "./tokens.ts";

const BITS_PER_TOKEN = 10;
const MAX_PROBES = 7;
const OFFSET_1 = 0x811c9dc5 | 0;
const PRIME_1 = 0x01000193;
const OFFSET_2 = 0x9747b28c | 0;
const PRIME_2 = 0x5bd1e995;

/** Gathers the distinct tokens of a segment, as hashes, and makes a filter of them. */
export class BloomBuilder {
  /** Pairs of hashes in an open-addressed table; a second hash is never 0, so 0 is a free place. */
  #table = new Int32Array(2048);
  #count = 0;

  /** Adds a token as it is: one of `forEachToken()`. */
  add(token: string): void {
    hashText(token);
    this.#insert(hash1, hash2);
  }

  /** Adds the token of `fieldToken()`, without making it. */
  addField(key: string, value: string): void {
    hashText(key);
    hashByte(0);
    hashText(value, hash1, hash2);
    this.#insert(hash1, hash2);
  }

  /** Adds all tokens of `text`, those that `forEachToken()` finds. */
  addWords(text: string): void {
    let h1 = OFFSET_1;
    let h2 = OFFSET_2;
    let length = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      // Beyond ASCII, a word may go on or be composed with what follows; so start again, the slow way. Words found so
      // far are words of the text still, save that one may be part of a longer one: a token too many, which is no harm.
      if (code > 0x7f) return forEachToken(text, (token) => this.add(token));
      const folded = ASCII_WORD[code];
      if (folded !== 0) {
        if (length++ < MAX_TOKEN_BYTES) {
          h1 = Math.imul(h1 ^ folded, PRIME_1);
          h2 = Math.imul(h2 ^ folded, PRIME_2);
        }
      } else if (length !== 0) {
        this.#insert(h1, h2);
        h1 = OFFSET_1;
        h2 = OFFSET_2;
        length = 0;
      }
    }
    if (length !== 0) this.#insert(h1, h2);
  }

  build(): Uint8Array<ArrayBuffer> {
    if (this.#count === 0) return new Uint8Array(0);
    const wanted = Math.ceil(this.#count * BITS_PER_TOKEN / 8);
    const bytes = new Uint8Array(Math.min(1 + wanted, MAX_BLOOM_BYTES));
    const size = (bytes.length - 1) * 8;
    const probes = Math.max(1, Math.min(Math.round(size / this.#count * Math.LN2), MAX_PROBES));
    bytes[0] = probes;
    const table = this.#table;
    for (let at = 0; at < table.length; at += 2) {
      if (table[at + 1] === 0) continue;
      let bit = (table[at] >>> 0) % size;
      const step = 1 + (table[at + 1] >>> 0) % (size - 1);
      for (let i = 0; i < probes; i++) {
        bytes[1 + (bit >> 3)] |= 1 << (bit & 7);
        bit += step;
        if (bit >= size) bit -= size;
      }
    }
    return bytes;
  }

  /** Adds a pair of hashes that are not yet mixed. */
  #insert(h1: number, h2: number): void {
    h1 = mix(h1);
    h2 = mix(h2) | 1;
    const table = this.#table;
    const mask = table.length - 1;
    let at = (h1 << 1) & mask;
    while (table[at + 1] !== 0) {
      if (table[at] === h1 && table[at + 1] === h2) return;
      at = (at + 2) & mask;
    }
    table[at] = h1;
    table[at + 1] = h2;
    if (++this.#count * 4 > table.length) this.#grow();
  }

  #grow(): void {
    const before = this.#table;
    const table = new Int32Array(before.length * 2);
    const mask = table.length - 1;
    for (let from = 0; from < before.length; from += 2) {
      if (before[from + 1] === 0) continue;
      let at = (before[from] << 1) & mask;
      while (table[at + 1] !== 0) at = (at + 2) & mask;
      table[at] = before[from];
      table[at + 1] = before[from + 1];
    }
    this.#table = table;
  }
}

/** The token of a field that equals a value: both exact and whole. No word contains its NUL. */
export function fieldToken(key: string, value: string): string {
  return `${key}\0${value}`;
}

/** Whether `token` may have been added to the filter: false is certain. Any bytes are some filter. */
export function bloomHas(bytes: Uint8Array, token: string): boolean {
  if (bytes.length < 2) return false;
  hashText(token);
  const size = (bytes.length - 1) * 8;
  let bit = (mix(hash1) >>> 0) % size;
  const step = 1 + ((mix(hash2) | 1) >>> 0) % (size - 1);
  for (let i = 0; i < bytes[0]; i++) {
    if ((bytes[1 + (bit >> 3)] & (1 << (bit & 7))) === 0) return false;
    bit += step;
    if (bit >= size) bit -= size;
  }
  return true;
}

/** What `hashText()` and `hashByte()` have come to, not yet mixed. Two variables, so that hashing allocates nothing. */
let hash1 = OFFSET_1;
let hash2 = OFFSET_2;

function hashByte(byte: number): void {
  hash1 = Math.imul(hash1 ^ byte, PRIME_1);
  hash2 = Math.imul(hash2 ^ byte, PRIME_2);
}

/** Hashes the UTF-8 bytes of `text`; a lone surrogate counts as U+FFFD, as it would when encoded. */
function hashText(text: string, h1 = OFFSET_1, h2 = OFFSET_2): void {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) {
      hash1 = h1;
      hash2 = h2;
      return hashUnicode(text, i);
    }
    h1 = Math.imul(h1 ^ code, PRIME_1);
    h2 = Math.imul(h2 ^ code, PRIME_2);
  }
  hash1 = h1;
  hash2 = h2;
}

/** Goes on hashing at `start`. */
function hashUnicode(text: string, start: number): void {
  for (let i = start; i < text.length; i++) {
    let code = text.codePointAt(i) ?? 0;
    if (code > 0xffff) i++;
    else if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
    if (code < 0x80) {
      hashByte(code);
    } else if (code < 0x800) {
      hashByte(0xc0 | (code >> 6));
      hashByte(0x80 | (code & 63));
    } else {
      if (code < 0x10000) {
        hashByte(0xe0 | (code >> 12));
      } else {
        hashByte(0xf0 | (code >> 18));
        hashByte(0x80 | ((code >> 12) & 63));
      }
      hashByte(0x80 | ((code >> 6) & 63));
      hashByte(0x80 | (code & 63));
    }
  }
}

/** The finaliser of MurmurHash3: every bit of the input bears on every bit of the output. */
function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
