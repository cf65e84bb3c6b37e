/**
 * Entries of the journals of logs that everybody who follows has seen, and of the list of deletions that are done.
 *
 * @module
 */
import { deletedPrefix, journalPrefix } from "../keys.ts";
import { deletion, type Round } from "./round.ts";
import { tenantsOf } from "./walk.ts";

/** Returns how many it removed. */
export async function removeJournals(round: Round): Promise<number> {
  const { kv } = round.options;
  let removed = 0;
  for await (const prefix of prefixes(round)) {
    for await (const page of kv.pages({ prefix })) {
      const expired = page.filter((entry) => round.isExpired(entry));
      // No check but the lease's: an entry never changes.
      if (expired.length > 0 && await round.atomic([], expired.map(deletion))) removed += expired.length;
      await round.pace();
      // In the order of time.
      if (expired.length < page.length) break;
    }
  }
  return removed;
}

async function* prefixes({ options: { kv } }: Round): AsyncGenerator<Deno.KvKey> {
  for await (const tenant of tenantsOf(kv, ["logjournal"])) yield journalPrefix(tenant);
  for await (const tenant of tenantsOf(kv, ["deleted"])) yield deletedPrefix(tenant);
}
