/**
 * What runs in the worker of hash_worker.ts: takes pieces, and "digest" at the end.
 *
 * @module
 */
// deno-lint-ignore no-import-prefix -- as in hash.ts
import { sha256 } from "npm:@noble/hashes@2.4.0/sha2.js";
import { toHex } from "./hex.ts";

const hash = sha256.create();
const scope = globalThis as unknown as Worker;

scope.onmessage = ({ data }: MessageEvent<Uint8Array | "digest">) => {
  if (data === "digest") return scope.postMessage({ digest: toHex(hash.digest()) });
  hash.update(data);
  scope.postMessage(data.length);
};
scope.postMessage("ready");
