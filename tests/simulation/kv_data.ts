/**
 * What a simulated Deno KV holds, and what one read or one commit does to it, at once. Limits and messages are Deno's.
 *
 * @module
 */
import { encodeKey } from "./kv_key.ts";

export interface KvCheck {
  readonly key: Deno.KvKey;
  readonly versionstamp: string | null;
}

export type KvMutation =
  | { readonly type: "set"; readonly key: Deno.KvKey; readonly value: Uint8Array }
  | { readonly type: "sum"; readonly key: Deno.KvKey; readonly value: bigint }
  | { readonly type: "delete"; readonly key: Deno.KvKey };

type Value = Uint8Array | bigint;

interface Stored {
  readonly key: Deno.KvKey;
  readonly value: Value;
  readonly versionstamp: string;
}

const MAX_CHECKS = 100;
const MAX_MUTATIONS = 1000;
const MAX_KEY_BYTES = 2048;
const MAX_VALUE_BYTES = 65536;
const MAX_MUTATION_BYTES = 819200;
const MAX_TOTAL_KEY_BYTES = 81920;

export class KvData {
  readonly #entries = new Map<string, Stored>();
  /** Encoded, in their order. */
  readonly #keys: string[] = [];
  #version = 0n;

  get size(): number {
    return this.#keys.length;
  }

  /** @param key Encoded. */
  get(key: string): { value: Uint8Array | Deno.KvU64; versionstamp: string } | undefined {
    const stored = this.#entries.get(key);
    return stored && { value: given(stored.value), versionstamp: stored.versionstamp };
  }

  /** Up to `limit` entries of the encoded keys from `start` up to `end`, from either side. */
  range(start: string, end: string, limit: number, reverse: boolean): Deno.KvEntry<Uint8Array | Deno.KvU64>[] {
    const first = this.#indexOf(start), last = this.#indexOf(end);
    const keys = reverse
      ? this.#keys.slice(Math.max(last - limit, first), Math.max(last, first)).reverse()
      : this.#keys.slice(first, Math.min(first + limit, last));
    return keys.map((key) => {
      const stored = this.#entries.get(key)!;
      return { key: stored.key, value: given(stored.value), versionstamp: stored.versionstamp };
    });
  }

  /** All of it or nothing. Returns its versionstamp, or undefined if a check does not hold. */
  commit(checks: readonly KvCheck[], mutations: readonly KvMutation[]): string | undefined {
    for (const { key, versionstamp } of checks) {
      if ((this.#entries.get(encodeKey(key))?.versionstamp ?? null) !== versionstamp) return undefined;
    }
    for (const { type, key } of mutations) {
      const value = this.#entries.get(encodeKey(key))?.value;
      if (type === "sum" && value !== undefined && typeof value !== "bigint") {
        throw new TypeError("Failed to perform 'sum' mutation on a non-U64 value in the database");
      }
    }
    const versionstamp = (++this.#version).toString(16).padStart(16, "0") + "0000";
    for (const mutation of mutations) {
      const key = encodeKey(mutation.key);
      const before = this.#entries.get(key);
      if (mutation.type === "delete") {
        if (!before) continue;
        this.#entries.delete(key);
        this.#keys.splice(this.#indexOf(key), 1);
        continue;
      }
      if (!before) this.#keys.splice(this.#indexOf(key), 0, key);
      const value = mutation.type === "set"
        ? mutation.value
        : BigInt.asUintN(64, ((before?.value as bigint | undefined) ?? 0n) + mutation.value);
      this.#entries.set(key, { key: mutation.key, value, versionstamp });
    }
    return versionstamp;
  }

  /** The first place whose key is not before `key`. */
  #indexOf(key: string): number {
    let low = 0, high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#keys[middle] < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Whoever reads a value may change it. */
const given = (value: Value) => typeof value === "bigint" ? new Deno.KvU64(value) : value.slice();

/** Throws as KV does at a key that is too long to be read. */
export function validateReadKey(key: string): void {
  // The range that is read ends one byte later.
  if (key.length > MAX_KEY_BYTES) {
    throw new TypeError(`Key too large for read (max ${MAX_KEY_BYTES + 1} bytes)`);
  }
}

/** Throws as KV does at a commit that it does not take. */
export function validateCommit(checks: readonly KvCheck[], mutations: readonly KvMutation[]): void {
  if (checks.length > MAX_CHECKS) throw new TypeError(`Too many checks (max ${MAX_CHECKS})`);
  if (mutations.length > MAX_MUTATIONS) throw new TypeError(`Too many mutations (max ${MAX_MUTATIONS})`);
  // As Deno counts: every key, and of what is written key and value besides.
  let total = 0, written = 0;
  for (const { key } of [...checks, ...mutations]) {
    if (key.length === 0) throw new TypeError("key cannot be empty");
    const bytes = encodeKey(key).length;
    if (bytes > MAX_KEY_BYTES) throw new TypeError(`Key too large for write (max ${MAX_KEY_BYTES} bytes)`);
    total += bytes;
  }
  for (const mutation of mutations) {
    if (mutation.type === "delete") continue;
    const bytes = mutation.type === "set" ? mutation.value.length : 8;
    if (bytes > MAX_VALUE_BYTES) throw new TypeError(`Value too large (max ${MAX_VALUE_BYTES} bytes)`);
    const keyBytes = encodeKey(mutation.key).length;
    written += keyBytes;
    total += keyBytes + bytes;
  }
  if (total > MAX_MUTATION_BYTES) {
    throw new TypeError(`Total mutation size too large (max ${MAX_MUTATION_BYTES} bytes)`);
  }
  if (written > MAX_TOTAL_KEY_BYTES) throw new TypeError(`Total key size too large (max ${MAX_TOTAL_KEY_BYTES} bytes)`);
}
