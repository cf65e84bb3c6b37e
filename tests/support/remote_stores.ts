/**
 * Stores that are servers of their own, denokv and S3, for servers under test: one pair for each data directory.
 *
 * @module
 */
import { startDenokv } from "./denokv.ts";
import { freePort } from "./free_port.ts";
import { startS3 } from "./s3.ts";

export interface RemoteStores extends AsyncDisposable {
  /** For the environment of the server. */
  readonly env: Readonly<Record<string, string>>;
  /** Objects that the bucket has. */
  objects(): Promise<string[]>;
  openKv(): Promise<Deno.Kv>;
}

const byDirectory = new Map<string, Promise<RemoteStores>>();

/** The pair of a directory, which is started if it is not there. */
export function remoteStores(dir: string): Promise<RemoteStores> {
  let stores = byDirectory.get(dir);
  if (!stores) byDirectory.set(dir, stores = start(dir));
  return stores;
}

async function start(dir: string): Promise<RemoteStores> {
  const [denokv, s3] = await Promise.all([startDenokv(dir, freePort()), startS3()]);
  return {
    env: { SLUICE_KV: denokv.url, SLUICE_BLOBS: s3.blobs("tests"), ...denokv.env, ...s3.env },
    objects: () => filesIn(s3.bucketDir),
    openKv() {
      Deno.env.set("DENO_KV_ACCESS_TOKEN", denokv.env.DENO_KV_ACCESS_TOKEN);
      return Deno.openKv(denokv.url);
    },
    async [Symbol.asyncDispose]() {
      byDirectory.delete(dir);
      await denokv[Symbol.asyncDispose]();
      await s3[Symbol.asyncDispose]();
    },
  };
}

/** What the S3 server keeps for itself begins with a dot. */
async function filesIn(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (name.startsWith(".")) continue;
    if (isDirectory) files.push(...await filesIn(`${folder}/${name}`));
    else files.push(name);
  }
  return files;
}
