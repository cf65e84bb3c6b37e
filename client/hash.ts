/**
 * SHA-256, of a chunk and of a file that passes by.
 *
 * @module
 */
import { hasNodeModules } from "./platform.ts";

/** A digest of data that comes in pieces. */
export interface RunningHash {
  update(data: Uint8Array): void;
  /** Lower-case hex; ends the hash. */
  digest(): string;
}

/**
 * A running SHA-256: node:crypto's where there is one (Deno, Node), otherwise a library in JavaScript, for WebCrypto
 * only digests what is there as a whole.
 */
export async function createRunningHash(): Promise<RunningHash> {
  if (hasNodeModules) {
    const { createHash } = await import("node:crypto");
    const hash = createHash("sha256");
    return { update: (data) => void hash.update(data), digest: () => hash.digest("hex") };
  }
  // deno-lint-ignore no-import-prefix -- loaded only where it is needed, so not in deps.ts
  const { sha256 } = await import("npm:@noble/hashes@2.4.0/sha2.js");
  const hash = sha256.create();
  return { update: (data) => void hash.update(data), digest: () => hex(hash.digest()) };
}

/** SHA-256 of data that is there as a whole, in lower-case hex. It runs beside the event loop. */
export async function sha256Hex(data: Uint8Array): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", data as Uint8Array<ArrayBuffer>)));
}

function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}
