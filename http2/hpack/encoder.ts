import { DynamicTable, ENTRY_OVERHEAD_BYTES } from "./dynamic_table.ts";
import { huffmanEncode, huffmanEncodedLength } from "./huffman.ts";
import { MAX_INTEGER_BYTES, writeInteger } from "./integer.ts";
import { STATIC_TABLE } from "./static_tables.ts";

/** RFC 7541 section 7.1.3: secrets are never put into a table, by us or by an intermediary. */
const SENSITIVE = new Set(["authorization", "proxy-authorization", "cookie", "set-cookie"]);

/** Fields whose values hardly repeat: in the table they would only push out what does. */
const VOLATILE = new Set([
  "content-length",
  "content-range",
  "etag",
  "last-modified",
  "location",
  "retry-after",
  "x-request-id",
]);

/** An entry larger than this share of the table would push out too many others. */
const LARGEST_SHARE = 1 / 4;

const staticNames = new Map<string, number>();
const staticFields = new Map<string, Map<string, number>>();
STATIC_TABLE.forEach(([name, value], i) => {
  if (!staticNames.has(name)) staticNames.set(name, i + 1);
  if (value !== "") staticFields.set(name, (staticFields.get(name) ?? new Map()).set(value, i + 1));
});

/**
 * Fields -> header blocks (RFC 7541): `begin()`, `field()` for each, and then the block is `buffer[0, length)`, valid
 * until the next `begin()`.
 */
export class HpackEncoder {
  buffer = new Uint8Array(256);
  length = 0;
  readonly #table: DynamicTable;
  /** Numbers of the entries in the table, by name and value. */
  readonly #numbers = new Map<string, Map<string, number>>();
  /** Table sizes to announce in the next block: the least since the last one, and the one that holds now. */
  #leastSize: number;
  #announcedSize: number;

  /** `maxTableBytes` bounds the table whatever the peer permits. */
  constructor(readonly maxTableBytes: number, initialTableBytes: number) {
    this.#table = new DynamicTable(maxTableBytes, (number, name, value) => this.#forget(number, name, value));
    this.#table.resize(Math.min(maxTableBytes, initialTableBytes));
    this.#announcedSize = initialTableBytes;
    this.#leastSize = this.#table.maxBytes;
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE: what its decoder permits. */
  permitTableSize(bytes: number): void {
    this.#table.resize(Math.min(bytes, this.maxTableBytes));
    this.#leastSize = Math.min(this.#leastSize, this.#table.maxBytes);
  }

  begin(): void {
    this.length = 0;
    const size = this.#table.maxBytes;
    // RFC 7541 section 4.2: the smallest size in between is signalled too, since it evicted entries.
    if (this.#leastSize < Math.min(size, this.#announcedSize)) this.#sizeUpdate(this.#leastSize);
    if (this.#announcedSize !== size || this.#leastSize < size) this.#sizeUpdate(size);
    this.#announcedSize = this.#leastSize = size;
  }

  /** Appends a field. Names are in lower case; no character of name or value is above 255. */
  field(name: string, value: string): void {
    const index = this.#index(name, value);
    if (index > 0) {
      this.#room(0);
      this.length = writeInteger(this.buffer, this.length, 0x80, 7, index);
    } else if (SENSITIVE.has(name)) {
      this.#literal(0x10, 4, name, value);
    } else if (VOLATILE.has(name) || entryBytes(name, value) > this.#table.maxBytes * LARGEST_SHARE) {
      this.#literal(0x00, 4, name, value);
    } else {
      this.#literal(0x40, 6, name, value);
      if (!this.#table.insert(name, value)) return;
      let values = this.#numbers.get(name);
      if (!values) this.#numbers.set(name, values = new Map());
      values.set(value, this.#table.inserted - 1);
    }
  }

  #index(name: string, value: string): number {
    const index = staticFields.get(name)?.get(value);
    if (index !== undefined) return index;
    const number = this.#numbers.get(name)?.get(value);
    return number === undefined ? 0 : this.#dynamicIndex(number);
  }

  #nameIndex(name: string): number {
    const index = staticNames.get(name);
    if (index !== undefined) return index;
    const numbers = this.#numbers.get(name);
    if (numbers) { for (const number of numbers.values()) return this.#dynamicIndex(number); }
    return 0;
  }

  #dynamicIndex(number: number): number {
    return STATIC_TABLE.length + this.#table.inserted - number;
  }

  #forget(number: number, name: string, value: string): void {
    const values = this.#numbers.get(name);
    if (values?.get(value) !== number) return;
    values.delete(value);
    if (values.size === 0) this.#numbers.delete(name);
  }

  #literal(pattern: number, prefixBits: number, name: string, value: string): void {
    const index = this.#nameIndex(name);
    this.#room(index > 0 ? value.length : name.length + value.length);
    this.length = writeInteger(this.buffer, this.length, pattern, prefixBits, index);
    if (index === 0) this.#string(name);
    this.#string(value);
  }

  /** RFC 7541 section 5.2: Huffman-coded where that is shorter. */
  #string(text: string): void {
    const coded = huffmanEncodedLength(text);
    if (coded < text.length) {
      this.length = writeInteger(this.buffer, this.length, 0x80, 7, coded);
      this.length = huffmanEncode(text, this.buffer, this.length);
    } else {
      this.length = writeInteger(this.buffer, this.length, 0, 7, text.length);
      for (let i = 0; i < text.length; i++) this.buffer[this.length++] = text.charCodeAt(i);
    }
  }

  #sizeUpdate(bytes: number): void {
    this.#room(0);
    this.length = writeInteger(this.buffer, this.length, 0x20, 5, bytes);
  }

  /** Makes room for `characters` as they are (coded they are never longer) and the numbers around them. */
  #room(characters: number): void {
    const needed = this.length + characters + 3 * MAX_INTEGER_BYTES;
    if (needed <= this.buffer.length) return;
    const larger = new Uint8Array(needed * 2);
    larger.set(this.buffer.subarray(0, this.length));
    this.buffer = larger;
  }
}

function entryBytes(name: string, value: string): number {
  return name.length + value.length + ENTRY_OVERHEAD_BYTES;
}
