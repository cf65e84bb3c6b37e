/**
 * SHA-256, of a chunk and of a file that passes by.
 *
 * @module
 */
import { toHex } from "./hex.ts";
import { hasNodeModules } from "./platform.ts";

/** A digest of data that comes in pieces. */
export interface RunningHash {
  /** Takes a piece. A promise is returned only where it has to be waited for before the next. */
  update(data: Uint8Array): Promise<void> | undefined;
  /** Lower-case hex; ends the hash. */
  digest(): Promise<string>;
  /** Ends it without a digest. */
  close(): void;
}

/**
 * A running SHA-256: node:crypto's where there is one (Deno, Node), for WebCrypto only digests what is there as a whole.
 * In a browser it runs in a worker, so that the page stays quick; where a page's policy forbids workers, on the page's
 * own thread.
 */
export async function createRunningHash(): Promise<RunningHash> {
  if (hasNodeModules) {
    const { createHash } = await import("node:crypto");
    const hash = createHash("sha256");
    return {
      update: (data) => void hash.update(data),
      digest: () => Promise.resolve(hash.digest("hex")),
      close: () => {},
    };
  }
  const { createWorkerHash } = await import("./hash_worker.ts");
  return await createWorkerHash() ?? await createLibraryHash();
}

/** SHA-256 of data that is there as a whole, in lower-case hex. It runs beside the event loop. */
export async function sha256Hex(data: Uint8Array): Promise<string> {
  // A page that came over http, but from this machine, has no WebCrypto.
  if (crypto.subtle === undefined) {
    const hash = await createLibraryHash();
    hash.update(data);
    return await hash.digest();
  }
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", data as Uint8Array<ArrayBuffer>)));
}

async function createLibraryHash(): Promise<RunningHash> {
  // deno-lint-ignore no-import-prefix -- loaded only where it is needed, so not in deps.ts
  const { sha256 } = await import("npm:@noble/hashes@2.4.0/sha2.js");
  const hash = sha256.create();
  return {
    update: (data) => void hash.update(data),
    digest: () => Promise.resolve(toHex(hash.digest())),
    close: () => {},
  };
}
