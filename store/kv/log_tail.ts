/**
 * TailLogs: entries as they are committed, on whichever instance.
 *
 * Every commit of logs leaves an entry in its tenant's journal, which lives for a minute at least. While somebody follows a
 * tenant's logs, an instance looks at the journal twice a second, opens the segments that are new to it, once for all who
 * follow, and gives each what it asked for.
 *
 * What is new is told by the names of entries, not by their times: commits become visible in another order than they began
 * in, and clocks differ and jump. The keys of the journal have the order of the writers' clocks, so most looks read only its
 * end, from as far behind the newest key as anything new has been of late. What comes further behind, because a clock does
 * what none did before, is found by a look at all of the journal, every few seconds.
 *
 * A look that dies midway is none: what it has not given out, the next one finds. Where that is not so, because something
 * is damaged or no look has come through for too long, all who follow are told, with UNAVAILABLE.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import { overloaded, unavailable } from "../../errors.ts";
import {
  HOUR,
  MAX_TAILS,
  TAIL_LATE_MS,
  TAIL_MARGIN_MS,
  TAIL_POLL_MS,
  TAIL_REST_MS,
  TAIL_SWEEP_MS,
} from "../../limits.ts";
import { decodeJournal, type JournalSegment } from "../format/log_journal.ts";
import { decodeLogSegment } from "../format/log_reader.ts";
import type { LogRow } from "../format/log_row.ts";
import { FORMAT } from "../format/value.ts";
import type { LogCondition } from "../log_condition.ts";
import type { LogTail } from "../log_types.ts";
import { coversLog } from "./deletions.ts";
import { journalKey, journalPrefix, segmentKey } from "./keys.ts";
import type { Entry, KvClient } from "./kv.ts";
import { LogDeletions } from "./log_deletions.ts";
import { Follower } from "./log_follower.ts";
import { openValue } from "./records.ts";

export interface LogTailsOptions {
  readonly kv: KvClient;
  readonly clock: Clock;
  /** How long entries are kept, ms. */
  readonly retention: number;
}

type JournalKey = readonly [kind: string, tenant: string, at: number, name: string];

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
    if (shared === undefined) {
      shared = new TenantTail(tenant, this.options, () => this.#tenants.delete(tenant));
      this.#tenants.set(tenant, shared);
    }
    try {
      return await shared.join(where, () => this.#count--);
    } catch (error) {
      this.#count--;
      throw error;
    }
  }

  /** Something of the tenant was committed here: nobody has to wait for the next look. */
  committed(tenant: string): void {
    this.#tenants.get(tenant)?.lookSoon();
  }
}

/** Those who follow one tenant's logs. */
class TenantTail {
  readonly #followers = new Set<Follower>();
  readonly #deletions: LogDeletions;
  #joining = 0;
  #end: { readonly error: unknown } | undefined;

  /** Names of the journal's entries that need no second look. */
  #seen = new Set<string>();
  /** When the last look at all of the journal began, by Clock.elapsed. */
  #sweptAt: number | undefined;
  /** The latest time that a key of the journal has. */
  #newest = 0;
  /** How far behind that the keys were, at the most, of what was new between the last two looks at all, and since then. */
  #lag = 0;
  #nextLag = 0;

  /** The look that is under way, or was last. */
  #look: Promise<unknown> = Promise.resolve();
  /** The one after it. */
  #next: Promise<void> | undefined;
  #isLooking = false;
  #isAsked = false;
  #restsSince = -Infinity;
  #cancelTimer = () => {};

  constructor(
    private readonly tenant: string,
    private readonly options: LogTailsOptions,
    private readonly onEnd: () => void,
  ) {
    this.#deletions = new LogDeletions(options.kv, tenant, () => {
      for (const follower of this.#followers) follower.dropDeleted();
    });
  }

  /** Resolves when what is committed from then on will come. */
  async join(where: LogCondition, onClose: () => void): Promise<LogTail> {
    const follower = new Follower(where, this.#deletions, () => {
      this.#followers.delete(follower);
      this.#endIfAlone();
      onClose();
    });
    this.#joining++;
    try {
      // What was committed before is not for him.
      await this.#nextLook();
      this.#followers.add(follower);
      return follower;
    } finally {
      this.#joining--;
      this.#endIfAlone();
    }
  }

  lookSoon(): void {
    this.#isAsked = true;
    this.#schedule();
  }

  #endIfAlone(): void {
    if (this.#followers.size === 0 && this.#joining === 0) this.#endWith(undefined);
  }

  /** Nobody is told anything any more. */
  #endWith(error: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#cancelTimer();
    for (const follower of this.#followers) follower.fail(error);
    this.onEnd();
  }

  #schedule(): void {
    if (this.#isLooking || this.#end !== undefined) return;
    this.#cancelTimer();
    const { clock } = this.options;
    const due = this.#restsSince + (this.#isAsked ? TAIL_REST_MS : TAIL_POLL_MS);
    this.#cancelTimer = clock.setTimer(Math.max(0, due - clock.elapsed()), () => {
      // Whom it concerns is told by the look itself.
      this.#nextLook().catch(() => {});
    });
  }

  /** A look that begins after this was called. */
  #nextLook(): Promise<void> {
    return this.#next ??= this.#look.then(() => {
      this.#next = undefined;
      const look = this.#lookNow();
      this.#look = look.catch(() => {});
      return look;
    });
  }

  async #lookNow(): Promise<void> {
    if (this.#end !== undefined) throw this.#end.error;
    this.#cancelTimer();
    this.#isLooking = true;
    this.#isAsked = false;
    try {
      await this.#readJournal();
    } catch (error) {
      // The next look finds what this one did not, up to when nobody can tell what came and went.
      if (this.#isLate()) this.#endWith(error);
      throw error;
    } finally {
      this.#isLooking = false;
      this.#restsSince = this.options.clock.elapsed();
      this.#schedule();
    }
  }

  /** Whether the journal may have lost what nobody has seen. */
  #isLate(): boolean {
    return this.#sweptAt !== undefined && this.options.clock.elapsed() - this.#sweptAt > TAIL_LATE_MS;
  }

  async #readJournal(): Promise<void> {
    const began = this.options.clock.elapsed();
    const isSweep = this.#sweptAt === undefined || began - this.#sweptAt >= TAIL_SWEEP_MS;
    const { names, newest, fresh } = await this.#list(isSweep);
    if (isSweep && this.#isLate()) {
      throw unavailable(
        `Cannot follow the logs any more: for ${TAIL_LATE_MS} ms not all of them were looked at, and some may be missed`,
      );
    }
    // One that is done is on this list no more: by then, all that waits has long been looked through.
    await this.#deletions.refresh();
    for (const follower of this.#followers) follower.wake();
    // In the order in which they were committed.
    fresh.sort((a, b) => a.versionstamp < b.versionstamp ? -1 : 1);
    for (const entry of fresh) {
      const [, , at, name] = entry.key as JournalKey;
      if (this.#followers.size > 0) await this.#deliver(entry);
      // Should the next one fail, this one is not to come twice.
      this.#seen.add(name);
      this.#newest = Math.max(this.#newest, at);
      this.#nextLag = Math.max(this.#nextLag, this.#newest - at);
    }
    if (!isSweep) return;
    // What is not there any more does not come again.
    this.#seen = names;
    this.#newest = newest;
    this.#sweptAt = began;
    this.#lag = this.#nextLag;
    this.#nextLag = 0;
  }

  /** What the journal has, in all or of late: names, the latest time, and the entries that are new. */
  async #list(
    all: boolean,
  ): Promise<{ readonly names: Set<string>; readonly newest: number; readonly fresh: Entry[] }> {
    const prefix = journalPrefix(this.tenant);
    const from = this.#newest - Math.max(this.#lag, this.#nextLag) - TAIL_MARGIN_MS;
    const selector = all ? { prefix } : { prefix, start: journalKey(this.tenant, from, "") };
    const names = new Set<string>();
    const fresh: Entry[] = [];
    let newest = 0;
    for await (const page of this.options.kv.pages(selector)) {
      for (const entry of page) {
        const [, , at, name] = entry.key as JournalKey;
        newest = at;
        names.add(name);
        if (!this.#seen.has(name)) fresh.push(entry);
      }
    }
    return { names, newest, fresh };
  }

  async #deliver(commit: Entry): Promise<void> {
    const { kv } = this.options;
    const segments = kv.decodeOrSkip(commit, () => decodeJournal(openValue(FORMAT.logJournal, 0, commit.value)!));
    if (segments === undefined) throw this.#gap("the journal's entry of a commit is damaged");
    const rows: LogRow[] = [];
    for (const segment of segments) for (const row of await this.#open(segment)) rows.push(row);
    // At this moment: what waits is looked through again when there are more.
    const deletions = this.#deletions.newerThan(commit.versionstamp);
    const committed = rows.filter((row) => !coversLog(deletions, row));
    // All of a commit, or nothing of it.
    for (const follower of this.#followers) follower.push(committed, commit.versionstamp);
  }

  async #open({ hour, id }: JournalSegment): Promise<readonly LogRow[]> {
    const { kv, clock, retention } = this.options;
    // Nobody may see it, and housekeeping may have removed it.
    if ((hour + 1) * HOUR + retention <= clock.now()) return [];
    const entry = await kv.get(segmentKey("logs", this.tenant, hour, id));
    if (entry.value === null) throw this.#gap("a segment is missing, or was moved before it could be read");
    const rows = kv.decodeOrSkip(entry, () => decodeLogSegment(openValue(FORMAT.logSegment, 0, entry.value)!));
    if (rows === undefined) throw this.#gap("a segment is damaged");
    return rows;
  }

  /** Ends all this, for nobody knows what of it those who follow have asked for. */
  #gap(why: string): unknown {
    const error = unavailable(`Cannot follow the logs any more: ${why}. A search finds what is left of it`);
    this.#endWith(error);
    return error;
  }
}
