/**
 * The gate: everything that must hold before a commit.
 *
 * @module
 */
import { BUF, deno } from "./run.ts";

const steps: readonly (readonly [name: string, ...args: string[]])[] = [
  ["format", "fmt", "--check"],
  ["lint", "lint"],
  ["types", "check", "."],
  ["layers", "run", "-A", "scripts/layers.ts"],
  ["contract: lint", ...BUF, "lint"],
  ["contract: format", ...BUF, "format", "--diff", "--exit-code"],
  ["generated code", "run", "-A", "scripts/gen.ts", "--check"],
  ["tests", "run", "-A", "scripts/run_tests.ts", "--trace-leaks"],
];
for (const [name, ...args] of steps) {
  console.log(`— ${name}`);
  if (!await deno(...args)) {
    console.error(`${name}: failed`);
    Deno.exit(1);
  }
}
