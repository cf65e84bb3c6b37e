/**
 * Group commit: while one atomic operation is in flight, the next one collects what all calls want to commit, up to what
 * KV takes. One commit costs about a millisecond, so a thousand calls must not pay it one by one.
 *
 * KV as it is: a remote one resends by itself after a lost answer and then reports our own commit as a conflict, and a
 * call that ran into its deadline may still have been carried out. So every operation names a proof, a value that nobody
 * else can have written; where the answer is "conflict" or none, the proof is read back, and if it is there, it was us.
 *
 * @module
 */
import { ConnectError } from "@connectrpc/connect";
import { unavailable } from "../../errors.ts";
import { KV_MAX_ATOMIC_BYTES, KV_MAX_CHECKS, KV_MAX_KEY_BYTES, KV_MAX_MUTATIONS } from "../../limits.ts";
import type { Mutation } from "../types.ts";
import type { Check, KvClient } from "./kv.ts";
import { commitMetrics as metrics, type Outcome } from "./metrics.ts";

/** Changes that happen together or not at all. */
export interface Operation {
  /** At least one: a commit without a check may be applied twice. */
  readonly checks: readonly Check[];
  readonly mutations: readonly Mutation[];
  /** One of the mutations, whose value is unique to this operation. */
  readonly proof: { readonly key: Deno.KvKey; readonly value: Uint8Array };
}

/** A check did not hold: somebody else has moved what it names. */
export class ConflictError extends Error {
  override name = "ConflictError";
}

/** An operation that waits for its commit. */
export interface Waiting {
  readonly operation: Operation;
  readonly bytes: number;
  readonly keyBytes: number;
  /** By Clock.elapsed. */
  readonly since: number;
  resolve(versionstamp: string): void;
  reject(error: unknown): void;
}

/** Bytes of a number that is added. */
const SUM_BYTES = 8;

export class Committer {
  #queue: Waiting[] = [];
  #busy = false;

  constructor(private readonly kv: KvClient) {}

  /**
   * Commits an operation, perhaps together with others. Returns its versionstamp. Throws ConflictError if a check does
   * not hold, UNAVAILABLE if KV does not answer; then the operation may still be carried out later.
   */
  commit(operation: Operation): Promise<string> {
    let bytes = 0;
    let keys = 0;
    for (const check of operation.checks) keys += keyBytes(check.key);
    for (const m of operation.mutations) {
      const size = keyBytes(m.key);
      keys += size;
      // KV counts the key of what it writes twice, once as a key.
      if (m.type !== "delete") bytes += size + (m.type === "set" ? m.value.length : SUM_BYTES);
    }
    bytes += keys;
    return new Promise((resolve, reject) => {
      const since = this.kv.clock.elapsed();
      this.#queue.push({ operation, bytes, keyBytes: keys, since, resolve, reject });
      if (!this.#busy) void this.#pump();
    });
  }

  async #pump(): Promise<void> {
    this.#busy = true;
    // What else is committed in this turn of the event loop joins the first group.
    await Promise.resolve();
    while (this.#queue.length > 0) await this.#run(this.#take());
    this.#busy = false;
  }

  /**
   * The longest run of waiting operations that fits one atomic; at least one. What an operation checks must not be written by
   * one before it: in one atomic both would hold, and the later would undo what the earlier did.
   */
  #take(): Waiting[] {
    let checks = 0, mutations = 0, bytes = 0, keys = 0, count = 0;
    const written = new Set<string>();
    for (const { operation, bytes: b, keyBytes: k } of this.#queue) {
      if (operation.checks.some(({ key }) => written.has(keyText(key)))) break;
      if (this.#queue.length > 1) {
        for (const { type, key } of operation.mutations) if (type !== "sum") written.add(keyText(key));
      }
      checks += operation.checks.length;
      mutations += operation.mutations.length;
      bytes += b;
      keys += k;
      const fits = checks <= KV_MAX_CHECKS && mutations <= KV_MAX_MUTATIONS && bytes <= KV_MAX_ATOMIC_BYTES &&
        keys <= KV_MAX_KEY_BYTES;
      if (!fits && count > 0) break;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  async #run(group: Waiting[]): Promise<void> {
    let versionstamp: string | undefined;
    try {
      versionstamp = await this.#atomic(group);
    } catch (error) {
      // One of them may be what KV does not take; the others are not to suffer for it.
      if (error instanceof TypeError && group.length > 1) return await this.#runEach(group);
      // Nobody is to wait in line for a store that does not answer.
      const behind = error instanceof ConnectError ? this.#queue.splice(0) : [];
      for (const waiting of behind) waiting.reject(error);
      await Promise.all(group.map((waiting) => this.settle(waiting, error)));
      return;
    }
    if (versionstamp !== undefined) {
      for (const waiting of group) waiting.resolve(versionstamp);
    } else if (group.length === 1) {
      await this.settle(group[0], new ConflictError("a check did not hold"));
    } else {
      // One of them lost.
      await this.#runEach(group);
    }
  }

  /** One atomic operation of KV, recorded. */
  async #atomic(group: readonly Waiting[]): Promise<string | undefined> {
    const checks = group.flatMap((w) => w.operation.checks);
    const mutations = group.flatMap((w) => w.operation.mutations);
    const began = this.kv.clock.elapsed();
    try {
      const versionstamp = await this.kv.atomic(checks, mutations);
      if (versionstamp === undefined) metrics.conflicts.add(1);
      else recordCommit(group, mutations.length, began);
      return versionstamp;
    } catch (error) {
      metrics.failures.add(1);
      throw error;
    } finally {
      metrics.duration.record((this.kv.clock.elapsed() - began) / 1000);
    }
  }

  /** Alone, each gets its own verdict. */
  async #runEach(group: readonly Waiting[]): Promise<void> {
    for (const waiting of group) await this.#run([waiting]);
  }

  /** Ends an operation whose outcome `error` leaves open, by looking for its proof. */
  protected async settle(waiting: Waiting, error: unknown): Promise<void> {
    const { proof } = waiting.operation;
    try {
      const entry = await this.kv.get(proof.key);
      const isThere = entry.value !== null && equalBytes(entry.value, proof.value);
      recordOutcome(isThere ? "committed" : "refused");
      if (isThere) waiting.resolve(entry.versionstamp);
      else waiting.reject(error);
    } catch (readError) {
      recordOutcome("unknown");
      waiting.reject(
        error instanceof ConnectError ? error : unavailable("Cannot tell whether a commit happened", readError),
      );
    }
  }
}

/** What went through at once, and how long each waited for `began`. */
function recordCommit(group: readonly Waiting[], mutations: number, began: number): void {
  metrics.operations.record(group.length);
  metrics.mutations.record(mutations);
  metrics.size.record(group.reduce((sum, { bytes }) => sum + bytes, 0));
  for (const { since } of group) metrics.wait.record((began - since) / 1000);
}

function recordOutcome(outcome: Outcome): void {
  metrics.settled.add(1, { outcome });
}

/** About how many bytes KV counts for a key: each part with a tag and a terminator. */
function keyBytes(key: Deno.KvKey): number {
  let bytes = 0;
  for (const part of key) {
    if (typeof part === "string") bytes += part.length + 2;
    else if (part instanceof Uint8Array) bytes += part.length + 2;
    else bytes += 10;
  }
  return bytes;
}

/** Tells keys apart. */
function keyText(key: Deno.KvKey): string {
  return JSON.stringify(
    key.map((part) => part instanceof Uint8Array ? [part.toHex()] : `${typeof part} ${String(part)}`),
  );
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
