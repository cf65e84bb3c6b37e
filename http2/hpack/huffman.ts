import { HUFFMAN_CODE_LENGTHS } from "./huffman_tables.ts";
import { compressionError } from "./integer.ts";

const EOS = 256;

/** Code of each symbol, made from the lengths (see huffman_tables.ts). */
const codes = new Uint32Array(HUFFMAN_CODE_LENGTHS.length);
const lengths = Uint8Array.from(HUFFMAN_CODE_LENGTHS);

/*
 * The decoder is a state machine that eats four bits at a time. A state is an inner node of the code's tree; as no code
 * is shorter than five bits, a step completes at most one symbol. An entry is:
 *   bits 0-8 next state, bit 9 a symbol is complete, bits 10-17 the symbol, bit 18 not decodable (EOS).
 */
const STEP_SYMBOL = 1 << 9;
const STEP_INVALID = 1 << 18;
const steps = new Uint32Array(256 * 16);
/** States in which a string may end: on the way to EOS by at most seven one-bits (RFC 7541 section 5.2). */
const mayEnd = new Uint8Array(256);

buildTables();

function buildTables(): void {
  const order = [...lengths.keys()].sort((a, b) => lengths[a] - lengths[b] || a - b);
  /** Child of each inner node by bit: an inner node's number, or ~symbol. */
  const children: [number, number][] = [[0, 0]];
  let code = 0;
  let length = 0;
  for (const symbol of order) {
    code <<= lengths[symbol] - length;
    length = lengths[symbol];
    codes[symbol] = code;
    let node = 0;
    for (let bit = length - 1; bit > 0; bit--) {
      const side = code >>> bit & 1;
      if (children[node][side] === 0) {
        children[node][side] = children.length;
        children.push([0, 0]);
      }
      node = children[node][side];
    }
    children[node][code & 1] = ~symbol;
    code++;
  }
  for (let state = 0; state < children.length; state++) {
    for (let nibble = 0; nibble < 16; nibble++) steps[state << 4 | nibble] = step(children, state, nibble);
  }
  for (let ones = 0, node = 0; ones <= 7; ones++, node = children[node][1]) mayEnd[node] = 1;
}

function step(children: readonly [number, number][], state: number, nibble: number): number {
  let node = state;
  let emitted = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const child = children[node][nibble >>> bit & 1];
    if (child >= 0) {
      node = child;
    } else if (~child === EOS) {
      return STEP_INVALID;
    } else {
      emitted = STEP_SYMBOL | ~child << 10;
      node = 0;
    }
  }
  return node | emitted;
}

/** The most bytes that `length` Huffman-coded bytes can decode to: no code is shorter than five bits. */
export function maxHuffmanDecodedLength(length: number): number {
  return Math.ceil(length * 8 / 5);
}

/** Decodes `source[start, end)` into `target`, which has room for the longest result; returns the decoded length. */
export function huffmanDecode(source: Uint8Array, start: number, end: number, target: Uint8Array): number {
  let state = 0;
  let length = 0;
  for (let at = start; at < end; at++) {
    const byte = source[at];
    let entry = steps[state << 4 | byte >>> 4];
    if (entry & STEP_INVALID) throw compressionError("a Huffman-coded string holds EOS");
    if (entry & STEP_SYMBOL) target[length++] = entry >>> 10;
    entry = steps[(entry & 0xff) << 4 | byte & 0xf];
    if (entry & STEP_INVALID) throw compressionError("a Huffman-coded string holds EOS");
    if (entry & STEP_SYMBOL) target[length++] = entry >>> 10;
    state = entry & 0xff;
  }
  if (mayEnd[state] === 0) throw compressionError("the padding of a Huffman-coded string is wrong");
  return length;
}

/** How many bytes `text` takes when Huffman-coded. Each of its characters is below 256. */
export function huffmanEncodedLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += lengths[text.charCodeAt(i)];
  return bits + 7 >>> 3;
}

/** Writes `text` Huffman-coded and returns the offset behind it. */
export function huffmanEncode(text: string, target: Uint8Array, at: number): number {
  let pending = 0;
  let bits = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i);
    let code = codes[symbol];
    let length = lengths[symbol];
    // At most 7 + 24 bits are pending at a time, which a 32-bit number holds.
    if (length > 24) {
      pending = pending << length - 24 | code >>> 24;
      bits += length - 24;
      code &= 0xffffff;
      length = 24;
      for (; bits >= 8; bits -= 8) target[at++] = pending >>> bits - 8;
      pending &= 0xff;
    }
    pending = pending << length | code;
    bits += length;
    for (; bits >= 8; bits -= 8) target[at++] = pending >>> bits - 8;
    pending &= 0xff;
  }
  // Padded with the first bits of EOS, which are ones.
  if (bits > 0) target[at++] = pending << 8 - bits | 0xff >>> bits;
  return at;
}
