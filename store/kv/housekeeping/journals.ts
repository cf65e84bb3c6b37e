/**
 * Entries of the journals of logs that everybody who follows has seen, and of the list of deletions that are done.
 *
 * An entry of a journal may go once it is LOG_JOURNAL_MS old. Its own time does not tell, for the clock of the instance that
 * wrote it may be behind: it would go before anybody has seen it. So a round remembers a version of the lease, and when that
 * was: what has an older one is as old as the time that has passed since, whatever clocks do. The expiry, a day later, is for
 * instances that never live for so long.
 *
 * @module
 */
import { LOG_JOURNAL_MS } from "../../../limits.ts";
import { deletedPrefix, journalPrefix } from "../keys.ts";
import type { Entry } from "../kv.ts";
import { deletion, type Round } from "./round.ts";
import { tenantsOf } from "./walk.ts";

export class JournalSweep {
  /** A version, and a moment after its commit, by Clock.elapsed. */
  #mark: { readonly versionstamp: string; readonly since: number } | undefined;

  /** Returns how many entries it removed. */
  async sweep(round: Round): Promise<number> {
    const { kv, clock } = round.options;
    const { versionstamp } = round;
    const since = clock.elapsed();
    const mark = this.#mark ??= { versionstamp, since };
    const isDue = since - mark.since >= LOG_JOURNAL_MS;
    let removed = 0;
    for await (const tenant of tenantsOf(kv, ["logjournal"])) {
      for await (const page of kv.pages({ prefix: journalPrefix(tenant) })) {
        removed += await remove(
          round,
          page.filter((entry) => isDue && entry.versionstamp <= mark.versionstamp || round.isExpired(entry)),
        );
      }
    }
    if (isDue) this.#mark = { versionstamp, since };
    return removed + await removeDeleted(round);
  }
}

async function removeDeleted(round: Round): Promise<number> {
  const { kv } = round.options;
  let removed = 0;
  for await (const tenant of tenantsOf(kv, ["deleted"])) {
    for await (const page of kv.pages({ prefix: deletedPrefix(tenant) })) {
      const expired = page.filter((entry) => round.isExpired(entry));
      removed += await remove(round, expired);
      // In the order of time.
      if (expired.length < page.length) break;
    }
  }
  return removed;
}

async function remove(round: Round, entries: readonly Entry[]): Promise<number> {
  // No check but the lease's: an entry never changes.
  const isRemoved = entries.length > 0 && await round.atomic([], entries.map(deletion));
  await round.pace();
  return isRemoved ? entries.length : 0;
}
