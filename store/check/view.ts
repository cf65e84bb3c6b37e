/**
 * What one judgement has read of KV, so that it can be told whether anything of it moved meanwhile.
 *
 * @module
 */
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { fromBinary } from "@bufbuild/protobuf";
import { DamagedError, decodeValue } from "../format/value.ts";
import type { KvClient } from "../kv/kv.ts";

/** An entry whose value may be anything. */
export interface AnyEntry {
  readonly key: Deno.KvKey;
  readonly value: unknown;
  readonly versionstamp: string | null;
}

/** What stands under a key that another value names. A damaged one is reported where it stands, and says nothing here. */
export type Peer<T> = { readonly state: "missing" | "damaged" } | { readonly state: "intact"; readonly value: T };

export class View {
  /** Each key once, as it was first read. */
  readonly #read = new Map<string, AnyEntry>();

  constructor(private readonly kv: KvClient, entry: AnyEntry) {
    this.#read.set(keyText(entry.key), entry);
  }

  async get(key: Deno.KvKey): Promise<AnyEntry> {
    const text = keyText(key);
    let entry = this.#read.get(text);
    if (!entry) this.#read.set(text, entry = await this.kv.get(key));
    return entry;
  }

  /** The payload under a key, whatever its format. */
  async payload(key: Deno.KvKey, format: number): Promise<Peer<Uint8Array>> {
    const { value } = await this.get(key);
    if (value === null) return { state: "missing" };
    try {
      const decoded = decodeValue(bytesOf(value));
      return decoded.format === format ? { state: "intact", value: decoded.payload } : { state: "damaged" };
    } catch (error) {
      if (error instanceof DamagedError) return { state: "damaged" };
      throw error;
    }
  }

  async record<D extends DescMessage>(schema: D, format: number, key: Deno.KvKey): Promise<Peer<MessageShape<D>>> {
    const payload = await this.payload(key, format);
    if (payload.state !== "intact") return payload;
    try {
      return { state: "intact", value: parseRecord(schema, payload.value) };
    } catch {
      return { state: "damaged" };
    }
  }

  /**
   * Whether all that was read is still what it was. If so, all of it stood beside each other at one moment: the one at which
   * the last of it was read first.
   */
  async stands(): Promise<boolean> {
    for (const { key, versionstamp } of this.#read.values()) {
      if ((await this.kv.get(key)).versionstamp !== versionstamp) return false;
    }
    return true;
  }
}

/** @throws {DamagedError} If the payload is no such record. */
export function parseRecord<D extends DescMessage>(schema: D, payload: Uint8Array): MessageShape<D> {
  try {
    return fromBinary(schema, payload);
  } catch (cause) {
    throw new DamagedError(`Cannot decode a record: ${(cause as Error).message}`, { cause });
  }
}

/** @throws {DamagedError} If a value is none of ours. */
export function bytesOf(value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new DamagedError("Cannot decode a value as it is no bytes");
  return value;
}

/** A key as people read it. */
export function keyText(key: Deno.KvKey): string {
  return key.map((part) => part instanceof Uint8Array ? part.toHex() : String(part)).join("/");
}
