/**
 * Runs the command as its users do, as a process of its own.
 *
 * @module
 */
import { ROOT, type TestServer } from "../support/server.ts";

/** What became of it. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command with a server, and a folder for what it remembers. */
export interface Cli extends AsyncDisposable {
  readonly folder: string;
  /** Runs it to its end, in the folder. */
  run(args: readonly string[], stdin?: string | Uint8Array<ArrayBuffer>): Promise<Outcome>;
  /** The values that it prints with `--json`. Throws if it fails. */
  // deno-lint-ignore no-explicit-any
  json(args: readonly string[], stdin?: string): Promise<any[]>;
  /** Starts it, without waiting for its end. */
  start(args: readonly string[]): Running;
}

export interface Running {
  readonly outcome: Promise<Outcome>;
  /** What it has written to standard error so far. */
  stderr(): string;
  kill(signal: Deno.Signal): void;
}

export async function createCli(server: Pick<TestServer, "url">): Promise<Cli> {
  const folder = await Deno.makeTempDir({ prefix: "sluice-cli-" });
  const spawn = (args: readonly string[], stdin: "piped" | "null") =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--cached-only", `${ROOT}client/cli.ts`, ...args],
      cwd: folder,
      env: { SLUICE_URL: server.url, SLUICE_STATE: `${folder}/.state`, NO_COLOR: "1" },
      stdin,
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  const watch = (child: Deno.ChildProcess): Running => {
    let stderr = "";
    const reading = (async () => {
      for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) stderr += text;
    })();
    const outcome = (async () => {
      const stdout = await new Response(child.stdout).text();
      const [{ code }] = await Promise.all([child.status, reading]);
      return { code, stdout, stderr };
    })();
    return { outcome, stderr: () => stderr, kill: (signal) => child.kill(signal) };
  };
  const run = async (args: readonly string[], stdin?: string | Uint8Array<ArrayBuffer>) => {
    const child = spawn(args, stdin === undefined ? "null" : "piped");
    const { outcome } = watch(child);
    if (stdin !== undefined) await new Blob([stdin]).stream().pipeTo(child.stdin).catch(() => {});
    return await outcome;
  };
  return {
    folder,
    run,
    async json(args, stdin) {
      const { code, stdout, stderr } = await run(["--json", ...args], stdin);
      if (code !== 0) throw new Error(`sluice ${args.join(" ")} ended with ${code}: ${stderr}`);
      return stdout.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
    },
    start: (args) => watch(spawn(args, "null")),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}
