/**
 * One who follows logs, and what waits for him. Who is slow loses what does not fit, and is told how much.
 *
 * @module
 */
import { TAIL_QUEUE_BYTES } from "../../limits.ts";
import { type LogMatcher, logMatcher } from "../format/log_match.ts";
import type { LogRow } from "../format/log_row.ts";
import type { LogCondition } from "../log_condition.ts";
import type { LogTail, StoredLog, TailedLogs } from "../log_types.ts";

/** What an entry takes in a queue beside its texts. */
const ENTRY_BYTES = 200;

export class Follower implements LogTail {
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

  /** Something is missing from here on. */
  fail(error: unknown): void {
    this.#failure = { error };
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
