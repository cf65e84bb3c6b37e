/**
 * Chance that a seed determines: sfc32, of Chris Doty-Humphrey's PractRand (https://pracrand.sourceforge.net), seeded
 * through splitmix32, the 32-bit finisher of MurmurHash3 over a Weyl sequence.
 *
 * @module
 */

/** A sequence of random numbers. Equal seeds give equal sequences. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param seed An integer; 53 bits of it count. */
  constructor(seed: number) {
    let weyl = (seed ^ Math.floor(seed / 2 ** 32)) | 0;
    const next = () => {
      weyl = (weyl + 0x9e3779b9) | 0;
      let x = weyl ^ (weyl >>> 16);
      x = Math.imul(x, 0x85ebca6b);
      x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
      return x ^ (x >>> 16);
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    for (let i = 0; i < 12; i++) this.uint32();
  }

  /** From 0 (inclusive) up to 2^32 (exclusive). */
  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** From 0 (inclusive) up to 1 (exclusive). */
  next(): number {
    return this.uint32() / 2 ** 32;
  }

  /** An integer from `low` up to `high`, both inclusive. */
  between(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.between(0, items.length - 1)];
  }

  shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.between(0, i);
      [items[i], items[j]] = [items[j], items[i]];
    }
    return items;
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    const words = new Uint32Array(Math.ceil(length / 4));
    for (let i = 0; i < words.length; i++) words[i] = this.uint32();
    return new Uint8Array(words.buffer, 0, length);
  }

  /** A sequence of its own: how much of it is used moves no other. */
  fork(): Random {
    return new Random(this.uint32() * 2 ** 20 + (this.uint32() >>> 12));
  }
}
