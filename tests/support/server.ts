/**
 * Starts the real server as a process of its own, on a free port and in a temporary directory.
 *
 * @module
 */
import { join } from "node:path";
import { remoteStores } from "./remote_stores.ts";
import { fileURLToPath } from "node:url";

export interface TestServer extends AsyncDisposable {
  readonly url: string;
  /** Its SLUICE_DATA. */
  readonly dir: string;
  readonly pid: number;
  /** What it has written to standard error so far. */
  stderr(): string;
  /** Sends a signal, without waiting. */
  kill(signal: Deno.Signal): void;
  /** Resolves when the process has ended. */
  readonly ended: Promise<Deno.CommandStatus>;
  /** SIGTERM, and wait. The directory stays until the server is disposed of. */
  stop(): Promise<Deno.CommandStatus>;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** SLUICE_DATA; by default a temporary directory, removed in the end. */
  readonly dir?: string;
  /** Permission flags; by default all. */
  readonly permissions?: readonly string[];
}

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/**
 * With SLUICE_TEST_SHAPE=deploy, servers run as on Deno Deploy: Deno.serve, KV alone, and no permissions but for network
 * and environment.
 */
export const DEPLOY_SHAPE = Deno.env.get("SLUICE_TEST_SHAPE") === "deploy";
/** With SLUICE_TEST_SHAPE=remote, the stores are denokv and an S3 server. */
export const REMOTE_SHAPE = Deno.env.get("SLUICE_TEST_SHAPE") === "remote";
const DEPLOY_ENV = { DENO_DEPLOYMENT_ID: "test", SLUICE_KV: ":memory:" };

/** How long a server may take to exit, ms: three times what it allows itself. */
const STOP_MS = 15_000;

export async function startServer(options: StartOptions = {}): Promise<TestServer> {
  const dir = options.dir ?? await Deno.makeTempDir({ prefix: "sluice-test-" });
  const remote = REMOTE_SHAPE ? await remoteStores(dir) : undefined;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--cached-only",
      "--no-prompt",
      ...options.permissions ?? (DEPLOY_SHAPE ? ["--allow-net", "--allow-env"] : ["-A"]),
      join(ROOT, "main.ts"),
    ],
    env: {
      // As `deno task dev` has it.
      MALLOC_ARENA_MAX: "1",
      SLUICE_LISTEN: "127.0.0.1:0",
      SLUICE_DATA: dir,
      ...DEPLOY_SHAPE && DEPLOY_ENV,
      ...remote?.env,
      ...options.env,
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();

  let stderr = "";
  const reading = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) stderr += text;
  })();
  const stdout = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let line = "";
  while (!line.includes("\n")) {
    const { done, value } = await stdout.read();
    if (done) {
      await reading;
      await child.status;
      if (!options.dir) await Deno.remove(dir, { recursive: true });
      throw new Error(`the server did not start: ${stderr}`);
    }
    line += value;
  }
  const url = /listening on (http\S+)/.exec(line)?.[1];
  if (!url) throw new Error(`the server's first line is not its address: ${line}`);
  // Read on, or its next line would block it.
  const draining = (async () => {
    while (!(await stdout.read()).done);
  })();

  let running = true;
  const ended = child.status.then(async (status) => {
    running = false;
    await Promise.all([reading, draining]);
    return status;
  });
  const stop = () => {
    if (running) child.kill("SIGTERM");
    return ended;
  };
  return {
    url,
    dir,
    pid: child.pid,
    stderr: () => stderr,
    kill: (signal) => {
      if (running) child.kill(signal);
    },
    ended,
    stop,
    async [Symbol.asyncDispose]() {
      const timer = setTimeout(() => {
        // Seen on busy machines with OTEL_DENO: Deno.exit() waits in the exporter. How a server stops has tests of its own.
        console.error(`the server did not exit within ${STOP_MS} ms, and is killed`);
        child.kill("SIGKILL");
      }, STOP_MS);
      await stop();
      clearTimeout(timer);
      if (!options.dir) await remote?.[Symbol.asyncDispose]();
      if (!options.dir) await Deno.remove(dir, { recursive: true }).catch(() => {});
    },
  };
}
