/**
 * What a simulation did, as lines in a running hash: two runs that did the same have the same hash.
 *
 * @module
 */
import { createHash } from "node:crypto";

export class Trace {
  readonly #hash = createHash("sha256");
  #waiting: string[] = [];
  #lines = 0;

  /** @param print Told of every line. */
  constructor(private readonly print?: (line: string) => void) {}

  get lines(): number {
    return this.#lines;
  }

  add(line: string): void {
    this.#lines++;
    this.print?.(line);
    this.#waiting.push(line);
    if (this.#waiting.length >= 256) this.#flush();
  }

  /** Of all lines so far, lower-case hex. */
  hash(): string {
    this.#flush();
    return this.#hash.copy().digest("hex");
  }

  #flush(): void {
    if (this.#waiting.length === 0) return;
    this.#hash.update(this.#waiting.join("\n") + "\n");
    this.#waiting = [];
  }
}
