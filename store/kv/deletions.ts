/**
 * Deletions of points and logs. (Of a file, only what says that there was one: the file itself goes at once.)
 *
 * A deletion is a record, and holds for what KV holds in versions older than its own: versionstamps say, whatever clocks
 * do, what was committed before. Readers leave such items out. Compaction writes segments and runs again without them,
 * which makes those newer than the deletion; so whoever writes them again applies all deletions that there are, and checks
 * that none was added meanwhile. When nothing older is left that a deletion holds for, it is done.
 *
 * @module
 */
import type { Clock } from "../../clock.ts";
import { overLimit } from "../../errors.ts";
import { type DeletionRecord, DeletionRecordSchema } from "../../gen/sluice/store/v1/records_pb.ts";
import { DELETED_MS, MAX_DELETIONS } from "../../limits.ts";
import type { DeletedFile, DeletedItems, DeletionInfo, DeletionStore } from "../deletion_types.ts";
import { matches } from "../format/series.ts";
import { encodeValue, FORMAT } from "../format/value.ts";
import type { StoredLog } from "../log_types.ts";
import type { Mutation, Series } from "../types.ts";
import { type Committer, ConflictError } from "./committer.ts";
import { deletedKey, deletedPrefix, deletionKey, deletionsPrefix, latestDeletionKey, type RunKind } from "./keys.ts";
import type { Check, Entry, KvClient } from "./kv.ts";
import { decodeRecord, encodeRecord } from "./records.ts";

/** A deletion of which something may be left. */
export interface ActiveDeletion {
  readonly id: string;
  readonly items: DeletedItems;
  readonly record: DeletionRecord;
  readonly entry: Entry;
}

/** The deletions of a tenant of which something may be left. */
export interface ActiveDeletions {
  readonly list: readonly ActiveDeletion[];
  /** Holds for as long as no more are added. */
  readonly check: Check;
}

export const NO_DELETIONS: readonly ActiveDeletion[] = [];

export async function loadDeletions(kv: KvClient, kind: RunKind, tenant: string): Promise<ActiveDeletions> {
  // Before the list, so that the check fails for one that the list has not.
  const { key, versionstamp } = await kv.get(latestDeletionKey(kind, tenant));
  const list: ActiveDeletion[] = [];
  if (versionstamp !== null) {
    for await (const page of kv.pages({ prefix: deletionsPrefix(kind, tenant) })) {
      for (const entry of page) {
        // Without its condition nobody knows what to leave out: no answer is better than a wrong one.
        const record = decodeRecord(DeletionRecordSchema, FORMAT.deletion, 0, entry.value);
        if (record) list.push({ id: entry.key[3] as string, items: itemsOf(kind, record), record, entry });
      }
    }
  }
  return { list, check: { key, versionstamp } };
}

/** Those that hold for what KV has in this version. */
export function newerThan(list: readonly ActiveDeletion[], versionstamp: string): readonly ActiveDeletion[] {
  if (list.length === 0) return NO_DELETIONS;
  return list.filter(({ entry }) => entry.versionstamp! > versionstamp);
}

/** Those that hold for some of a series. */
export function ofSeries(list: readonly ActiveDeletion[], series: Series): readonly ActiveDeletion[] {
  if (list.length === 0) return NO_DELETIONS;
  return list.filter(({ items }) => items.kind === "points" && matches(series, items));
}

/** Whether nothing that is committed is outside of its times. */
export function isOfAllTime({ from, to }: DeletedItems): boolean {
  return from === 0 && to === Number.MAX_SAFE_INTEGER;
}

/** Whether any of these holds for a time. */
export function coversTime(list: readonly ActiveDeletion[], time: number): boolean {
  return list.some(({ items: { from, to } }) => time >= from && time < to);
}

/** The samples of a series that none of these holds for. */
export function withoutDeleted<S extends { readonly timestamps: Float64Array; readonly values: Float64Array }>(
  samples: S,
  list: readonly ActiveDeletion[],
): { readonly timestamps: Float64Array; readonly values: Float64Array } {
  const { timestamps, values } = samples;
  const kept = (_: number, i: number) => !coversTime(list, timestamps[i]);
  return { timestamps: timestamps.filter(kept), values: values.filter(kept) };
}

/** Whether any of these holds for an entry. */
export function coversLog(list: readonly ActiveDeletion[], { application, timestamp }: StoredLog): boolean {
  return list.some(({ items }) =>
    items.kind === "logs" && timestamp >= items.from && timestamp < items.to &&
    (items.application === undefined || items.application === application)
  );
}

/** Whether any of these may hold for something of these times. */
export function mayCover(list: readonly ActiveDeletion[], minTime: number, maxTime: number): boolean {
  return list.some(({ items: { from, to } }) => minTime < to && maxTime >= from);
}

export interface DeletionStoreOptions {
  readonly kv: KvClient;
  readonly committer: Committer;
  readonly clock: Clock;
  /** A ULID of this moment. */
  newId(): string;
}

export function createDeletionStore({ kv, committer, clock, newId }: DeletionStoreOptions): DeletionStore {
  return {
    async add(tenant, items) {
      const { kind } = items;
      for (;;) {
        const { list, check } = await loadDeletions(kv, kind, tenant);
        if (list.length >= MAX_DELETIONS) {
          throw overLimit(
            `At most ${MAX_DELETIONS} deletions of ${kind} can be under way: try again once some are done`,
          );
        }
        const id = newId();
        const createdAt = clock.now();
        const key = deletionKey(kind, tenant, id);
        const value = encodeRecord(DeletionRecordSchema, FORMAT.deletion, 0, {
          ...recordOf(items),
          createdAt: BigInt(createdAt),
        });
        const latest = encodeValue(FORMAT.deletions, 0, new TextEncoder().encode(id));
        try {
          await committer.commit({
            checks: [check],
            mutations: [{ type: "set", key, value }, { type: "set", key: check.key, value: latest }],
            proof: { key: check.key, value: latest },
          });
          return { id, items, createdAt, doneAt: 0 };
        } catch (error) {
          // Somebody else has added one.
          if (!(error instanceof ConflictError)) throw error;
        }
      }
    },

    async list(tenant, limit, before) {
      const found: DeletionInfo[] = [];
      for (
        const [kind, prefix] of [["points", deletionsPrefix("points", tenant)], [
          "logs",
          deletionsPrefix("logs", tenant),
        ], [
          undefined,
          deletedPrefix(tenant),
        ]] as const
      ) {
        const selector = before === undefined ? { prefix } : { prefix, end: [...prefix, before] };
        let count = 0;
        pages: for await (const page of kv.pages(selector, { reverse: true })) {
          for (const entry of page) {
            const record = kv.decodeOrSkip(
              entry,
              () => decodeRecord(DeletionRecordSchema, FORMAT.deletion, clock.now(), entry.value),
            );
            if (record) {
              const items = kind === undefined ? doneItems(record) : itemsOf(kind, record);
              found.push(infoOf(entry.key.at(-1) as string, items, record));
            }
            if (++count === limit) break pages;
          }
        }
      }
      // One that was done between the looks was seen twice.
      const once = new Map(found.map((deletion) => [deletion.id, deletion]));
      return [...once.values()].sort((a, b) => a.id < b.id ? 1 : -1).slice(0, limit);
    },
  };
}

function recordOf(items: DeletedItems) {
  const range = { from: BigInt(items.from), to: BigInt(items.to) };
  if (items.kind === "logs") return { ...range, application: items.application ?? "", isLogs: true };
  const { source = "", metric = "", tags } = items;
  return { ...range, source, metric, tags: Object.fromEntries(tags), isLogs: false };
}

/** What says, for {@linkcode DELETED_MS}, that a file was deleted: it belongs into the atomic that does so. */
export function fileDeletion(tenant: string, id: string, { size, ...file }: DeletedFile, now: number): Mutation {
  const value = encodeRecord(DeletionRecordSchema, FORMAT.deletion, now + DELETED_MS, {
    file: { ...file, size: BigInt(size) },
    createdAt: BigInt(now),
    doneAt: BigInt(now),
  });
  return { type: "set", key: deletedKey(tenant, id), value };
}

/** Of a deletion that is done. */
function doneItems(record: DeletionRecord): DeletedItems | DeletedFile {
  const { file, isLogs } = record;
  if (file === undefined) return itemsOf(isLogs ? "logs" : "points", record);
  const { id, name, size, sha256 } = file;
  return { kind: "file", id, name, size: Number(size), sha256 };
}

function itemsOf(kind: RunKind, { source, metric, tags, application, from, to }: DeletionRecord): DeletedItems {
  const range = { from: Number(from), to: Number(to) };
  if (kind === "logs") return { kind, ...range, ...application !== "" && { application } };
  return {
    kind,
    ...range,
    ...source !== "" && { source },
    ...metric !== "" && { metric },
    tags: Object.entries(tags),
  };
}

function infoOf(
  id: string,
  items: DeletionInfo["items"],
  { createdAt, doneAt }: DeletionRecord,
): DeletionInfo {
  return { id, items, createdAt: Number(createdAt), doneAt: Number(doneAt) };
}
