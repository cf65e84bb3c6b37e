/**
 * One who follows logs, and what waits for him. Who is slow loses what does not fit, and is told how much. What is deleted
 * while it waits does not come.
 *
 * @module
 */
import { TAIL_MESSAGE_ENTRIES, TAIL_QUEUE_BYTES } from "../../limits.ts";
import { type LogMatcher, logMatcher } from "../format/log_match.ts";
import type { LogRow } from "../format/log_row.ts";
import type { LogCondition } from "../log_condition.ts";
import type { LogTail, StoredLog, TailedLogs } from "../log_types.ts";
import { coversLog } from "./deletions.ts";
import type { LogDeletions } from "./log_deletions.ts";

/** What an entry takes in a queue beside its texts. */
const ENTRY_BYTES = 200;

interface Queued {
  readonly entry: StoredLog;
  /** Of its commit. */
  readonly versionstamp: string;
  readonly bytes: number;
}

export class Follower implements LogTail {
  readonly #isMet: LogMatcher;
  #queue: Queued[] = [];
  /** What the next answer has, if nothing of it is deleted. */
  #answer: Queued[] = [];
  /** Of both. */
  #bytes = 0;
  #missed = 0;
  #failure: { readonly error: unknown } | undefined;
  #wake = () => {};

  constructor(
    where: LogCondition,
    private readonly deletions: LogDeletions,
    private readonly onClose: () => void,
  ) {
    this.#isMet = logMatcher(where);
  }

  /** Takes of a commit what was asked for. */
  push(rows: readonly LogRow[], versionstamp: string): void {
    for (const row of rows) {
      if (!this.#isMet(row)) continue;
      const entry = row.copy();
      const bytes = sizeOf(entry);
      if (this.#bytes + bytes > TAIL_QUEUE_BYTES) {
        this.#missed++;
        continue;
      }
      this.#bytes += bytes;
      this.#queue.push({ entry, versionstamp, bytes });
    }
    this.wake();
  }

  /** Lets go of what is deleted. */
  dropDeleted(): void {
    const isKept = ({ entry, versionstamp, bytes }: Queued) => {
      if (!coversLog(this.deletions.newerThan(versionstamp), entry)) return true;
      this.#bytes -= bytes;
      return false;
    };
    this.#queue = this.#queue.filter(isKept);
    this.#answer = this.#answer.filter(isKept);
  }

  /** KV answers, and there may be something. */
  wake(): void {
    this.#wake();
  }

  /** Something is missing from here on; and nobody looks any more whether what waits is deleted. */
  fail(error: unknown): void {
    this.#failure = { error };
    this.#queue = [];
    this.#answer = [];
    this.#wake();
  }

  async next(signal: AbortSignal): Promise<TailedLogs> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#answer.length === 0) this.#answer = this.#queue.splice(0, TAIL_MESSAGE_ENTRIES);
      if (this.#answer.length > 0 || this.#missed > 0) {
        // If that is not known, the looks find out too, and fail if it goes on.
        const isKnown = await this.deletions.refresh().then(() => true, () => false);
        if (this.#failure !== undefined) continue;
        if (isKnown && (this.#answer.length > 0 || this.#missed > 0)) return this.#take();
        if (isKnown && this.#queue.length > 0) continue;
      }
      await this.#woken(signal);
    }
  }

  close(): void {
    this.onClose();
  }

  #take(): TailedLogs {
    const tailed = { entries: this.#answer.map(({ entry }) => entry), missed: this.#missed };
    for (const { bytes } of this.#answer) this.#bytes -= bytes;
    this.#answer = [];
    this.#missed = 0;
    return tailed;
  }

  async #woken(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#wake = () => {
        signal.removeEventListener("abort", this.#wake);
        resolve();
      };
      signal.addEventListener("abort", this.#wake);
    });
  }
}

function sizeOf({ message, fields }: StoredLog): number {
  return fields.reduce((sum, [name, value]) => sum + name.length + value.length, ENTRY_BYTES + message.length) * 2;
}
