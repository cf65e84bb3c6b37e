/**
 * A load on all servers: each is started afresh, warmed up, and driven once in every round, in turn.
 *
 * @module
 */
import { h2load, median, percentile, type Run } from "./h2load.ts";
import { type Bodies, type Load, PATHS } from "./loads.ts";
import { peakMemory } from "./processes.ts";
import type { Peer, Running } from "./servers.ts";
import { driveTus, verifyTus } from "./tus.ts";
import { verify } from "./verify.ts";

/** Uploads in one run: each is 10 MiB on disk, or in memory, until the round is over. */
const MAX_UPLOADS = 64;
/** Bytes by which an answer may differ in length from one that was read: the time in it has as many digits as it has. */
const ANSWER_SLACK = 4;
/** Between two servers: the one that had its turn may have something left to do. */
const PAUSE_MS = 100;

export interface MeasureOptions {
  readonly rounds: number;
  /** How long one run should take, s. */
  readonly seconds: number;
  readonly bodies: Bodies;
  /** Folder of the built peers. */
  readonly built: string;
  /** Folder for what servers store, on a disk. */
  readonly data: string;
  /** Folder for h2load's files. */
  readonly scratch: string;
  /** Ends the measurement early. */
  readonly signal: AbortSignal;
}

/** What a server did under a load. */
export interface Result {
  readonly peer: Peer;
  /** Streams a second, one value a round. */
  readonly rates: number[];
  /** Milliseconds, one value a round. */
  readonly p50s: number[];
  readonly p99s: number[];
  /** Bytes. */
  peakMemory: number;
  /** Why there is no figure. */
  fault?: string;
}

/** One server under one load. */
class Target {
  readonly result: Result;
  #running: Running | undefined;
  #answerBytes = 0;
  #requests = 1;

  constructor(private readonly peer: Peer, private readonly load: Load, private readonly o: MeasureOptions) {
    this.result = { peer, rates: [], p50s: [], p99s: [], peakMemory: 0 };
  }

  /** Does a step, unless an earlier one failed; a failure is this server's and not the others'. */
  async attempt(step: () => Promise<void>): Promise<void> {
    this.o.signal.throwIfAborted();
    if (this.result.fault !== undefined) return;
    try {
      await step();
    } catch (error) {
      this.result.fault = (error instanceof Error ? error.message : String(error)).slice(0, 300);
    }
  }

  async start(): Promise<void> {
    await Deno.mkdir(this.#data);
    this.#running = await this.peer.start(this.#data, this.o.built);
    this.#answerBytes = await this.#verify();
  }

  /** Runs until the code is compiled, and finds out how many requests a round has. */
  async warmUp(): Promise<void> {
    const { kind, heavy } = this.load;
    // A wave of so many long streams takes long, and warms up no better.
    const load = heavy ? { ...this.load, streams: 16, connections: 4 } : this.load;
    const least = load.streams;
    const most = kind === "file" ? Math.max(MAX_UPLOADS, least) : Infinity;
    let requests = least * (kind === "one" ? 25 : 2);
    for (let i = 0; i < 2; i++) {
      const { count, seconds } = await this.#drive(load, requests);
      await this.#cleanUp();
      // Whole waves, or some streams would be alone in the end.
      requests = Math.min(Math.ceil(count / seconds * this.o.seconds / least) * least, most);
    }
    this.#requests = heavy ? this.load.streams : requests;
  }

  async round(): Promise<void> {
    const { count, seconds, latencies, answerBytes } = await this.#drive(this.load, this.#requests);
    if (Math.abs(answerBytes / count - this.#answerBytes) > ANSWER_SLACK) {
      throw new Error(`answers of ${answerBytes / count} bytes on average, and ${this.#answerBytes} are right`);
    }
    this.result.rates.push(count / seconds);
    this.result.p50s.push(percentile(latencies, 0.5));
    this.result.p99s.push(percentile(latencies, 0.99));
    await this.#cleanUp();
  }

  /** That it still accepts everything; and what it took. */
  async finish(): Promise<void> {
    await this.#verify();
    this.result.peakMemory = await peakMemory(this.#url.pid);
  }

  async stop(): Promise<void> {
    await this.#running?.stop();
    await Deno.remove(this.#data, { recursive: true }).catch(() => {});
  }

  get #data(): string {
    return `${this.o.data}/${this.peer.name}`;
  }

  get #url(): Running {
    if (!this.#running) throw new Error("the server does not run");
    return this.#running;
  }

  get #contentType(): string {
    return this.load.kind === "connect" ? "application/connect+proto" : this.peer.over2;
  }

  async #verify(): Promise<number> {
    const { url } = this.#url;
    if (this.peer.over2 === "tus") return await verifyTus(url, this.o.bodies);
    return await verify(url, this.load.kind, this.#contentType, this.o.bodies);
  }

  async #drive(load: Load, requests: number): Promise<Run> {
    const { url } = this.#url;
    const { bodies, scratch: folder, signal } = this.o;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    if (this.peer.over2 === "tus") return await driveTus(url, load, requests, bodies, { folder, signal });
    return await h2load({
      requests,
      connections: load.connections,
      perConnection: load.streams / load.connections,
      http1: load.kind === "connect",
      body: bodies.paths[load.kind],
      headers: { "content-type": this.#contentType, ...load.kind !== "connect" && { te: "trailers" } },
      urls: [url + PATHS[load.kind]],
      folder,
      signal,
    });
  }

  /** Removes uploads. Peers in memory forget them by themselves; points and entries take too little to matter. */
  async #cleanUp(): Promise<void> {
    if (this.load.kind !== "file") return;
    if (this.peer.over2 === "tus") {
      for await (const { name } of Deno.readDir(this.#data)) await Deno.remove(`${this.#data}/${name}`);
    } else if (this.peer.name.startsWith("sluice")) {
      const call = async (method: string, request: unknown) => {
        const response = await fetch(`${this.#url.url}/sluice.v1.FileUploadService/${method}`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(request),
        });
        if (!response.ok) throw new Error(`${method}: ${await response.text()}`);
        return await response.json();
      };
      const { files = [] } = await call("ListFiles", { pageSize: 1000 });
      for (const { fileId } of files) await call("DeleteFile", { fileId });
    }
  }
}

/** Measures a load on those of the servers that can take it. */
export async function measure(load: Load, peers: readonly Peer[], options: MeasureOptions): Promise<Result[]> {
  const targets = peers.filter(({ kinds }) => kinds.includes(load.kind)).map((peer) => new Target(peer, load, options));
  const rounds = load.heavy ? Math.ceil(options.rounds * 0.6) : options.rounds;
  try {
    for (const target of targets) await target.attempt(() => target.start());
    for (const target of targets) await target.attempt(() => target.warmUp());
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < targets.length; i++) {
        // Each round begins with another server, so that none always follows the same one.
        const target = targets[(i + round) % targets.length];
        await target.attempt(() => target.round());
      }
    }
    for (const target of targets) await target.attempt(() => target.finish());
  } finally {
    for (const target of targets) await target.stop();
  }
  return targets.map(({ result }) => result);
}

/** The median of what a server did in the rounds as a share of what another did in the same ones. */
export function ratio(of: readonly number[], to: readonly number[]): number {
  return median(of.slice(0, to.length).map((value, round) => value / to[round]));
}
