/**
 * A small seeded source of randomness for property tests, so that a failure can be repeated: `SEED=<n> deno test ...`.
 *
 * @module
 */

/** mulberry32 (T. Ettinger): 32 bits of state, good enough to make test data. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number from 0 (inclusive) to 1 (exclusive). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 to `limit - 1`. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  /** Normally distributed, with mean 0 and deviation 1 (Box-Muller). */
  gaussian(): number {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
  }

  /** Any 64 bits, read as a double. */
  double(): number {
    const words = Uint32Array.of(this.below(2 ** 32), this.below(2 ** 32));
    return new Float64Array(words.buffer)[0];
  }

  /** A safe integer of a random number of bits and random sign. */
  integer(): number {
    const magnitude = Math.floor(this.next() * 2 ** this.below(54));
    return this.next() < 0.5 ? magnitude : 0 - magnitude;
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  /** Well-formed text of up to `limit` characters: ASCII, accents, other scripts, marks, emoji, NUL, separators. */
  text(limit: number): string {
    return Array.from({ length: this.below(limit + 1) }, () => this.pick(CHARACTERS)).join("");
  }

  shuffle<T>(items: readonly T[]): T[] {
    const shuffled = [...items];
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [shuffled[i], shuffled[j]] = [shuffled[j], shuffled[i]];
    }
    return shuffled;
  }
}

const CHARACTERS = [
  ..."abcxyzABCXYZ0189_ .,:;=-/\\\"'\0\n\t%{}[]",
  ..."éÉßſİıΣςσЖж漢字हि한",
  "e\u0301",
  "\u0338",
  "\ufeff",
  "😀",
  "𝒳",
  "\u212a",
];

/** Runs `body` with `runs` seeds, one after the other, and names the seed at which it failed. */
export function property(runs: number, body: (random: Random, seed: number) => void): void {
  const fixed = Deno.env.get("SEED");
  const first = fixed === undefined ? 1 : Number(fixed);
  for (let seed = first; seed < first + (fixed === undefined ? runs : 1); seed++) {
    try {
      body(new Random(seed), seed);
    } catch (error) {
      throw new Error(`fails with SEED=${seed}`, { cause: error });
    }
  }
}

/**
 * Calls `decode` with every beginning of `bytes` (or 500 of them, if there are more) and with copies that have bits
 * flipped. It must return or throw an error that `isExpected`.
 */
export function damage(
  random: Random,
  bytes: Uint8Array,
  decode: (bytes: Uint8Array) => unknown,
  isExpected: (error: unknown) => boolean,
): void {
  const attempt = (damaged: Uint8Array, how: string) => {
    try {
      decode(damaged);
    } catch (error) {
      if (!isExpected(error)) throw new Error(`fails on ${how}`, { cause: error });
    }
  };
  const step = Math.max(1, Math.floor(bytes.length / 500));
  for (let length = 0; length < bytes.length; length += step) attempt(bytes.slice(0, length), `a cut to ${length}`);
  for (let i = 0; i < 300; i++) {
    const flipped = bytes.slice();
    const positions = Array.from({ length: 1 + random.below(4) }, () => random.below(bytes.length * 8));
    for (const position of positions) flipped[position >> 3] ^= 1 << (position & 7);
    attempt(flipped, `flipped bits ${positions}`);
  }
  for (let i = 0; i < 50; i++) attempt(random.bytes(random.below(64)), "random bytes");
}
