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
 * loop over bytes can compute them while it reads, without making a token first; `addWords()` does that.
 *
 * @module
 */
import { MAX_BLOOM_BYTES, MAX_TOKEN_BYTES } from "../../limits.ts";
import { decodeUtf8 } from "./byte_reader.ts";
import { ASCII_WORD, forEachToken } from "./tokens.ts";

const BITS_PER_TOKEN = 10;
const MAX_PROBES = 7;
const OFFSET_1 = 0x811c9dc5 | 0;
const PRIME_1 = 0x01000193;
const OFFSET_2 = 0x9747b28c | 0;
const PRIME_2 = 0x5bd1e995;

/** In FOLDED: a byte of a character beyond ASCII. */
const BEYOND = 1;
/** For each byte the folded code if it is an ASCII character that is part of words, else 0 or BEYOND. */
const FOLDED = new Uint8Array(256).fill(BEYOND);
FOLDED.set(ASCII_WORD);

/** Tokens for which a builder has room at first: more than a segment of ordinary lines has. */
const EXPECTED_TOKENS = 4096;

/** Gathers the distinct tokens of a segment, as hashes, and makes a filter of them. */
export class BloomBuilder {
  /** Pairs of hashes, not yet mixed. */
  #hashes = new Int32Array(2 * EXPECTED_TOKENS);
  #count = 0;
  /** An open-addressed table of the numbers of tokens, from 1; 0 is a free place. At most half of it is taken. */
  #places = new Int32Array(2 * EXPECTED_TOKENS);

  /** Adds a token as it is: one of `forEachToken()`. */
  add(token: string): void {
    hashText(token);
    this.#insert(hash1, hash2);
  }

  /** Adds all tokens of a text, those that `forEachToken()` finds. The text is UTF-8 and stands from `from` up to `to`. */
  addWords(bytes: Uint8Array, from: number, to: number): void {
    for (let i = from; i < to; i++) {
      let folded = FOLDED[bytes[i]];
      if (folded > BEYOND) {
        let h1 = OFFSET_1;
        let h2 = OFFSET_2;
        const cut = Math.min(to, i + MAX_TOKEN_BYTES);
        do {
          h1 = Math.imul(h1 ^ folded, PRIME_1);
          h2 = Math.imul(h2 ^ folded, PRIME_2);
          i++;
        } while (i < cut && (folded = FOLDED[bytes[i]]) > BEYOND);
        while (i < to && (folded = FOLDED[bytes[i]]) > BEYOND) i++;
        if (folded !== BEYOND) this.#insert(h1, h2);
      }
      // Beyond ASCII, a word may go on or be composed with what follows; so start again, the slow way. Words found so far
      // are words of the text still, save that one may be part of a longer one: a token too many, which is no harm.
      if (folded === BEYOND) return forEachToken(decodeUtf8(bytes.subarray(from, to)), (token) => this.add(token));
    }
  }

  /** Adds the tokens of a field's value, and that of `fieldToken()` without making it. */
  addField({ h1, h2 }: FieldPrefix, bytes: Uint8Array, from: number, to: number): void {
    for (let i = from; i < to; i++) {
      h1 = Math.imul(h1 ^ bytes[i], PRIME_1);
      h2 = Math.imul(h2 ^ bytes[i], PRIME_2);
    }
    this.#insert(h1, h2);
    this.addWords(bytes, from, to);
  }

  build(maxBytes = MAX_BLOOM_BYTES): Uint8Array<ArrayBuffer> {
    if (this.#count === 0) return new Uint8Array(0);
    const wanted = Math.ceil(this.#count * BITS_PER_TOKEN / 8);
    const bytes = new Uint8Array(Math.min(1 + wanted, maxBytes));
    const size = (bytes.length - 1) * 8;
    const probes = Math.max(1, Math.min(Math.round(size / this.#count * Math.LN2), MAX_PROBES));
    bytes[0] = probes;
    const hashes = this.#hashes;
    const end = 2 * this.#count;
    for (let at = 0; at < end; at += 2) {
      let bit = remainder(mix(hashes[at]) >>> 0, size, 1 / size);
      const step = 1 + remainder((mix(hashes[at + 1]) | 1) >>> 0, size - 1, 1 / (size - 1));
      for (let i = 0; i < probes; i++) {
        bytes[1 + (bit >> 3)] |= 1 << (bit & 7);
        // (bit + step) % size without a branch, which would go either way.
        const over = (bit + step - size) | 0;
        bit = over + (size & (over >> 31));
      }
    }
    return bytes;
  }

  /** Adds a pair of hashes that are not yet mixed. */
  #insert(h1: number, h2: number): void {
    const hashes = this.#hashes;
    const places = this.#places;
    const mask = places.length - 1;
    let place = placeOf(h1, h2) & mask;
    for (let token = places[place]; token !== 0; token = places[place]) {
      if (hashes[2 * token - 2] === h1 && hashes[2 * token - 1] === h2) return;
      place = (place + 1) & mask;
    }
    hashes[2 * this.#count] = h1;
    hashes[2 * this.#count + 1] = h2;
    places[place] = ++this.#count;
    if (2 * this.#count === hashes.length) this.#grow();
  }

  #grow(): void {
    const hashes = new Int32Array(2 * this.#hashes.length);
    hashes.set(this.#hashes);
    const places = new Int32Array(2 * this.#places.length);
    const mask = places.length - 1;
    for (let token = 1; token <= this.#count; token++) {
      let place = placeOf(hashes[2 * token - 2], hashes[2 * token - 1]) & mask;
      while (places[place] !== 0) place = (place + 1) & mask;
      places[place] = token;
    }
    this.#hashes = hashes;
    this.#places = places;
  }
}

/** Where a table is first searched for a pair of hashes; the low bits of FNV alone say little. */
function placeOf(h1: number, h2: number): number {
  return h1 ^ (h2 >>> 15);
}

/** `value % divisor` of a uint32 by a small number, whose `inverse` is known: five times as fast as a division. */
function remainder(value: number, divisor: number, inverse: number): number {
  const rest = (value - Math.floor(value * inverse) * divisor) | 0;
  // The product may be off by its last bit.
  return rest < 0 ? rest + divisor : rest >= divisor ? rest - divisor : rest;
}

/** The hashes of the beginning that the tokens of all fields of a key have. */
export interface FieldPrefix {
  readonly h1: number;
  readonly h2: number;
}

export function fieldPrefix(key: string): FieldPrefix {
  hashText(fieldToken(key, ""));
  return { h1: hash1, h2: hash2 };
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
function hashText(text: string): void {
  let h1 = OFFSET_1;
  let h2 = OFFSET_2;
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
