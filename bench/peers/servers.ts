/**
 * The servers that are measured: what each is, what it can be asked for, and how it is started.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { ROOT, startServer } from "../../tests/support/server.ts";
import type { Kind } from "./loads.ts";

/** A server that runs. */
export interface Running {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

export interface Peer {
  readonly name: string;
  readonly title: string;
  /** What it speaks over HTTP/2, as a content type. */
  readonly over2: "application/grpc" | "application/grpc-web+proto" | "tus";
  readonly kinds: readonly Kind[];
  /** Starts it, with an empty folder for its data. `built` is the folder of the built peers. */
  start(data: string, built: string): Promise<Running>;
}

const ALL: readonly Kind[] = ["points", "logs", "file", "one", "connect"];
const OVER_2: readonly Kind[] = ["points", "logs", "file", "one"];

const MEMORY = { SLUICE_KV: ":memory:", SLUICE_BLOBS: "memory:" };
const TWO_WORKERS = { SLUICE_WORKERS: "2" };
/** The shape of Deno Deploy: Deno.serve and nothing else. */
const deploy = (data: string) => ({
  DENO_DEPLOYMENT_ID: "bench",
  SLUICE_KV: `${data}/kv.sqlite`,
  SLUICE_BLOBS: `file:${data}/blobs`,
});

export const PEERS: readonly Peer[] = [
  sluice("sluice-memory", "Sluice, in memory", ALL, () => MEMORY),
  sluice("sluice", "Sluice, durable", ALL, () => ({})),
  sluice("sluice-2", "Sluice, durable, 2 workers", OVER_2, () => TWO_WORKERS),
  sluice("sluice-deploy-memory", "Sluice on Deno.serve, in memory", ["connect"], (d) => ({ ...deploy(d), ...MEMORY })),
  sluice("sluice-deploy", "Sluice on Deno.serve, durable", ["connect"], deploy),
  program("grpc-go", "grpc-go, in memory", OVER_2, (built) => [`${built}/bin/grpcgo`]),
  program(
    "grpc-go-sqlite",
    "grpc-go, SQLite",
    // Files would stay in memory there.
    ["points", "logs", "one"],
    (built, data) => [`${built}/bin/grpcgo`, "-sqlite", `${data}/bench.sqlite`],
  ),
  program("connect-go", "connect-go, in memory", ALL, (built) => [`${built}/bin/connectgo`]),
  program(
    "grpc-js",
    "grpc-js on Node, in memory",
    OVER_2,
    (built) => ["node", `${built}/js/grpc_js.mjs`, `${ROOT}proto`],
  ),
  {
    ...program("connect-es", "connect-es on Deno.serve, in memory", ALL, () => [
      Deno.execPath(),
      ...["run", "-A", "--cached-only"],
      fileURLToPath(new URL("connect_es.ts", import.meta.url)),
    ]),
    over2: "application/grpc-web+proto",
  },
  {
    ...program("tusd", "tusd (bytes alone: no checksums)", ["file"], (built, data) => [
      `${built}/bin/tusd`,
      ...["-host", "127.0.0.1", "-port", "0", "-upload-dir", data, "-enable-h2c"],
    ]),
    over2: "tus",
  },
];

function sluice(
  name: string,
  title: string,
  kinds: readonly Kind[],
  env: (data: string) => Record<string, string>,
): Peer {
  return {
    name,
    title,
    over2: "application/grpc",
    kinds,
    async start(data) {
      const server = await startServer({ dir: data, env: env(data) });
      return { url: server.url, pid: server.pid, stop: async () => void await server.stop() };
    },
  };
}

/** A program that prints its address. */
function program(
  name: string,
  title: string,
  kinds: readonly Kind[],
  command: (built: string, data: string) => string[],
): Peer {
  return {
    name,
    title,
    over2: "application/grpc",
    kinds,
    async start(data, built) {
      const [path, ...args] = command(built, data);
      const child = new Deno.Command(path, { args, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
      const { promise: address, resolve } = Promise.withResolvers<string>();
      let text = "";
      const read = async (from: ReadableStream<Uint8Array<ArrayBuffer>>) => {
        for await (const part of from.pipeThrough(new TextDecoderStream())) {
          // All that it prints is read, or it would block; what comes once the address is known is of no use.
          if (text.length < 10_000) text += part;
          const url = /(http:\/\/127\.0\.0\.1:\d+)\S*\s/.exec(text)?.[1];
          if (url) resolve(url);
        }
      };
      const ended = Promise.all([read(child.stdout), read(child.stderr), child.status]);
      const url = await Promise.race([address, ended.then(() => undefined)]);
      if (url === undefined) throw new Error(`${name} did not start: ${text}`);
      return {
        url,
        pid: child.pid,
        async stop() {
          try {
            child.kill("SIGKILL");
          } catch {
            // It has ended already.
          }
          await ended;
        },
      };
    },
  };
}
