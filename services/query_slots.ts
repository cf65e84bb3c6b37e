/**
 * Places for questions that read what is stored, of which only so many are answered at once.
 *
 * @module
 */
import { overloaded } from "../errors.ts";
import { MAX_QUERIES } from "../limits.ts";

export class QuerySlots {
  #taken = 0;

  /**
   * Takes a place until what it returns is disposed of: when the answer is complete, or nothing reads for it any more.
   *
   * @throws {ConnectError} RESOURCE_EXHAUSTED, with RetryInfo, if none is free.
   */
  take(): Disposable {
    if (this.#taken >= MAX_QUERIES) {
      throw overloaded(`Cannot answer now: ${MAX_QUERIES} searches and queries are under way already`);
    }
    this.#taken++;
    return { [Symbol.dispose]: () => void this.#taken-- };
  }
}
