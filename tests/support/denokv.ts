/**
 * A real denokv server, which several instances share: `cargo install denokv --locked`.
 *
 * @module
 */
import { sleep } from "./resuming_client.ts";

/** What Deno.openKv takes it by; the variable is DENO_KV_ACCESS_TOKEN. */
const TOKEN = "denokv-of-the-tests";

export interface Denokv extends AsyncDisposable {
  /** For SLUICE_KV. */
  readonly url: string;
  /** For the environment of whoever opens it. */
  readonly env: Readonly<Record<string, string>>;
  signal(signal: Deno.Signal): void;
  /** Ends the process; connections to it are refused from then on. */
  stop(signal?: Deno.Signal): Promise<void>;
  /** Starts it again on the same port and the same data. */
  start(): Promise<void>;
}

/** Starts denokv with its data in `dir`. Throws if it is not installed. */
export async function startDenokv(dir: string, port: number): Promise<Denokv> {
  const program = await findProgram();
  let child: Deno.ChildProcess | undefined;
  const url = `http://127.0.0.1:${port}`;
  const start = async () => {
    child = new Deno.Command(program, {
      args: ["--sqlite-path", `${dir}/denokv.sqlite`, "serve", "--addr", `127.0.0.1:${port}`, "--access-token", TOKEN],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await accepts(port, child);
  };
  const stop = async (signal: Deno.Signal = "SIGKILL") => {
    const stopping = child;
    child = undefined;
    stopping?.kill(signal);
    await stopping?.status;
  };
  await start();
  return {
    url,
    env: { DENO_KV_ACCESS_TOKEN: TOKEN },
    signal: (signal) => child?.kill(signal),
    stop,
    start,
    [Symbol.asyncDispose]: () => stop(),
  };
}

/** On PATH, or where `cargo install` puts it. */
async function findProgram(): Promise<string> {
  const home = Deno.env.get("CARGO_HOME") ?? `${Deno.env.get("HOME")}/.cargo`;
  for (const directory of [...(Deno.env.get("PATH") ?? "").split(":"), `${home}/bin`]) {
    const info = await Deno.stat(`${directory}/denokv`).catch(() => undefined);
    if (info?.isFile) return `${directory}/denokv`;
  }
  throw new Error("denokv is not installed: cargo install denokv --locked");
}

async function accepts(port: number, child: Deno.ChildProcess): Promise<void> {
  let ended = false;
  child.status.then(() => ended = true);
  for (let tries = 0; tries < 500 && !ended; tries++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch {
      await sleep(20);
    }
  }
  throw new Error(`denokv does not listen on port ${port}`);
}
