/**
 * The project's own commands, as an operator runs them.
 *
 * @module
 */
import { ROOT } from "./server.ts";

export interface TaskResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `deno task NAME ARGS` on the stores in `dir`. */
export async function runTask(
  dir: string,
  name: string,
  args: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<TaskResult> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", name, ...args],
    cwd: ROOT,
    env: { SLUICE_DATA: dir, ...env },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}
