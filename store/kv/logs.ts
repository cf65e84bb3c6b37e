/**
 * Logs: what calls write is grouped, packed into a segment and a small index value for each tenant and hour, and
 * committed.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { ulid } from "ulid";
import type { Clock } from "../../clock.ts";
import { FLUSH_ITEMS, GROUP_BYTES, GROUP_HOURS, HOUR } from "../../limits.ts";
import { packLogSegments } from "../format/log_segment.ts";
import { encodeValue, FORMAT } from "../format/value.ts";
import type { FreeSpace } from "../free_space.ts";
import type { LogRecord, LogStore, Mutation } from "../types.ts";
import type { Committer } from "./committer.ts";
import { type Contribution, Grouping, Pending } from "./grouping.ts";
import { segmentKey } from "./keys.ts";
import type { KvClient } from "./kv.ts";
import { searchLogs } from "./log_search.ts";

/** What an entry takes beside its text. */
const ENTRY_BYTES = 32;

export interface LogStoreOptions {
  readonly kv: KvClient;
  readonly committer: Committer;
  readonly space: FreeSpace;
  readonly clock: Clock;
  /** How long entries are kept, ms. */
  readonly retention: number;
}

interface LogRun extends Contribution {
  readonly tenant: string;
  readonly records: readonly LogRecord[];
}

export function createLogStore(options: LogStoreOptions): LogStore {
  const grouping = new Grouping<LogRun>({ clock: options.clock, commit: (group) => commitLogs(options, group) });
  return {
    writer(tenant) {
      const pending = new Pending();
      return {
        async write(records) {
          await options.space.ensure();
          for (const run of cutRuns(records)) grouping.add({ ...run, tenant, settle: pending.begin() });
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
  };
}

/** Cuts entries so that each run fits one commit: by entries, bytes and hours, whichever comes first. */
function* cutRuns(records: readonly LogRecord[]) {
  const hours = new Set<number>();
  let first = 0, bytes = 0;
  const run = (end: number) => ({
    records: records.slice(first, end),
    items: end - first,
    bytes,
    hours: hours.size,
    newSeries: 0,
  });
  for (let i = 0; i < records.length; i++) {
    const hour = Math.floor(records[i].timestamp / HOUR);
    const size = recordBytes(records[i]);
    const full = i - first === FLUSH_ITEMS || bytes + size > GROUP_BYTES ||
      (hours.size === GROUP_HOURS && !hours.has(hour));
    if (full && i > first) {
      yield run(i);
      first = i;
      bytes = 0;
      hours.clear();
    }
    bytes += size;
    hours.add(hour);
  }
  if (records.length > first) yield run(records.length);
}

/** About how many bytes an entry takes. */
function recordBytes({ application, message, fields }: LogRecord): number {
  let bytes = ENTRY_BYTES + Buffer.byteLength(application) + Buffer.byteLength(message);
  for (const [key, value] of fields) bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  return bytes;
}

async function commitLogs(options: LogStoreOptions, group: readonly LogRun[]): Promise<void> {
  await options.space.ensure(group.reduce((sum, { bytes }) => sum + bytes, 0));
  const mutations: Mutation[] = [];
  for (const [tenant, hours] of collect(group)) {
    for (const [hour, records] of hours) {
      const origin = ulid(options.clock.now());
      const expires = (hour + 1) * HOUR + options.retention;
      for (const { segment, index } of packLogSegments(records, origin)) {
        const id = ulid(options.clock.now());
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
  }
  await options.committer.commitNew(mutations);
}

/** The entries of a group by tenant and hour. */
function collect(group: readonly LogRun[]): Map<string, Map<number, LogRecord[]>> {
  const tenants = new Map<string, Map<number, LogRecord[]>>();
  for (const { tenant, records } of group) {
    let hours = tenants.get(tenant);
    if (!hours) tenants.set(tenant, hours = new Map());
    for (const record of records) {
      const hour = Math.floor(record.timestamp / HOUR);
      const list = hours.get(hour);
      if (list) list.push(record);
      else hours.set(hour, [record]);
    }
  }
  return tenants;
}
