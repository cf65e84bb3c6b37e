/**
 * Which store a buffer has: files in Deno and Node, IndexedDB in browsers.
 *
 * @module
 */
import { openFileStore } from "./buffer_files.ts";
import { openIndexedDb } from "./buffer_idb.ts";
import type { BufferStore } from "./buffer_store.ts";
import { BUFFER_SEGMENT_BYTES } from "./limits.ts";
import { hasNodeModules } from "./platform.ts";

/** Names of buffers: they become those of folders. */
const NAME = /^[A-Za-z0-9._-]{1,100}$/;

/**
 * Says how a buffer is opened that takes up to so many bytes.
 *
 * @throws {TypeError} if its name is none, or there is no folder for it.
 */
export function storeOf(name: string, bytes: number, stateDir: string | undefined): () => Promise<BufferStore> {
  if (!NAME.test(name)) throw new TypeError(`Cannot use buffer ${JSON.stringify(name)}: it must match ${NAME.source}`);
  if (!hasNodeModules) return () => openIndexedDb(name);
  if (stateDir === undefined) {
    throw new TypeError(`Cannot use buffer "${name}": the client needs stateDir, the folder where buffers are`);
  }
  // So that files are removed, and there is room again, well before all of it is sent.
  const segmentBytes = Math.min(BUFFER_SEGMENT_BYTES, bytes / 8);
  return () => openFileStore(`${stateDir}/buffer-${name}`, segmentBytes);
}
