/**
 * What repeats from message to message, held by its bytes. The messages of a stream differ in a few numbers and texts;
 * the rest (who sends, names, tags) is the same again and again. That rest is a message's identity, and what a decoder
 * makes of it is a shape. A message of a known identity costs no string: its bytes are hashed and compared.
 *
 * The table has sets of WAYS places. A set that is full gives up its places in turn, so that nobody can make a look-up
 * long by sending what hashes alike.
 *
 * @module
 */
import { MAX_SHAPE_BYTES, MAX_SHAPES, MAX_SHAPES_BYTES } from "../limits.ts";

const WAYS = 4;
/** FNV-1a. */
const OFFSET = 0x811c9dc5 | 0;
const PRIME = 0x01000193;

export class ShapeCache<S> {
  /** The identity that is being gathered; while it is as guessed, only how far. */
  readonly #bytes = new Uint8Array(MAX_SHAPE_BYTES);
  #length = 0;
  #hash = OFFSET;
  #tooLong = false;
  /** The identity that followed the last one when it was last seen: streams repeat themselves. */
  #guess: Uint8Array | undefined;

  readonly #hashes = new Int32Array(MAX_SHAPES);
  readonly #identities: (Uint8Array | undefined)[] = new Array(MAX_SHAPES);
  readonly #shapes: (S | undefined)[] = new Array(MAX_SHAPES);
  readonly #costs = new Float64Array(MAX_SHAPES);
  /** For each place, the one of the identity that came after it. */
  readonly #next = new Int32Array(MAX_SHAPES);
  #last = 0;
  #held = 0;
  #victim = 0;

  /** Begins a new identity. */
  begin(): void {
    this.#length = 0;
    this.#tooLong = false;
    this.#guess = this.#identities[this.#next[this.#last]];
    if (this.#guess === undefined) this.#hash = OFFSET;
  }

  /** Adds `bytes` from `from` up to `to` to the identity. */
  add(bytes: Uint8Array, from: number, to: number): void {
    if (this.#guess !== undefined) {
      if (this.#isAsGuessed(this.#guess, bytes, from, to)) return;
      this.#giveUpGuess(this.#guess);
    }
    this.#gather(bytes, from, to);
  }

  /** The shape that is held for the identity. */
  find(): S | undefined {
    if (this.#guess !== undefined) {
      if (this.#length === this.#guess.length) {
        this.#last = this.#next[this.#last];
        return this.#shapes[this.#last];
      }
      this.#giveUpGuess(this.#guess);
    }
    if (this.#tooLong) return undefined;
    const first = this.#set();
    for (let place = first; place < first + WAYS; place++) {
      if (this.#hashes[place] === this.#hash && this.#isAt(place)) {
        this.#goTo(place);
        return this.#shapes[place];
      }
    }
    return undefined;
  }

  /**
   * Holds the shape of the identity, for which `find()` has none, from now on; one that is too long is not held. `cost` is
   * about how many bytes the shape, and what is made of it, take in memory.
   */
  hold(shape: S, cost: number): void {
    if (this.#tooLong || cost > MAX_SHAPES_BYTES / WAYS) return;
    if (this.#held + cost > MAX_SHAPES_BYTES) this.#clear();
    const first = this.#set();
    let place = first;
    while (place < first + WAYS && this.#identities[place] !== undefined) place++;
    if (place === first + WAYS) place = first + this.#victim++ % WAYS;
    this.#held += cost - this.#costs[place];
    this.#costs[place] = cost;
    this.#hashes[place] = this.#hash;
    this.#identities[place] = this.#bytes.slice(0, this.#length);
    this.#shapes[place] = shape;
    this.#goTo(place);
  }

  #isAsGuessed(guess: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
    let length = this.#length;
    if (length + to - from > guess.length) return false;
    for (let at = from; at < to; at++) if (bytes[at] !== guess[length++]) return false;
    this.#length = length;
    return true;
  }

  /** What was as guessed so far is gathered after all. */
  #giveUpGuess(guess: Uint8Array): void {
    const length = this.#length;
    this.#guess = undefined;
    this.#length = 0;
    this.#hash = OFFSET;
    this.#gather(guess, 0, length);
  }

  #gather(bytes: Uint8Array, from: number, to: number): void {
    const own = this.#bytes;
    let length = this.#length;
    if (length + to - from > own.length) {
      this.#tooLong = true;
      return;
    }
    let hash = this.#hash;
    for (let at = from; at < to; at++) {
      const byte = bytes[at];
      own[length++] = byte;
      hash = Math.imul(hash ^ byte, PRIME);
    }
    this.#length = length;
    this.#hash = hash;
  }

  #goTo(place: number): void {
    this.#next[this.#last] = place;
    this.#last = place;
  }

  #set(): number {
    const hash = this.#hash ^ (this.#hash >>> 15);
    return (hash & (MAX_SHAPES / WAYS - 1)) * WAYS;
  }

  #isAt(place: number): boolean {
    const held = this.#identities[place];
    if (held === undefined || held.length !== this.#length) return false;
    const own = this.#bytes;
    for (let i = 0; i < held.length; i++) if (held[i] !== own[i]) return false;
    return true;
  }

  #clear(): void {
    this.#identities.fill(undefined);
    this.#shapes.fill(undefined);
    this.#costs.fill(0);
    this.#held = 0;
  }
}
