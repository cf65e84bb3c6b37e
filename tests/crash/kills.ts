/**
 * Kills a server at random moments, and starts it again at once, while clients stream.
 *
 * @module
 */
import { Random } from "../store/format/random.ts";
import { startProxy } from "../support/proxy.ts";
import { sleep } from "../support/resuming_client.ts";
import { checkStores } from "./check.ts";
import { freePort, Instance } from "./instance.ts";
import { compareStores, type Comparison } from "./verify.ts";
import { Workload, type WorkloadOptions } from "./workload.ts";

export interface KillsOptions {
  readonly kills: number;
  readonly seed: number;
  /** SLUICE_BLOBS. */
  readonly blobs: "file" | "kv";
  /** How many clients of each kind. */
  readonly clients?: WorkloadOptions["clients"];
  readonly onProgress?: (kills: number) => void;
}

export interface KillsResult {
  readonly kills: number;
  /** Times that the process was held up by SIGSTOP. */
  readonly stops: number;
  readonly workload: Workload;
  readonly comparison: Comparison;
  /** What `deno task check` says of the stores. */
  readonly check: string;
  /** What must never happen, of the server and as clients saw it. */
  readonly faults: readonly string[];
}

/** How a life of the server ends. */
type Ending = "running" | "starting" | "just started" | "paused" | "stopping";
const ENDINGS: readonly Ending[] = [
  ...["running", "running", "running", "running", "running", "running"] as const,
  ...["starting", "just started", "just started", "paused", "stopping"] as const,
];

/** How long a server may take to start, ms: it shares the machine with its clients. */
const START_MS = 30_000;
/** The longest time that a server runs before it is killed, ms. */
const LIFE_MS = 1200;
/** A start takes about so long, ms. */
const STARTING_MS = 300;
/** After so long, ms, it has stopped, or is about to. */
const STOPPING_MS = 1500;
const CLIENTS = { files: 5, points: 6, logs: 5 };
/** Every third client has a bad network. */
const PROXIED = 3;

export async function runKills(options: KillsOptions): Promise<KillsResult> {
  const { kills, seed, blobs, clients = CLIENTS, onProgress } = options;
  const dir = await Deno.makeTempDir({ prefix: "sluice-test-" });
  const random = new Random(seed);
  const port = freePort();
  const env = {
    SLUICE_DATA: dir,
    SLUICE_BLOBS: blobs === "file" ? `file:${dir}/blobs` : "kv:",
    // Housekeeping is to be interrupted too.
    SLUICE_HOUSEKEEPING_SECONDS: "1",
  };
  const faults: string[] = [];
  let calm = false;
  try {
    await using proxy = startProxy({ port, random: new Random(seed + 1), calm: () => calm });
    const url = `http://127.0.0.1:${port}`;
    const workload = new Workload({
      clients,
      endpoints: (index) => [index % PROXIED === 0 ? proxy.url : url],
      random: () => new Random(random.below(2 ** 32)),
    });
    const start = () => new Instance({ port, env: { ...env, SLUICE_WORKERS: random.pick(["1", "1", "2"]) } });
    let stops = 0;
    let killed = 0;
    while (killed < kills && workload.faults.length + faults.length === 0) {
      const instance = start();
      const ending = random.pick(ENDINGS);
      if (ending === "starting") await sleep(random.next() * STARTING_MS);
      else if (!await serves(instance, faults)) break;
      if (ending === "paused") {
        await sleep(random.next() * LIFE_MS);
        instance.signal("SIGSTOP");
        // From 0.1 s to 6 s, short ones more often.
        await sleep(100 * 60 ** random.next());
        instance.signal("SIGCONT");
        stops++;
      }
      if (ending === "just started") await sleep(random.next() * 50);
      else if (ending !== "starting") await sleep(random.next() * LIFE_MS);
      if (ending === "stopping") {
        instance.signal("SIGTERM");
        await sleep(random.next() * STOPPING_MS);
      }
      if (instance.died) faults.push(`the server ended by itself: ${instance.stderr}`);
      await instance.end("SIGKILL");
      if (instance.errors > 0) faults.push(`the server logged ${instance.errors} errors: ${instance.stderr}`);
      onProgress?.(++killed);
    }
    calm = true;
    const last = start();
    try {
      await serves(last, faults);
      await workload.finish();
      const comparison = await compareStores(workload.sent, url, env);
      const { code } = await last.end();
      if (code !== 0) faults.push(`the server ended with ${code} on SIGTERM: ${last.stderr}`);
      faults.push(...workload.faults.map(({ message }) => message));
      const { summary, damage } = await checkStores(env);
      faults.push(...damage);
      return { kills: killed, stops, workload, comparison, check: summary, faults };
    } finally {
      await last.end("SIGKILL");
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function serves(instance: Instance, faults: string[]): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`the server has not started in ${START_MS} ms`)), START_MS);
    });
    await Promise.race([instance.ready, late]);
    return true;
  } catch (error) {
    faults.push((error as Error).message);
    await instance.end("SIGKILL");
    return false;
  } finally {
    clearTimeout(timer);
  }
}
