/**
 * The floor: the time until which streams of a tenant began whose records may be gone. An unknown stream that began no later
 * must not begin: it may have been there.
 *
 * @module
 */
import { decodeTime } from "ulid";
import { DamagedError, encodeValue, FORMAT } from "../format/value.ts";
import type { MaybeEntry } from "./kv.ts";
import { openValue } from "./records.ts";

const ULID_CHARACTERS = 26;

/** Until when streams began whose records may be gone, ms since the epoch; -1 if none is. */
export function readFloor(entry: MaybeEntry): number {
  const payload = openValue(FORMAT.streamFloor, 0, entry.value);
  if (!payload) return -1;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  return view.getUint16(0) * 2 ** 32 + view.getUint32(2);
}

/** The value under `floor`: uint48, ms since the epoch. */
export function encodeFloor(time: number): Uint8Array {
  const payload = new Uint8Array(6);
  const view = new DataView(payload.buffer);
  view.setUint16(0, Math.floor(time / 2 ** 32));
  view.setUint32(2, time % 2 ** 32);
  return encodeValue(FORMAT.streamFloor, 0, payload);
}

/** When a stream began: the time of the ULID at the end of its id, ms since the epoch. Throws a DamagedError if there is none. */
export function streamBeganAt(id: string): number {
  try {
    return decodeTime(id.slice(-ULID_CHARACTERS));
  } catch (cause) {
    throw new DamagedError(`Cannot tell when a stream began as its id does not end with a ULID: ${id}`, { cause });
  }
}
