/** RFC 7541 section 4.1: what an entry costs beyond its name and value. */
export const ENTRY_OVERHEAD_BYTES = 32;

/**
 * The dynamic table of RFC 7541 section 2.3.2: a queue of entries, as a ring. Entries are numbered from 0 in the order
 * in which they came (`inserted` is the next number), so that a number stays valid while others come and go.
 */
export class DynamicTable {
  inserted = 0;
  count = 0;
  bytes = 0;
  readonly #names: string[] = [];
  readonly #values: string[] = [];
  readonly #slots: number;
  #maxBytes: number;

  /** `limitBytes` is the most that `resize()` may ever ask for; `onEvict` is told each entry that leaves. */
  constructor(limitBytes: number, readonly onEvict?: (number: number, name: string, value: string) => void) {
    this.#maxBytes = limitBytes;
    this.#slots = Math.floor(limitBytes / ENTRY_OVERHEAD_BYTES) + 1;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  name(number: number): string {
    return this.#names[number % this.#slots];
  }

  value(number: number): string {
    return this.#values[number % this.#slots];
  }

  /** Adds an entry; one that is larger than the table empties it and is not added (RFC 7541 section 4.4). */
  insert(name: string, value: string): boolean {
    const size = name.length + value.length + ENTRY_OVERHEAD_BYTES;
    this.#shrinkTo(this.#maxBytes - size);
    if (size > this.#maxBytes) return false;
    const slot = this.inserted % this.#slots;
    this.#names[slot] = name;
    this.#values[slot] = value;
    this.inserted++;
    this.count++;
    this.bytes += size;
    return true;
  }

  /** RFC 7541 section 4.3. */
  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes;
    this.#shrinkTo(maxBytes);
  }

  #shrinkTo(bytes: number): void {
    while (this.count > 0 && this.bytes > bytes) {
      const number = this.inserted - this.count;
      const slot = number % this.#slots;
      const name = this.#names[slot];
      const value = this.#values[slot];
      this.bytes -= name.length + value.length + ENTRY_OVERHEAD_BYTES;
      this.count--;
      // The strings of an entry that left are let go.
      this.#names[slot] = this.#values[slot] = "";
      this.onEvict?.(number, name, value);
    }
  }
}
