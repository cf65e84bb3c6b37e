/**
 * A server whose clock the test sets.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { sleep } from "../support/resuming_client.ts";
import { freePort, Instance } from "./instance.ts";

export interface ShiftedServer extends AsyncDisposable {
  readonly url: string;
  readonly dir: string;
  readonly instance: Instance;
  /** Sets its clock by so much against ours, ms. */
  shift(ms: number): Promise<void>;
  /** Kills it and starts it again, with the clock as it was; `meanwhile` happens in between. */
  restart(meanwhile?: () => Promise<void>): Promise<void>;
  /** Ends it in order; the directory stays until it is disposed of. */
  stop(): Promise<void>;
}

const PRELOAD = fileURLToPath(new URL("shifted_clock.ts", import.meta.url));

export async function startShiftedServer(env: Readonly<Record<string, string>> = {}): Promise<ShiftedServer> {
  const dir = await Deno.makeTempDir({ prefix: "sluice-test-" });
  const clockFile = `${dir}/clock`;
  await Deno.writeTextFile(clockFile, "0");
  const port = freePort();
  const start = async () => {
    const instance = new Instance({
      port,
      env: { SLUICE_DATA: dir, CLOCK_FILE: clockFile, ...env },
      flags: ["--preload", PRELOAD],
    });
    await instance.ready;
    return instance;
  };
  let instance = await start();
  return {
    url: `http://127.0.0.1:${port}`,
    dir,
    get instance() {
      return instance;
    },
    async shift(ms) {
      await Deno.writeTextFile(clockFile, String(ms));
      instance.signal("SIGUSR2");
      // A signal is heard when the event loop gets to it.
      await sleep(50);
    },
    async restart(meanwhile) {
      await instance.end("SIGKILL");
      await meanwhile?.();
      instance = await start();
    },
    async stop() {
      await instance.end();
    },
    async [Symbol.asyncDispose]() {
      await instance.end("SIGKILL");
      await Deno.remove(dir, { recursive: true });
    },
  };
}
