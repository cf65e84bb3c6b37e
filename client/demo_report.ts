/**
 * What the demo prints: what happened, and whether it is what should have happened.
 *
 * @module
 */
import type { OnProgress } from "./mod.ts";

/** The lines of the demo, and the checks among them. */
export class Report {
  readonly #failures: string[] = [];
  #checks = 0;

  /** Says what happened. */
  say(line: string): void {
    console.log(line);
  }

  /** Says whether two things that were made in two ways are equal. */
  check(what: string, actual: unknown, expected: unknown): void {
    this.holds(`${what}: ${actual}${actual === expected ? "" : `, but expected ${expected}`}`, actual === expected);
  }

  /** Says whether something holds. */
  holds(line: string, ok: boolean): void {
    this.#checks++;
    if (!ok) this.#failures.push(line);
    console.log(`  ${ok ? "ok  " : "BAD "} ${line}`);
  }

  /** Says how it went as a whole, and returns the exit code. */
  finish(): number {
    console.log("");
    if (this.#failures.length === 0) {
      console.log(`Everything matches (${this.#checks} checks).`);
      return 0;
    }
    console.log(`${this.#failures.length} of ${this.#checks} checks FAILED:`);
    for (const line of this.#failures) console.log(`  ${line}`);
    return 1;
  }
}

/** A line that shows a file's progress: over and over on a terminal, otherwise at every quarter. */
export function progressLine(name: string): OnProgress {
  const terminal = Deno.stdout.isTerminal();
  let quarter = 0;
  return ({ sent, total, rate }) => {
    const share = total ? sent / total : 0;
    const ended = sent === total;
    if (!terminal && Math.floor(share * 4) === quarter) return;
    quarter = Math.floor(share * 4);
    const bar = "#".repeat(Math.round(share * 30)).padEnd(30, ".");
    const line = `  ${name} [${bar}] ${(share * 100).toFixed(0).padStart(3)} % of ${bytes(total ?? 0)}, ${
      bytes(rate)
    }/s`;
    Deno.stdout.writeSync(new TextEncoder().encode(`${terminal ? "\r" : ""}${line}${terminal && !ended ? "" : "\n"}`));
  };
}

/** A number of bytes for people. */
export function bytes(count: number): string {
  if (count < 1024) return `${count.toFixed(0)} B`;
  if (count < 1024 * 1024) return `${(count / 1024).toFixed(1)} KiB`;
  return `${(count / 1024 / 1024).toFixed(1)} MiB`;
}

/** How long something took, and how many a second that is. */
export function pace(count: number, ms: number): string {
  return `${(ms / 1000).toFixed(2)} s, ${Math.round(count / (ms / 1000)).toLocaleString("en")}/s`;
}
