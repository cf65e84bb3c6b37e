/**
 * `deno task check` on the stores that a test has worked on.
 *
 * @module
 */
import { join } from "node:path";
import { ROOT } from "../support/server.ts";

/** The last line of what it prints; and what it finds damaged, if anything. */
export async function checkStores(
  env: Readonly<Record<string, string>>,
): Promise<{ readonly summary: string; readonly damage: readonly string[] }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--cached-only", "-A", join(ROOT, "scripts/check.ts")],
    cwd: ROOT,
    env: { ...env },
  }).output();
  const lines = new TextDecoder().decode(stdout).trim().split("\n");
  const damage = lines.filter((line) => line.startsWith("damaged"));
  if (code !== 0 && damage.length === 0) damage.push(new TextDecoder().decode(stderr));
  return { summary: lines[lines.length - 1], damage };
}
