/**
 * TailLogs: entries as they are committed, on whichever instance.
 *
 * Every commit of logs leaves an entry in its tenant's journal, which lives for a minute. While somebody follows a tenant's
 * logs, an instance reads the journal twice a second, opens the segments that are new to it, once for all who follow, and gives
 * each what it asked for. What is new is told by the names of entries, not by their times: commits become visible in another
 * order than they began in, and clocks differ.
 *
 * A follower that is slow loses what does not fit its queue, and is told how much.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import { overloaded, unavailable } from "../../errors.ts";
import { MAX_TAILS, TAIL_LOOKBACK_MS, TAIL_POLL_MS, TAIL_QUEUE_BYTES } from "../../limits.ts";
import { decodeJournal } from "../format/log_journal.ts";
import { type LogMatcher, logMatcher } from "../format/log_match.ts";
import { decodeLogSegment } from "../format/log_reader.ts";
import type { LogRow } from "../format/log_row.ts";
import { FORMAT } from "../format/value.ts";
import type { LogCondition } from "../log_condition.ts";
import type { LogTail, StoredLog, TailedLogs } from "../log_types.ts";
import { journalKey, journalPrefix, segmentKey } from "./keys.ts";
import type { KvClient } from "./kv.ts";
import { openValue } from "./records.ts";

export interface LogTailsOptions {
  readonly kv: KvClient;
  readonly clock: Clock;
}

/** What an entry takes in a queue beside its texts. */
const ENTRY_BYTES = 200;

/** All followers of an instance. */
export class LogTails {
  readonly #tenants = new Map<string, TenantTail>();
  #count = 0;

  constructor(private readonly options: LogTailsOptions) {}

  /** Follows a tenant's logs from now on. RESOURCE_EXHAUSTED if too many do. */
  async follow(tenant: string, where: LogCondition): Promise<LogTail> {
    if (this.#count >= MAX_TAILS) throw overloaded(`Cannot follow logs: ${MAX_TAILS} calls do already`);
    this.#count++;
    let shared = this.#tenants.get(tenant);
    if (shared === undefined) this.#tenants.set(tenant, shared = new TenantTail(tenant, this.options));
    const follower = new Follower(where, () => {
      this.#count--;
      if (shared.remove(follower)) this.#tenants.delete(tenant);
    });
    shared.add(follower);
    try {
      await shared.ready;
    } catch (error) {
      follower.close();
      throw error;
    }
    return follower;
  }

  /** Something of the tenant was committed here: nobody has to wait for the next look. */
  committed(tenant: string): void {
    this.#tenants.get(tenant)?.lookSoon();
  }
}

/** Those who follow one tenant's logs. */
class TenantTail {
  /** Resolves when what is committed from now on will be seen. */
  readonly ready: Promise<void>;
  readonly #followers = new Set<Follower>();
  /** Journal entries of the last look. */
  #seen = new Set<string>();
  #lookedAt = 0;
  #cancelTimer = () => {};
  #looking = false;
  #lookAgain = false;
  #ended = false;

  constructor(private readonly tenant: string, private readonly options: LogTailsOptions) {
    this.ready = this.#begin();
    // Whoever waits is told.
    this.ready.catch(() => {});
  }

  add(follower: Follower): void {
    this.#followers.add(follower);
  }

  /** Whether nobody is left. */
  remove(follower: Follower): boolean {
    this.#followers.delete(follower);
    if (this.#followers.size > 0) return false;
    this.#ended = true;
    this.#cancelTimer();
    return true;
  }

  lookSoon(): void {
    this.#lookAgain = true;
    if (!this.#looking) this.#schedule(0);
  }

  async #begin(): Promise<void> {
    this.#lookedAt = this.options.clock.elapsed();
    this.#seen = new Set((await this.#journal()).keys());
    this.#schedule(TAIL_POLL_MS);
  }

  #schedule(ms: number): void {
    this.#cancelTimer();
    if (!this.#ended) this.#cancelTimer = this.options.clock.setTimer(ms, () => void this.#look());
  }

  async #look(): Promise<void> {
    this.#looking = true;
    this.#lookAgain = false;
    const began = this.options.clock.elapsed();
    try {
      if (this.#isBehind()) throw unavailable("Cannot follow the logs any more: they come faster than they are read");
      const journal = await this.#journal();
      for (const [id, segments] of journal) {
        if (this.#seen.has(id)) continue;
        await this.#deliver(segments);
        // Should the next one fail, this one is not to come twice.
        this.#seen.add(id);
      }
      this.#seen = new Set(journal.keys());
      this.#lookedAt = began;
    } catch (error) {
      // The next look finds what this one did not, up to when nobody can tell what came and went.
      if (this.#isBehind()) {
        for (const follower of this.#followers) follower.fail(error);
      }
    }
    this.#looking = false;
    this.#schedule(this.#lookAgain ? 0 : TAIL_POLL_MS);
  }

  /** Whether a look does not reach back to the one before. */
  #isBehind(): boolean {
    return this.options.clock.elapsed() - this.#lookedAt > TAIL_LOOKBACK_MS;
  }

  /** The journal's entries of late. */
  async #journal(): Promise<Map<string, ReturnType<typeof decodeJournal>>> {
    const { kv, clock } = this.options;
    const found = new Map<string, ReturnType<typeof decodeJournal>>();
    const selector = {
      prefix: journalPrefix(this.tenant),
      start: journalKey(this.tenant, Math.max(0, clock.now() - TAIL_LOOKBACK_MS), ""),
    };
    for await (const page of kv.pages(selector)) {
      for (const entry of page) {
        const segments = kv.decodeOrSkip(entry, () => {
          const payload = openValue(FORMAT.logJournal, 0, entry.value);
          return payload && decodeJournal(payload);
        });
        if (segments) found.set(entry.key[3] as string, segments);
      }
    }
    return found;
  }

  async #deliver(segments: ReturnType<typeof decodeJournal>): Promise<void> {
    const { kv, clock } = this.options;
    const committed: LogRow[] = [];
    for (const { hour, id } of segments) {
      const entry = await kv.get(segmentKey("logs", this.tenant, hour, id));
      // One that is damaged is reported by whoever reads it.
      const entries = kv.decodeOrSkip(entry, () => {
        const payload = openValue(FORMAT.logSegment, clock.now(), entry.value);
        return payload && decodeLogSegment(payload);
      });
      if (entries) committed.push(...entries);
    }
    // All of a commit, or nothing of it.
    for (const follower of this.#followers) follower.push(committed);
  }
}

/** One who follows, and what waits for him. */
class Follower implements LogTail {
  readonly #isMet: LogMatcher;
  #queue: StoredLog[] = [];
  #bytes = 0;
  #missed = 0;
  #failure: { readonly error: unknown } | undefined;
  #wake = () => {};

  constructor(where: LogCondition, private readonly onClose: () => void) {
    this.#isMet = logMatcher(where);
  }

  push(entries: readonly LogRow[]): void {
    for (const row of entries) {
      if (!this.#isMet(row)) continue;
      const entry = row.copy();
      const bytes = sizeOf(entry);
      if (this.#bytes + bytes > TAIL_QUEUE_BYTES) {
        this.#missed++;
        continue;
      }
      this.#bytes += bytes;
      this.#queue.push(entry);
    }
    if (this.#queue.length > 0 || this.#missed > 0) this.#wake();
  }

  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake();
  }

  async next(signal: AbortSignal): Promise<TailedLogs> {
    while (this.#queue.length === 0 && this.#missed === 0) {
      signal.throwIfAborted();
      if (this.#failure !== undefined) throw this.#failure.error;
      await new Promise<void>((resolve) => {
        this.#wake = () => {
          signal.removeEventListener("abort", this.#wake);
          resolve();
        };
        signal.addEventListener("abort", this.#wake);
      });
    }
    const tailed = { entries: this.#queue, missed: this.#missed };
    this.#queue = [];
    this.#bytes = this.#missed = 0;
    return tailed;
  }

  close(): void {
    this.onClose();
  }
}

function sizeOf({ message, fields }: StoredLog): number {
  return fields.reduce((sum, [name, value]) => sum + name.length + value.length, ENTRY_BYTES + message.length) * 2;
}
