/**
 * A real S3 server, versitygw, which several instances share.
 *
 * @module
 */
import { freePort } from "./free_port.ts";
import { readConfig } from "../../config.ts";
import type { S3Config } from "../../store/blob/s3_signer.ts";
import { findProgram } from "../http2/network.ts";
import { until } from "./until.ts";

const BUCKET = "sluice-test";

export interface S3Server extends AsyncDisposable {
  /** All that it keeps. */
  readonly dir: string;
  /** Holds what the bucket does: an object is a file under its key. */
  readonly bucketDir: string;
  /** For the environment of whoever uses it: the credentials. */
  readonly env: Readonly<Record<string, string>>;
  /** For SLUICE_BLOBS. */
  blobs(prefix: string): string;
  /** What config.ts makes of `env` and `blobs(prefix)`. */
  config(prefix: string): S3Config;
  signal(signal: Deno.Signal): void;
  /** Ends the process; connections to it are refused from then on. */
  stop(signal?: Deno.Signal): Promise<void>;
  /** Starts it again on the same port and the same data. */
  start(): Promise<void>;
}

/** Starts versitygw on a free port, with its data in a temporary directory. Throws if it is not installed. */
export async function startS3(): Promise<S3Server> {
  const program = await findProgram("versitygw");
  if (!program) {
    throw new Error("versitygw is not installed: go install github.com/versity/versitygw/cmd/versitygw@latest");
  }
  const dir = await Deno.makeTempDir({ prefix: "sluice-s3-" });
  const bucketDir = `${dir}/${BUCKET}`;
  await Deno.mkdir(bucketDir);
  const env = { AWS_ACCESS_KEY_ID: "sluice", AWS_SECRET_ACCESS_KEY: "only for the tests" };
  const port = freePort();
  const url = `http://127.0.0.1:${port}`;
  let child: Deno.ChildProcess | undefined;

  async function start(): Promise<void> {
    child = new Deno.Command(program!, {
      args: ["--port", `127.0.0.1:${port}`, "--keep-alive", "--quiet", "posix", dir],
      env: { ROOT_ACCESS_KEY: env.AWS_ACCESS_KEY_ID, ROOT_SECRET_KEY: env.AWS_SECRET_ACCESS_KEY },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await until(() => fetch(url).then((answer) => answer.body?.cancel()).then(() => true, () => false), 10_000);
  }

  async function stop(signal: Deno.Signal = "SIGKILL"): Promise<void> {
    const stopping = child;
    child = undefined;
    stopping?.kill(signal);
    await stopping?.status;
  }

  const blobs = (prefix: string) => `s3://${BUCKET}/${prefix}?endpoint=${url}&region=us-east-1`;
  await start();
  return {
    dir,
    bucketDir,
    env,
    blobs,
    config(prefix) {
      const config = readConfig({ ...env, SLUICE_BLOBS: blobs(prefix) }).blobs;
      if (config.kind !== "s3") throw new Error(`the store is ${config.kind}`);
      return config;
    },
    signal: (signal) => child?.kill(signal),
    stop,
    start,
    async [Symbol.asyncDispose]() {
      await stop();
      await Deno.remove(dir, { recursive: true });
    },
  };
}
