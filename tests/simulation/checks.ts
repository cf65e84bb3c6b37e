/**
 * Compares what clients have sent with what is stored, item by item: raw, and through the stores as a reader sees it.
 *
 * @module
 */
import { DAY } from "../../limits.ts";
import { EVERY_ENTRY } from "../../store/log_condition.ts";
import type { Stores } from "../../store/open.ts";
import type { Content } from "./content.ts";
import type { Deletions } from "./deletions.ts";
import { type Items, logPart } from "./items.ts";
import { type StreamClient, TENANT } from "./stream_client.ts";

/** A client and the items of its stream. */
export interface Sent {
  readonly client: StreamClient;
  readonly items: Items<unknown>;
}

const never = new AbortController().signal;

/**
 * Every item of a finished stream must be there once, and of one that was refused those up to some place that is no
 * earlier than what was acknowledged; of one that was deleted none; and nothing else.
 */
export function checkParts(sent: readonly Sent[], { parts }: Content, deletions: Deletions): string[] {
  const found: string[] = [];
  const left = new Map(parts);
  for (const { client, items } of sent) {
    if (deletions.acknowledged.has(items.name)) {
      if (deletions.mayLinger) { for (const part of items.expected(items.count)) left.delete(part); }
      continue;
    }
    const { id } = client.sending;
    const count = client.outcome === "finished" ? items.count : storedCount(client, items, parts);
    const wrong: string[] = [];
    for (const part of items.expected(count)) {
      const times = left.get(part) ?? 0;
      if (times !== 1) wrong.push(`${JSON.stringify(part)} is there ${times} times`);
      left.delete(part);
    }
    if (wrong.length > 0) {
      found.push(`stream ${id}: ${wrong.length} of ${count} items: ${wrong.slice(0, 3).join("; ")}`);
    }
  }
  if (left.size > 0) {
    found.push(`${left.size} items nobody sent, or not so far: ${JSON.stringify([...left.keys()].slice(0, 3))}`);
  }
  return found;
}

/** How many items of an unfinished stream are there, going by the last one of them. */
function storedCount(client: StreamClient, items: Items<unknown>, parts: ReadonlyMap<string, number>): number {
  for (let count = client.sent; count > client.acknowledged; count--) {
    const last = items.fates[count - 1] === "kept" ? items.expected(count).at(-1) : undefined;
    if (last !== undefined && parts.has(last)) return count;
  }
  return client.acknowledged;
}

/** The same through queries and searches, which know the segments' rollups, indexes and filters. */
export async function checkQueries(
  sent: readonly Sent[],
  content: Content,
  stores: Stores,
  now: number,
  deletions: Deletions,
): Promise<string[]> {
  const found: string[] = [];
  /** What must not be found, as it was deleted before this question. */
  const gone = new Set(deletions.acknowledged);
  const isOpen = (name: string) => deletions.begun.has(name) && !gone.has(name);
  const range = { from: 0, to: now + 30 * DAY };
  const samples = new Map<string, number>();
  for (const [part, times] of content.parts) {
    const [source, metric] = part.split(" ");
    if (metric.startsWith("m")) samples.set(source, (samples.get(source) ?? 0) + times);
  }
  for (const { items: { name } } of sent) {
    const query = { ...range, source: name, tags: [], step: 0, quantiles: [] };
    const { series, damaged } = await stores.points.query(TENANT, query, never);
    const count = series.reduce((sum, { buckets }) => sum + buckets.reduce((s, bucket) => s + bucket.count, 0), 0);
    const expected = gone.has(name) ? 0 : samples.get(name) ?? 0;
    if (damaged > 0 || count !== expected && !(isOpen(name) && count === 0)) {
      found.push(`a query for ${name} finds ${count} samples of ${expected}, and ${damaged} damaged segments`);
    }
  }
  const seen = new Map<string, number>();
  const search = { ...range, where: EVERY_ENTRY, newestFirst: true, limit: 500 };
  let after: { timestamp: number; id: string } | undefined;
  for (;;) {
    const { hits, more, damaged } = await stores.logs.search(TENANT, { ...search, after }, never);
    if (damaged > 0) found.push(`a search finds ${damaged} damaged segments`);
    for (const { application, timestamp, message, fields } of hits) {
      const part = logPart(application, timestamp, message, fields[0]?.[1]);
      seen.set(part, (seen.get(part) ?? 0) + 1);
    }
    after = hits.at(-1);
    if (!more || !after) break;
  }
  for (const [part, times] of content.parts) {
    if (/^\S+ m\d /.test(part)) continue;
    const [name] = part.split(" ");
    if (isOpen(name)) continue;
    if (seen.get(part) !== (gone.has(name) ? undefined : times)) {
      found.push(`a search finds ${JSON.stringify(part)} ${seen.get(part) ?? 0} times`);
    }
  }
  return found;
}
