import { DynamicTable, ENTRY_OVERHEAD_BYTES } from "./dynamic_table.ts";
import { huffmanDecode, maxHuffmanDecodedLength } from "./huffman.ts";
import { BlockCursor, compressionError } from "./integer.ts";
import { STATIC_TABLE } from "./static_tables.ts";

/** RFC 7541 section 4.2: between two header blocks the size changes at most twice, down and up again. */
const MAX_SIZE_UPDATES = 2;

/** `String.fromCharCode` takes its characters as arguments, of which there may not be too many. */
const MAX_ARGUMENTS = 4096;

/**
 * Header blocks -> fields (RFC 7541). A block whose fields exceed `maxListBytes` is decoded to its end, since the table
 * must stay in step, but its further fields are not kept and `overflowed` is set: a small block that names one large
 * entry many times (an HPACK bomb) costs no memory.
 */
export class HpackDecoder {
  overflowed = false;
  readonly #table: DynamicTable;
  #scratch = new Uint8Array(256);

  constructor(readonly maxTableBytes: number, readonly maxListBytes: number) {
    this.#table = new DynamicTable(maxTableBytes);
  }

  /** Decodes the whole block in `buffer[start, end)` and appends name, value, name, value ... to `fields`. */
  decode(buffer: Uint8Array, start: number, end: number, fields: string[]): void {
    const cursor = new BlockCursor(buffer, start, end);
    let listBytes = 0;
    let updates = 0;
    this.overflowed = false;
    while (cursor.at < end) {
      const first = cursor.byte();
      if ((first & 0xe0) === 0x20) {
        // RFC 7541 section 4.2: a size update stands at the beginning of a block.
        if (fields.length > 0 || this.overflowed || ++updates > MAX_SIZE_UPDATES) {
          throw compressionError("a table size update is out of place");
        }
        this.#resize(cursor.integer(first, 5));
        continue;
      }
      let name: string;
      let value: string;
      if (first & 0x80) {
        // Indexed field (section 6.1).
        const index = cursor.integer(first, 7);
        name = this.#name(index);
        value = this.#value(index);
      } else {
        // Literal field: with incremental indexing (section 6.2.1), or without or never indexed (6.2.2, 6.2.3).
        const indexing = (first & 0x40) !== 0;
        const index = cursor.integer(first, indexing ? 6 : 4);
        name = index === 0 ? this.#string(cursor) : this.#name(index);
        value = this.#string(cursor);
        if (indexing) this.#table.insert(name, value);
      }
      // RFC 9113 section 6.5.2 counts a list in the same way as a table.
      listBytes += name.length + value.length + ENTRY_OVERHEAD_BYTES;
      if (listBytes > this.maxListBytes) this.overflowed = true;
      else fields.push(name, value);
    }
  }

  #resize(bytes: number): void {
    if (bytes > this.maxTableBytes) {
      throw compressionError(`a table size of ${bytes} is over SETTINGS_HEADER_TABLE_SIZE, ${this.maxTableBytes}`);
    }
    this.#table.resize(bytes);
  }

  #name(index: number): string {
    if (index > 0 && index <= STATIC_TABLE.length) return STATIC_TABLE[index - 1][0];
    return this.#table.name(this.#number(index));
  }

  #value(index: number): string {
    if (index > 0 && index <= STATIC_TABLE.length) return STATIC_TABLE[index - 1][1];
    return this.#table.value(this.#number(index));
  }

  /** Number of a dynamic entry; RFC 7541 section 2.3.3: the newest comes right behind the static table. */
  #number(index: number): number {
    const age = index - STATIC_TABLE.length - 1;
    if (index === 0 || age >= this.#table.count) throw compressionError(`there is no entry ${index}`);
    return this.#table.inserted - 1 - age;
  }

  /** RFC 7541 section 5.2. */
  #string(cursor: BlockCursor): string {
    const first = cursor.byte();
    const length = cursor.integer(first, 7);
    const start = cursor.at;
    const end = start + length;
    if (end > cursor.end) throw compressionError("a string is longer than its header block");
    cursor.at = end;
    if ((first & 0x80) === 0) return latin1(cursor.buffer, start, end);
    const most = maxHuffmanDecodedLength(length);
    if (most > this.#scratch.length) this.#scratch = new Uint8Array(most * 2);
    return latin1(this.#scratch, 0, huffmanDecode(cursor.buffer, start, end, this.#scratch));
  }
}

/** One character per byte: header values are octets, not text in an encoding (RFC 9110 section 5.5). */
function latin1(buffer: Uint8Array, start: number, end: number): string {
  if (end - start <= MAX_ARGUMENTS) return String.fromCharCode(...buffer.subarray(start, end));
  let text = "";
  for (let at = start; at < end; at += MAX_ARGUMENTS) {
    text += String.fromCharCode(...buffer.subarray(at, Math.min(at + MAX_ARGUMENTS, end)));
  }
  return text;
}
