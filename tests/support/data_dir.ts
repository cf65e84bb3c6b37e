/**
 * A look into what a server keeps on disk; in the shape of Deno Deploy, that is nothing.
 *
 * @module
 */

import { remoteStores } from "./remote_stores.ts";
import { DEPLOY_SHAPE, REMOTE_SHAPE } from "./server.ts";

/** Names of the pieces of all blobs. */
export async function piecesIn(dir: string): Promise<string[]> {
  if (DEPLOY_SHAPE) return [];
  if (REMOTE_SHAPE) return await (await remoteStores(dir)).objects();
  const pieces: string[] = [];
  for await (const folder of Deno.readDir(`${dir}/blobs`)) {
    for await (const { name } of Deno.readDir(`${dir}/blobs/${folder.name}`)) pieces.push(name);
  }
  return pieces.sort();
}

/** All keys of the key-value store whose first part is one of `kinds`, as text. */
export async function keysIn(dir: string, ...kinds: string[]): Promise<string[]> {
  if (DEPLOY_SHAPE) return [];
  using kv = REMOTE_SHAPE ? await (await remoteStores(dir)).openKv() : await Deno.openKv(`${dir}/kv.sqlite`);
  const keys: string[] = [];
  for (const kind of kinds) {
    for await (const { key } of kv.list({ prefix: [kind] })) keys.push(key.map(String).join("/"));
  }
  return keys;
}
