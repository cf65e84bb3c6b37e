/**
 * Protobuf records in KV: the value envelope (format, expiry, checksum) around the message.
 *
 * @module
 */
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { dataLoss } from "../../errors.ts";
import { DamagedError, decodeValue, encodeValue } from "../format/value.ts";

/** A record as a KV value; `expires` in ms since the epoch, 0 for never. */
export function encodeRecord<D extends DescMessage>(
  schema: D,
  format: number,
  expires: number,
  init: MessageInitShape<D>,
): Uint8Array {
  return encodeValue(format, expires, toBinary(schema, create(schema, init)));
}

/** The record in a KV value, or undefined if there is none or it has expired. DATA_LOSS if it is damaged. */
export function decodeRecord<D extends DescMessage>(
  schema: D,
  format: number,
  now: number,
  value: Uint8Array | null,
): MessageShape<D> | undefined {
  const payload = openValue(format, now, value);
  return payload && fromBinary(schema, payload);
}

/** The payload of a KV value, or undefined if there is none or it has expired. DATA_LOSS if it is damaged. */
export function openValue(format: number, now: number, value: Uint8Array | null): Uint8Array | undefined {
  if (value === null) return undefined;
  return intact(() => {
    const decoded = decodeValue(value);
    if (decoded.format !== format) {
      throw new DamagedError(`Cannot read a stored value as format ${format}: its format is ${decoded.format}`);
    }
    return decoded.expires !== 0 && decoded.expires <= now ? undefined : decoded.payload;
  });
}

/** Runs a decoder; damage is DATA_LOSS to the caller. */
export function intact<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DamagedError) throw dataLoss(`A stored value is damaged: ${error.message}`);
    throw error;
  }
}
