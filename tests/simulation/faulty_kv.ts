/**
 * A KV whose atomic operations are other than they should be.
 *
 * @module
 */
import type { Kv } from "../../store/kv/kv.ts";

export type OpenKv = Kv & { close(): void };

export interface AtomicParts {
  check(check: Deno.AtomicCheck): void;
  set(key: Deno.KvKey, value: unknown): void;
  sum(key: Deno.KvKey, n: bigint): void;
  delete(key: Deno.KvKey): void;
  commit(): Promise<Deno.KvCommitResult | Deno.KvCommitError>;
}

/** A KV with other atomic operations. */
export function withAtomic(kv: OpenKv, atomic: () => AtomicParts): OpenKv {
  return {
    get: (key) => kv.get(key),
    getMany: (keys) => kv.getMany(keys),
    list: (selector, options) => kv.list(selector, options),
    close: () => kv.close(),
    atomic() {
      const parts = atomic();
      const operation = {
        check(...checks: Deno.AtomicCheck[]) {
          for (const check of checks) parts.check(check);
          return operation;
        },
        set: (key: Deno.KvKey, value: unknown) => (parts.set(key, value), operation),
        sum: (key: Deno.KvKey, n: bigint) => (parts.sum(key, n), operation),
        delete: (key: Deno.KvKey) => (parts.delete(key), operation),
        commit: () => parts.commit(),
      };
      return operation as unknown as Deno.AtomicOperation;
    },
  };
}
