/**
 * Several instances over one denokv server and one bucket.
 *
 * @module
 */
import { freePort, Instance } from "../crash/instance.ts";
import { type Denokv, startDenokv } from "../support/denokv.ts";
import { type S3Server, startS3 } from "../support/s3.ts";

export interface ClusterOptions {
  readonly instances: number;
  readonly env?: Readonly<Record<string, string>>;
  /** SLUICE_KV of the `index`-th instance, where that is not denokv itself. */
  readonly kv?: (index: number, denokv: Denokv) => string;
}

export interface Cluster extends AsyncDisposable {
  readonly denokv: Denokv;
  readonly s3: S3Server;
  readonly urls: readonly string[];
  readonly instances: readonly Instance[];
  /** Names the stores, for whoever opens them beside the instances. */
  readonly env: Readonly<Record<string, string>>;
  /** Starts an instance, which is not running, and waits until it serves. */
  start(index: number): Promise<Instance>;
}

/** How often an instance may fail to start, over a network that loses what it asks KV. */
const STARTS = 20;

/** Starts denokv and the bucket; the instances are started one by one. */
export async function startCluster({ instances: count, env, kv }: ClusterOptions): Promise<Cluster> {
  const dir = await Deno.makeTempDir({ prefix: "sluice-test-" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(dir, { recursive: true }));
  const denokv = stack.use(await startDenokv(dir, freePort()));
  const s3 = stack.use(await startS3());
  const common = { SLUICE_KV: denokv.url, SLUICE_BLOBS: s3.blobs("files"), ...denokv.env, ...s3.env };
  const ports = Array.from({ length: count }, freePort);
  const instances: Instance[] = [];
  stack.defer(async () => void await Promise.all(instances.map((instance) => instance.end("SIGKILL"))));
  const owned = stack.move();
  return {
    denokv,
    s3,
    urls: ports.map((port) => `http://127.0.0.1:${port}`),
    instances,
    env: common,
    async start(index) {
      for (let tries = 1;; tries++) {
        const instance = instances[index] = new Instance({
          port: ports[index],
          env: {
            ...common,
            SLUICE_DATA: `${dir}/${index}`,
            SLUICE_KV: kv?.(index, denokv) ?? denokv.url,
            ...env,
          },
        });
        try {
          await instance.ready;
          return instance;
        } catch (error) {
          if (tries === STARTS) throw error;
        }
      }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
