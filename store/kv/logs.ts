/**
 * Logs: what calls write is grouped, packed into a segment and a small index value for each tenant and hour, and
 * committed.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Clock } from "../../clock.ts";
import { FLUSH_ITEMS, GROUP_BYTES, GROUP_HOURS, HOUR, LOG_JOURNAL_EXPIRY_MS } from "../../limits.ts";
import { joinLogs, type LogRange } from "../format/log_columns.ts";
import { encodeJournal, type JournalSegment } from "../format/log_journal.ts";
import { packLogSegments } from "../format/log_segment.ts";
import { encodeValue, FORMAT } from "../format/value.ts";
import type { FreeSpace } from "../free_space.ts";
import type { LogBatch, LogStore } from "../log_types.ts";
import type { Mutation } from "../types.ts";
import { BatchParts } from "./batch_parts.ts";
import type { Committer } from "./committer.ts";
import { commitGroup, type Packed } from "./group_commit.ts";
import { type Contribution, Grouping, Pending } from "./grouping.ts";
import { journalKey, segmentKey } from "./keys.ts";
import type { KvClient } from "./kv.ts";
import type { LogRuns } from "./compaction/logs.ts";
import { countLogs } from "./log_counts.ts";
import { searchLogs } from "./log_search.ts";
import { LogTails } from "./log_tail.ts";
import { StreamHandle } from "./stream_handle.ts";

/** What an entry takes beside its texts and names. */
const ENTRY_BYTES = 32;

export interface LogStoreOptions {
  readonly kv: KvClient;
  readonly committer: Committer;
  readonly space: FreeSpace;
  readonly clock: Clock;
  /** A ULID of this moment. */
  newId(): string;
  /** How long entries are kept, ms. */
  readonly retention: number;
  readonly runs: LogRuns;
  /** Entries that one question may read. Default: MAX_READ_ENTRIES. */
  readonly maxEntries?: number;
}

interface LogRun extends Contribution {
  readonly tenant: string;
  /** Each range is of one hour. */
  readonly ranges: readonly LogRange[];
}

export function createLogStore(options: LogStoreOptions): LogStore {
  const tails = new LogTails(options);
  const grouping = new Grouping<LogRun>({
    clock: options.clock,
    commit: (group, turn) =>
      commitGroup(options.committer, group, turn, (members) => packLogs(options, tails, members)),
  });
  return {
    writer(tenant, stream) {
      const pending = new Pending();
      const handle = stream && StreamHandle.of(stream);
      return {
        async write(batch, place) {
          pending.check();
          await options.space.ensure();
          const parts = handle && place && new BatchParts(handle, place, batch.timestamps.length);
          for (const { end, ...run } of cutRuns(batch)) {
            grouping.add({ ...run, tenant, part: parts?.until(end, run.bytes), settle: pending.begin() });
          }
          if (parts?.isLeft) {
            const nothing = { ranges: [], items: 1, bytes: 0, newSeries: 0, hours: 0 };
            grouping.add({ ...nothing, tenant, part: parts.until(0, 0), settle: pending.begin() });
          }
          await grouping.room();
          pending.check();
        },
        flush() {
          grouping.urge();
          return pending.settled();
        },
      };
    },
    search: (tenant, search, signal) => searchLogs(options, tenant, search, signal),
    tail: (tenant, where) => tails.follow(tenant, where),
    count: (tenant, counting, signal) => countLogs(options, tenant, counting, signal),
  };
}

/** Cuts a batch so that each run fits one commit: by entries, bytes and hours, whichever comes first. */
function* cutRuns(batch: LogBatch) {
  const { shapeOf, timestamps, firsts, ends } = batch;
  const nameBytes = batch.shapes.map(({ application, keys }) =>
    ENTRY_BYTES + keys.reduce((sum, key) => sum + Buffer.byteLength(key), Buffer.byteLength(application))
  );
  const count = timestamps.length;
  const hours = new Set<number>();
  let ranges: LogRange[] = [];
  let first = 0, bytes = 0, textsBefore = 0;
  /** Of the entries since `rangeFirst`. */
  let hour = NaN, rangeFirst = 0;
  const endRange = (end: number) => {
    if (end > rangeFirst) ranges.push({ batch, first: rangeFirst, end });
    rangeFirst = end;
  };
  const endRun = (end: number) => {
    endRange(end);
    return { ranges, end, items: end - first, bytes, hours: hours.size, newSeries: 0 };
  };
  for (let i = 0; i < count; i++) {
    const textsEnd = ends[(i + 1 < count ? firsts[i + 1] : ends.length) - 1];
    const size = nameBytes[shapeOf[i]] + textsEnd - textsBefore;
    textsBefore = textsEnd;
    const ownHour = Math.floor(timestamps[i] / HOUR);
    const full = i - first === FLUSH_ITEMS || bytes + size > GROUP_BYTES ||
      (hours.size === GROUP_HOURS && !hours.has(ownHour));
    if (full && i > first) {
      yield endRun(i);
      ranges = [];
      first = i;
      bytes = 0;
      hour = NaN;
      hours.clear();
    }
    if (ownHour !== hour) {
      endRange(i);
      hour = ownHour;
      hours.add(hour);
    }
    bytes += size;
  }
  if (count > first) yield endRun(count);
}

async function packLogs(options: LogStoreOptions, tails: LogTails, group: readonly LogRun[]): Promise<Packed> {
  await options.space.ensure(group.reduce((sum, { bytes }) => sum + bytes, 0));
  const mutations: Mutation[] = [];
  const now = options.clock.now();
  const tenants = collect(group);
  for (const [tenant, hours] of tenants) {
    const journal: JournalSegment[] = [];
    for (const [hour, ranges] of hours) {
      const origin = options.newId();
      const expires = (hour + 1) * HOUR + options.retention;
      for (const { segment, index } of packLogSegments(joinLogs(ranges), origin)) {
        const id = options.newId();
        journal.push({ hour, id });
        mutations.push(
          {
            type: "set",
            key: segmentKey("logs", tenant, hour, id),
            value: encodeValue(FORMAT.logSegment, expires, segment),
          },
          {
            type: "set",
            key: segmentKey("logindex", tenant, hour, id),
            value: encodeValue(FORMAT.logIndex, expires, index),
          },
        );
      }
    }
    mutations.push({
      type: "set",
      key: journalKey(tenant, now, options.newId()),
      value: encodeValue(FORMAT.logJournal, now + LOG_JOURNAL_EXPIRY_MS, encodeJournal(journal)),
    });
  }
  return { mutations, committed: () => tenants.forEach((_, tenant) => tails.committed(tenant)) };
}

/** The entries of a group by tenant and hour. */
function collect(group: readonly LogRun[]): Map<string, Map<number, LogRange[]>> {
  const tenants = new Map<string, Map<number, LogRange[]>>();
  for (const { tenant, ranges } of group) {
    let hours = tenants.get(tenant);
    if (!hours) tenants.set(tenant, hours = new Map());
    for (const range of ranges) {
      const hour = Math.floor(range.batch.timestamps[range.first] / HOUR);
      const list = hours.get(hour);
      if (list) list.push(range);
      else hours.set(hour, [range]);
    }
  }
  return tenants;
}
