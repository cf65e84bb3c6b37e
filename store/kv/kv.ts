/**
 * Deno KV with a deadline on every call. A remote KV waits without end for a dead server and a local one for a locked
 * file; here each becomes UNAVAILABLE, and `healthy` turns false until a call succeeds again.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import { unavailable } from "../../errors.ts";
import { KV_LIST_BATCH, KV_TIMEOUT_MS } from "../../limits.ts";
import type { Mutation } from "../types.ts";

/** The part of Deno.Kv that the stores use. */
export type Kv = Pick<Deno.Kv, "get" | "getMany" | "list" | "atomic">;

export type Entry = Deno.KvEntry<Uint8Array>;
export type MaybeEntry = Deno.KvEntryMaybe<Uint8Array>;

/** What must still be so for a commit to happen. */
export interface Check {
  readonly key: Deno.KvKey;
  /** null: the key must not exist. */
  readonly versionstamp: string | null;
}

export class KvClient {
  #healthy = true;

  constructor(readonly kv: Kv, readonly clock: Clock) {}

  /** Whether the last call that ended was answered. */
  get healthy(): boolean {
    return this.#healthy;
  }

  get(key: Deno.KvKey): Promise<MaybeEntry> {
    return this.#call("read", () => this.kv.get<Uint8Array>(key));
  }

  getMany(keys: readonly Deno.KvKey[]): Promise<MaybeEntry[]> {
    return this.#call("read", () => this.kv.getMany<Uint8Array[]>(keys));
  }

  /** One atomic operation. Returns its versionstamp, or undefined if a check failed. */
  async atomic(checks: readonly Check[], mutations: readonly Mutation[]): Promise<string | undefined> {
    const operation = this.kv.atomic();
    for (const check of checks) operation.check(check);
    for (const m of mutations) {
      if (m.type === "set") operation.set(m.key, m.value);
      else operation.delete(m.key);
    }
    const result = await this.#call("commit", () => operation.commit());
    return result.ok ? result.versionstamp : undefined;
  }

  /** Entries in runs of up to `batch`, each read under a deadline of its own. */
  async *pages(
    selector: Deno.KvListSelector,
    options: { reverse?: boolean; batch?: number } = {},
  ): AsyncGenerator<readonly Entry[]> {
    const batch = options.batch ?? KV_LIST_BATCH;
    const iterator = this.kv.list<Uint8Array>(selector, { reverse: options.reverse, batchSize: batch });
    for (;;) {
      const page: Entry[] = [];
      const done = await this.#call("list", async () => {
        while (page.length < batch) {
          const next = await iterator.next();
          if (next.done) return true;
          page.push(next.value);
        }
        return false;
      });
      if (page.length > 0) yield page;
      if (done) return;
    }
  }

  async #call<T>(what: string, fn: () => Promise<T>): Promise<T> {
    let cancel = () => {};
    const timeout = new Promise<never>((_, reject) => {
      cancel = this.clock.setTimer(
        KV_TIMEOUT_MS,
        () => reject(unavailable(`Cannot ${what}: the key-value store has not answered for ${KV_TIMEOUT_MS} ms`)),
      );
    });
    try {
      const result = await Promise.race([fn(), timeout]);
      this.#healthy = true;
      return result;
    } catch (error) {
      // A TypeError is our own: a key or value that KV does not take.
      if (error instanceof TypeError) throw error;
      this.#healthy = false;
      throw unavailable(`Cannot ${what}: the key-value store failed`, error);
    } finally {
      cancel();
    }
  }
}
