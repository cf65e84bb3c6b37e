/**
 * Deno KV with a deadline on every call. A remote KV waits without end for a dead server and a local one for a locked
 * file; here each becomes UNAVAILABLE.
 *
 * @module
 */
import { Code, ConnectError } from "@connectrpc/connect";
import type { Clock } from "../../clock.ts";
import { unavailable } from "../../errors.ts";
import { KV_LIST_BATCH, KV_LOCK_RETRY_MS, KV_TIMEOUT_MS } from "../../limits.ts";
import { DamagedError } from "../format/value.ts";
import type { Mutation } from "../types.ts";
import { schemaKey } from "./keys.ts";

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
  /** Whether the last commit that ended was answered. */
  #commits = true;

  constructor(
    readonly kv: Kv,
    readonly clock: Clock,
    /** Told of values that could not be read. */
    private readonly onDamage: (key: string, error: unknown) => void = () => {},
    /** From 0 (inclusive) up to 1 (exclusive). */
    private readonly random: () => number = Math.random,
  ) {}

  /**
   * Decodes one of many values. What is damaged is reported and passed over: it must not take what stands beside it out of
   * reach. Asked for by itself, it is DATA_LOSS.
   */
  decodeOrSkip<T>({ key }: { readonly key: Deno.KvKey }, decode: () => T): T | undefined {
    try {
      return decode();
    } catch (error) {
      const damaged = error instanceof DamagedError || (error instanceof ConnectError && error.code === Code.DataLoss);
      if (!damaged) throw error;
      this.reportDamage(key, error);
      return undefined;
    }
  }

  /** Tells whoever watches that what stands under a key, or what that names, is damaged. */
  reportDamage(key: Deno.KvKey, error: unknown): void {
    this.onDamage(key.map((part) => part instanceof Uint8Array ? part.toHex() : String(part)).join("/"), error);
  }

  /** Resolves if KV answers reads and, where a commit has failed, a commit: of nothing, for none may come by itself. */
  async ensure(): Promise<void> {
    await this.get(schemaKey);
    if (!this.#commits) await this.atomic([], []);
  }

  get(key: Deno.KvKey): Promise<MaybeEntry> {
    return this.#call("read", () => this.kv.get<Uint8Array>(key));
  }

  /**
   * What stands under at most KV_MAX_READS keys, at one moment: a local KV and denokv read them in one transaction, and
   * Deno documents a snapshot read for every KV.
   */
  getMany(keys: readonly Deno.KvKey[]): Promise<readonly MaybeEntry[]> {
    return this.#call("read", () => this.kv.getMany<Uint8Array[]>([...keys]));
  }

  /** One atomic operation. Returns its versionstamp, or undefined if a check failed. */
  async atomic(checks: readonly Check[], mutations: readonly Mutation[]): Promise<string | undefined> {
    const operation = this.kv.atomic();
    for (const check of checks) operation.check(check);
    for (const m of mutations) {
      if (m.type === "set") operation.set(m.key, m.value);
      else if (m.type === "sum") operation.sum(m.key, m.value);
      else operation.delete(m.key);
    }
    const result = await this.#call("commit", (signal) => this.#whileLocked(() => operation.commit(), signal));
    this.#commits = true;
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

  /** Tries again while another worker or process holds the write lock of a local store, which refuses a commit with checks at once. */
  async #whileLocked<T>(fn: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (;;) {
      try {
        return await fn();
      } catch (error) {
        if (!isLocked(error) || signal.aborted) throw error;
        const pause = this.random() * KV_LOCK_RETRY_MS;
        await new Promise<void>((resolve) => this.clock.setTimer(pause, resolve));
      }
    }
  }

  async #call<T>(what: string, fn: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const ended = new AbortController();
    let cancel = () => {};
    const timeout = new Promise<never>((_, reject) => {
      cancel = this.clock.setTimer(
        KV_TIMEOUT_MS,
        () => reject(unavailable(`Cannot ${what}: the key-value store has not answered for ${KV_TIMEOUT_MS} ms`)),
      );
    });
    try {
      return await Promise.race([fn(ended.signal), timeout]);
    } catch (error) {
      if (isRefusal(error)) throw error;
      if (what === "commit") this.#commits = false;
      throw unavailable(`Cannot ${what}: the key-value store failed`, error);
    } finally {
      ended.abort();
      cancel();
    }
  }
}

/** Whether KV does not take a key, a value or an operation: a mistake of ours. All that SQLite says is a TypeError too. */
function isRefusal(error: unknown): boolean {
  return error instanceof TypeError && /too (large|many)|expected/i.test(error.message);
}

function isLocked(error: unknown): boolean {
  return error instanceof Error && error.message.includes("database is locked");
}
