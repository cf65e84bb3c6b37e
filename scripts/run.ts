/**
 * Runs a command of the project's own gate.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** buf from npm; it needs nothing installed but Deno. */
export const BUF = ["run", "-A", "npm:@bufbuild/buf@1.73.0/buf"];

/** Runs Deno with these arguments in the project's folder; returns whether it succeeded. */
export async function deno(...args: string[]): Promise<boolean> {
  const { success } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT }).spawn().status;
  return success;
}

/** The project's own TypeScript files, relative to its folder; not what is generated. */
export async function* sources(folder = ""): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(`${ROOT}${folder}`)) {
    const path = `${folder}${name}`;
    if (isDirectory && !name.startsWith(".") && !["gen", "node_modules", "data", "dist"].includes(path)) {
      yield* sources(`${path}/`);
    } else if (name.endsWith(".ts")) yield path;
  }
}
