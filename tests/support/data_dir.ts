/**
 * A look into what a server keeps on disk; in the shape of Deno Deploy, that is nothing.
 *
 * @module
 */

import { DEPLOY_SHAPE } from "./server.ts";

/** Names of the pieces of all blobs. */
export async function piecesIn(dir: string): Promise<string[]> {
  if (DEPLOY_SHAPE) return [];
  const pieces: string[] = [];
  for await (const folder of Deno.readDir(`${dir}/blobs`)) {
    for await (const { name } of Deno.readDir(`${dir}/blobs/${folder.name}`)) pieces.push(name);
  }
  return pieces.sort();
}

/** All keys of the key-value store whose first part is one of `kinds`, as text. */
export async function keysIn(dir: string, ...kinds: string[]): Promise<string[]> {
  if (DEPLOY_SHAPE) return [];
  using kv = await Deno.openKv(`${dir}/kv.sqlite`);
  const keys: string[] = [];
  for (const kind of kinds) {
    for await (const { key } of kv.list({ prefix: [kind] })) keys.push(key.map(String).join("/"));
  }
  return keys;
}
