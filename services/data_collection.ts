/**
 * DataCollectionService: points and log entries in. A bad item becomes a rejection and the stream goes on.
 *
 * @module
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Clock } from "../clock.ts";
import type {
  CollectionResultSchema,
  DataPoint,
  LogCollectionResultSchema,
  LogEntry,
} from "../gen/sluice/v1/data_collection_pb.ts";
import type { LogRecord, LogStore, PointStore } from "../store/types.ts";
import type { Call } from "./call.ts";
import { toLogRecord } from "./log_record.ts";
import { isKept, type LogRule } from "./log_rules.ts";
import { PointColumns } from "./point_columns.ts";
import { saturated, Tally } from "./tally.ts";
import { timeBounds } from "./time_bounds.ts";

export interface DataCollectionOptions {
  readonly points: PointStore;
  readonly logs: LogStore;
  readonly clock: Clock;
  /** How long points and logs are kept, ms. */
  readonly retention: number;
  readonly logRules: readonly LogRule[];
}

export type DataCollectionService = ReturnType<typeof createDataCollectionService>;

export function createDataCollectionService({ points, logs, clock, retention, logRules }: DataCollectionOptions) {
  return {
    /** Stores points; the receipt comes when all of them are durable. */
    async collectDataPoints(
      batches: AsyncIterable<readonly DataPoint[]>,
      call: Call,
    ): Promise<MessageInitShape<typeof CollectionResultSchema>> {
      const began = clock.now();
      const writer = points.writer(call.tenant);
      const tally = new Tally();
      for await (const batch of keeping(writer, batches, call)) {
        const columns = new PointColumns(timeBounds(clock.now(), retention));
        for (const point of batch) {
          const index = tally.total++;
          const fault = columns.add(index, point);
          if (fault) tally.reject(index, fault);
        }
        const refused = await writer.refused(columns.batch.series);
        const kept = columns.without(refused, (index, { metric }) =>
          tally.reject(index, {
            code: "RESOURCE_EXHAUSTED",
            field: `metrics[${metric}]`,
            reason: "is a new series, and there is no room for more of them",
          }));
        if (kept.ends.length > 0) await writer.write(kept);
      }
      await writer.flush();
      return {
        totalProcessed: saturated(tally.total),
        successfulCount: saturated(tally.total - tally.errorCount),
        errorCount: saturated(tally.errorCount),
        errors: tally.errors,
        processingTimeMs: BigInt(Math.max(Math.round(clock.now() - began), 0)),
        committed: BigInt(tally.total),
        rejections: tally.rejections,
      };
    },

    /** Stores log entries; the receipt comes when all of them are durable. */
    async collectLogs(
      batches: AsyncIterable<readonly LogEntry[]>,
      call: Call,
    ): Promise<MessageInitShape<typeof LogCollectionResultSchema>> {
      const writer = logs.writer(call.tenant);
      const tally = new Tally();
      let filtered = 0;
      for await (const batch of keeping(writer, batches, call)) {
        const bounds = timeBounds(clock.now(), retention);
        const kept: LogRecord[] = [];
        for (const entry of batch) {
          const index = tally.total++;
          const result = toLogRecord(entry, bounds);
          if ("fault" in result) tally.reject(index, result.fault);
          else if (isKept(logRules, result.record)) kept.push(result.record);
          else filtered++;
        }
        if (kept.length > 0) await writer.write(kept);
      }
      await writer.flush();
      return {
        totalReceived: saturated(tally.total),
        indexedCount: saturated(tally.total - tally.errorCount - filtered),
        status: tally.errorCount === 0 ? "completed" : "partial",
        filteredCount: BigInt(filtered),
        errorCount: BigInt(tally.errorCount),
        committed: BigInt(tally.total),
        rejections: tally.rejections,
      };
    },
  };
}

/** The batches of a call. If it breaks off, what has been written by then is kept, and stored without delay. */
async function* keeping<T>(
  writer: { flush(): Promise<void> },
  batches: AsyncIterable<readonly T[]>,
  call: Call,
): AsyncGenerator<readonly T[]> {
  try {
    for await (const batch of batches) {
      call.signal.throwIfAborted();
      yield batch;
    }
  } catch (error) {
    // The caller is to hear why the call broke off, not what became of that.
    await writer.flush().catch(() => {});
    throw error;
  }
}
