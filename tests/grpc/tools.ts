/**
 * Programs of others that talk to the server.
 *
 * @module
 */
import { BUF } from "../../scripts/run.ts";
import { findProgram } from "../http2/network.ts";
import { ROOT } from "../support/server.ts";

/** Go programs, and how to get them. */
const INSTALL = {
  go: "see https://go.dev/doc/install",
  grpcurl: "go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4",
  ghz: "go install github.com/bojand/ghz/cmd/ghz@v0.93.0",
} as const;

export interface RunOptions {
  readonly stdin?: string;
  readonly cwd?: string;
}

export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where a tool is; throws, and says how to install it, if it is missing. */
export async function findTool(name: keyof typeof INSTALL): Promise<string> {
  const path = await findProgram(name);
  if (!path) throw new Error(`${name} is not installed: ${INSTALL[name]}`);
  return path;
}

/** Runs a program to its end. */
export async function runProgram(path: string, args: readonly string[], options: RunOptions = {}): Promise<Output> {
  const { stdin, cwd = ROOT } = options;
  const child = new Deno.Command(path, {
    args: [...args],
    cwd,
    env: { NO_COLOR: "1" },
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (stdin !== undefined) {
    // A program that fails at once does not read; its exit code says why.
    await new Blob([stdin]).stream().pipeTo(child.stdin).catch(() => {});
  }
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Standard output of a program that must succeed. */
export async function outputOf(path: string, args: readonly string[], options?: RunOptions): Promise<string> {
  const { code, stdout, stderr } = await runProgram(path, args, options);
  if (code !== 0) throw new Error(`${path} ${args.join(" ")} ended with ${code}: ${stdout}${stderr}`);
  return stdout;
}

/** Standard output of buf. */
export function buf(...args: readonly string[]): Promise<string> {
  return outputOf(Deno.execPath(), [...BUF, ...args]);
}
