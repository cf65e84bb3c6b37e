/**
 * A server that is started again and again on the same port and the same data, and ended at any moment.
 *
 * @module
 */
import { join } from "node:path";
import { ROOT } from "../support/server.ts";

export interface InstanceOptions {
  readonly port: number;
  readonly env: Readonly<Record<string, string>>;
  /** Flags of `deno run`. */
  readonly flags?: readonly string[];
}

/** Lines of standard error that are kept, from the end: a server of a long run writes many. */
const KEPT_CHARS = 20_000;

/** One process. */
export class Instance {
  /** Resolves when it serves; rejects if it ends before. */
  readonly ready: Promise<void>;
  readonly ended: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;
  #running = true;
  /** Whether it was told to end. */
  #told = false;
  #stderr = "";
  /** Events that it logged as errors: what nobody expects, a kill or a bad network included. */
  errors = 0;

  constructor({ port, env, flags = [] }: InstanceOptions) {
    const child = this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--cached-only", "--no-prompt", "-A", ...flags, join(ROOT, "main.ts")],
      env: { SLUICE_LISTEN: `127.0.0.1:${port}`, ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const ready = Promise.withResolvers<void>();
    this.ready = ready.promise;
    this.ready.catch(() => {});
    const reading = Promise.all([
      (async () => {
        for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
          if (text.includes("listening on")) ready.resolve();
        }
      })(),
      (async () => {
        for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
          this.#stderr = (this.#stderr + text).slice(-KEPT_CHARS);
          this.errors += text.split('"level":"error"').length - 1;
        }
      })(),
    ]);
    this.ended = child.status.then(async (status) => {
      this.#running = false;
      await reading;
      const told = this.#told ? "" : " by itself";
      ready.reject(new Error(`The server ended${told} with ${status.signal ?? status.code}: ${this.#stderr}`));
      return status;
    });
  }

  get pid(): number {
    return this.#child.pid;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Whether it has ended although nobody told it to. */
  get died(): boolean {
    return !this.#running && !this.#told;
  }

  /** Sends a signal; after SIGKILL, SIGTERM and SIGINT it may end. */
  signal(signal: Deno.Signal): void {
    if (signal === "SIGKILL" || signal === "SIGTERM" || signal === "SIGINT") this.#told = true;
    if (this.#running) this.#child.kill(signal);
  }

  /** Ends it by a signal, and waits. */
  async end(signal: Deno.Signal = "SIGTERM"): Promise<Deno.CommandStatus> {
    this.signal(signal);
    return await this.ended;
  }
}

/** A port that is free now. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}
