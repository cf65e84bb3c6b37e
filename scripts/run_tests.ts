/**
 * Runs the tests and ends with the plain line `N passed, N failed`. Arguments are passed on to `deno test`.
 *
 * @module
 */
import { ROOT } from "./run.ts";

const child = new Deno.Command(Deno.execPath(), {
  args: ["test", "-A", "--parallel", ...Deno.args],
  cwd: ROOT,
  env: { NO_COLOR: "1" },
  stdout: "piped",
}).spawn();
let output = "";
const decoder = new TextDecoder();
for await (const bytes of child.stdout) {
  await Deno.stdout.write(bytes);
  output += decoder.decode(bytes, { stream: true });
}
const { code } = await child.status;
const summary = /(\d+) passed(?: \([^)]*\))? \| (\d+) failed/.exec(output.slice(output.lastIndexOf(" passed") - 40));
// A run that ended without a summary has not run its tests.
const [passed, failed] = summary ? [Number(summary[1]), Number(summary[2])] : [0, 1];
console.log(`${passed} passed, ${failed || (code === 0 ? 0 : 1)} failed`);
Deno.exit(code === 0 && summary ? 0 : 1);
