/**
 * Columns that grow with what is added, and are handed over as they are.
 *
 * @module
 */

type Column = Int32Array<ArrayBuffer> | Float64Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;

export class Growing<C extends Column> {
  /** Has room for more than `length`. */
  items: C;
  length = 0;
  /** How long the column was that was handed over last: the next one is probably alike. */
  #expected = 0;
  readonly #none: C;

  /** @param make Makes a column of so many items. */
  constructor(private readonly make: (length: number) => C) {
    this.items = this.#none = make(0);
  }

  /** Makes room for `count` items beyond `length`. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.items.length) return;
    const grown = this.make(Math.max(needed, this.items.length * 2, this.#expected));
    // Its type says only that it is one of the three; both are of the same.
    (grown as Uint8Array).set(this.items.subarray(0, this.length) as Uint8Array);
    this.items = grown;
  }

  /** What was added since the last time; it is the caller's. */
  take(): C {
    const taken = this.items.subarray(0, this.length) as C;
    this.#expected = this.length;
    this.items = this.#none;
    this.length = 0;
    return taken;
  }
}
