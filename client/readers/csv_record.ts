/**
 * The records of RFC 4180, from one line after the other.
 *
 * @module
 */
import { withoutReturn } from "./lines.ts";

/** A record that is being put together. */
export class CsvRecord {
  readonly #delimiter: string;
  readonly #maxFields: number;
  readonly #maxChars: number;
  #fields: string[] = [];
  /** Of a quoted field that has begun: what there is of it. */
  #quoted: string[] | undefined;
  #chars = 0;

  /** @throws {TypeError} if the delimiter is not one character, or one that has another meaning. */
  constructor(delimiter = ",", maxFields: number, maxChars = 1024 * 1024) {
    if (delimiter.length !== 1 || '"\r\n'.includes(delimiter)) {
      throw new TypeError(`delimiter must be one character, and no quote or line end: ${JSON.stringify(delimiter)}`);
    }
    this.#delimiter = delimiter;
    this.#maxFields = maxFields;
    this.#maxChars = maxChars;
  }

  /** Whether the next line begins a record. */
  get empty(): boolean {
    return this.#quoted === undefined;
  }

  /** Whether the record would be too long with this line. */
  tooLong(line: string): boolean {
    return this.#chars + line.length > this.#maxChars;
  }

  /**
   * Takes a line without its "\n", and returns the record's fields if it is complete. A line that is wrong leaves the
   * record empty.
   *
   * @throws {SyntaxError} if it is wrong.
   */
  push(line: string): string[] | undefined {
    try {
      if (this.tooLong(line)) throw new SyntaxError(`must have at most ${this.#maxChars} characters`);
      this.#chars += line.length + 1;
      if (this.#quoted === undefined && !line.includes('"')) return this.#finish(this.#split(line));
      this.#scan(line);
      return this.#quoted === undefined ? this.#finish(this.#fields) : undefined;
    } catch (error) {
      this.#reset();
      throw error;
    }
  }

  #split(line: string): string[] {
    return withoutReturn(line).split(this.#delimiter);
  }

  #finish(fields: string[]): string[] {
    if (fields.length > this.#maxFields) throw new SyntaxError(`must have at most ${this.#maxFields} fields`);
    this.#reset();
    return fields;
  }

  #reset(): void {
    this.#fields = [];
    this.#quoted = undefined;
    this.#chars = 0;
  }

  #scan(line: string): void {
    let at = 0;
    if (this.#quoted !== undefined) {
      this.#quoted.push("\n");
      at = this.#scanQuoted(line, 0);
    }
    while (this.#quoted === undefined) {
      if (this.#fields.length > this.#maxFields) throw new SyntaxError(`must have at most ${this.#maxFields} fields`);
      if (line[at] === '"') {
        this.#quoted = [];
        at = this.#scanQuoted(line, at + 1);
        continue;
      }
      if (at > line.length) return;
      // After a quoted field: its delimiter has been taken, or the line has ended.
      const end = line.indexOf(this.#delimiter, at);
      const field = end === -1 ? withoutReturn(line.slice(at)) : line.slice(at, end);
      if (field.includes('"')) throw new SyntaxError("has a quote in a field that is not quoted");
      this.#fields.push(field);
      if (end === -1) return;
      at = end + 1;
    }
  }

  /** From inside a quoted field to what follows it; beyond the line's end if that was the last field. */
  #scanQuoted(line: string, at: number): number {
    const parts = this.#quoted!;
    while (true) {
      const quote = line.indexOf('"', at);
      if (quote === -1) {
        parts.push(line.slice(at));
        return line.length;
      }
      parts.push(line.slice(at, quote));
      if (line[quote + 1] !== '"') {
        this.#fields.push(parts.join(""));
        this.#quoted = undefined;
        const rest = quote + 1;
        if (line[rest] === this.#delimiter) return rest + 1;
        if (withoutReturn(line).length <= rest) return line.length + 1;
        throw new SyntaxError("has text after the end of a quoted field");
      }
      parts.push('"');
      at = quote + 2;
    }
  }
}
