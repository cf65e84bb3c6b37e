/**
 * The version of the store: a new store gets today's, an older one is migrated step by step, a newer one is refused.
 *
 * @module
 */
import { decodeValue, encodeValue, FORMAT } from "../format/value.ts";
import { schemaKey } from "./keys.ts";
import type { KvClient } from "./kv.ts";

/**
 * Version of the store: an older Sluice could not read all of a newer one. Formats of values have versions of their own.
 *
 * 1: the first. 2: blocks of files have CRC-32s; SHA-256s of before are read as they are. 3: streams, and files of several
 * pieces; an older Sluice would sweep uploads that can still go on. 4: runs, of which an older Sluice would see nothing.
 */
export const SCHEMA_VERSION = 4;

/** Brings the store to SCHEMA_VERSION. Throws if a newer Sluice has written it. */
export async function openSchema(kv: KvClient): Promise<void> {
  const entry = await kv.get(schemaKey);
  if (entry.value !== null) {
    const version = new DataView(decodeValue(entry.value).payload.slice().buffer).getUint32(0);
    if (version > SCHEMA_VERSION) {
      throw new Error(
        `Cannot open the store: its version is ${version}, and this Sluice knows versions up to ${SCHEMA_VERSION}`,
      );
    }
    if (version === SCHEMA_VERSION) return;
  }
  const payload = new Uint8Array(4);
  new DataView(payload.buffer).setUint32(0, SCHEMA_VERSION);
  // If the check fails, another instance has just done the same.
  await kv.atomic([{ key: schemaKey, versionstamp: entry.versionstamp }], [
    { type: "set", key: schemaKey, value: encodeValue(FORMAT.schema, 0, payload) },
  ]);
}
