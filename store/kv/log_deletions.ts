/**
 * Deletions of logs, for entries that wait in memory: no answer may have any of what is deleted once the deletion is
 * answered, on whichever instance that is.
 *
 * @module
 */
import { type ActiveDeletion, type ActiveDeletions, loadDeletions, newerThan, NO_DELETIONS } from "./deletions.ts";
import { latestDeletionKey } from "./keys.ts";
import type { KvClient } from "./kv.ts";

export class LogDeletions {
  #known: ActiveDeletions | undefined;
  #reading: Promise<void> | undefined;

  /** @param onNew There are more than before. */
  constructor(
    private readonly kv: KvClient,
    private readonly tenant: string,
    private readonly onNew: () => void,
  ) {}

  /** Resolves when all that were answered before this was called are known. UNAVAILABLE if KV does not answer. */
  refresh(): Promise<void> {
    // One read for all who ask in a turn of the event loop: it has not begun.
    return this.#reading ??= Promise.resolve().then(() => {
      this.#reading = undefined;
      return this.#read();
    });
  }

  /** Those that are known and hold for what was committed in this version. */
  newerThan(versionstamp: string): readonly ActiveDeletion[] {
    return newerThan(this.#known?.list ?? NO_DELETIONS, versionstamp);
  }

  async #read(): Promise<void> {
    const { versionstamp } = await this.kv.get(latestDeletionKey("logs", this.tenant));
    if (versionstamp === (this.#known?.check.versionstamp ?? null)) return;
    this.#known = await loadDeletions(this.kv, "logs", this.tenant);
    this.onNew();
  }
}
