/**
 * Opens the key-value store and the blob store that a configuration names, as they are: makes nothing, migrates nothing,
 * starts nothing. For what looks at a store, or copies it, while servers may run on it.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { decodeValue } from "./format/value.ts";
import { schemaKey } from "./kv/keys.ts";
import { KvClient } from "./kv/kv.ts";
import { SCHEMA_VERSION } from "./kv/schema.ts";
import { openBlobs, type StoresConfig } from "./open.ts";
import type { Platform } from "./platform.ts";
import type { BlobStore } from "./types.ts";

export type RawConfig = Pick<StoresConfig, "kv" | "blobs">;

export interface RawStores {
  readonly kv: KvClient;
  readonly blobs: BlobStore;
  close(): void;
}

/** Whether the key-value store is a file of this machine. */
export function isLocalKv(kv: string | undefined): kv is string {
  return kv !== undefined && kv !== ":memory:" && !/^https?:/.test(kv);
}

/** Throws if there is no such store, or a newer Sluice has written it. */
export async function openRaw(config: RawConfig, platform: Platform): Promise<RawStores> {
  if (config.kv === ":memory:" || config.blobs.kind === "memory") {
    throw new Error("Cannot open a store in memory: only the process that has it can");
  }
  // KV would make the file.
  if (isLocalKv(config.kv)) await Deno.stat(config.kv);
  const db = await platform.openKv(config.kv);
  try {
    const kv = new KvClient(db, platform.clock);
    await assertKnown(kv, config.kv);
    return { kv, blobs: openBlobs(config, kv, platform), close: () => db.close() };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Throws if the store is none of ours, or newer than what we know. A damaged schema is for the check to name. */
async function assertKnown(kv: KvClient, path: string | undefined): Promise<void> {
  const { value } = await kv.get(schemaKey);
  if (value === null) throw new Error(`Cannot open ${path ?? "the attached database"}: it is no store of Sluice`);
  const version = versionIn(value);
  if (version !== undefined && version > SCHEMA_VERSION) {
    throw new Error(`Cannot open the store: its version is ${version}, and this Sluice knows up to ${SCHEMA_VERSION}`);
  }
}

function versionIn(value: Uint8Array): number | undefined {
  try {
    const { payload } = decodeValue(value);
    return new DataView(payload.buffer, payload.byteOffset, payload.length).getUint32(0);
  } catch {
    return undefined;
  }
}

/** One line that says why a store could not be opened or read. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const message = error instanceof ConnectError ? `${Code[error.code]}: ${error.rawMessage}` : error.message;
  return error.cause instanceof Error ? `${message}: ${error.cause.message}` : message;
}
