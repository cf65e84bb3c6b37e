/**
 * DataCollectionService: points and log entries in. A bad item becomes a rejection and the stream goes on.
 *
 * @module
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Clock } from "../clock.ts";
import type { DecodedLogs } from "../decode/logs.ts";
import type { DecodedPoints } from "../decode/points.ts";
import type { CollectionResultSchema, LogCollectionResultSchema } from "../gen/sluice/v1/data_collection_pb.ts";
import type { LogStore, PointStore } from "../store/types.ts";
import { type Call, orAborted } from "./call.ts";
import type { LogRule } from "./log_rules.ts";
import { LogValidator } from "./log_validator.ts";
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
  const validator = new LogValidator(logRules);
  return {
    /** Stores points; the receipt comes when all of them are durable. */
    async collectDataPoints(
      batches: AsyncIterable<DecodedPoints>,
      call: Call,
    ): Promise<MessageInitShape<typeof CollectionResultSchema>> {
      const began = clock.now();
      const writer = points.writer(call.tenant);
      const tally = new Tally();
      for await (const batch of keeping(writer, batches, call)) {
        const first = tally.total;
        tally.total += batch.length;
        const bounds = timeBounds(clock.now(), retention);
        const columns = new PointColumns(batch, bounds, (i, fault) => tally.reject(first + i, fault));
        const refused = await orAborted(call, writer.refused(columns.batch.series));
        const kept = columns.without(refused, (i, { metric }) =>
          tally.reject(first + i, {
            code: "RESOURCE_EXHAUSTED",
            field: `metrics[${metric}]`,
            reason: "is a new series, and there is no room for more of them",
          }));
        if (kept.ends.length > 0) await orAborted(call, writer.write(kept));
      }
      await orAborted(call, writer.flush());
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
      batches: AsyncIterable<DecodedLogs>,
      call: Call,
    ): Promise<MessageInitShape<typeof LogCollectionResultSchema>> {
      const writer = logs.writer(call.tenant);
      const tally = new Tally();
      let filtered = 0;
      for await (const batch of keeping(writer, batches, call)) {
        const first = tally.total;
        tally.total += batch.timestamps.length;
        const bounds = timeBounds(clock.now(), retention);
        const valid = validator.validate(batch, bounds, (i, fault) => tally.reject(first + i, fault));
        filtered += valid.filtered;
        if (valid.kept) await orAborted(call, writer.write(valid.kept));
      }
      await orAborted(call, writer.flush());
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
  batches: AsyncIterable<T>,
  call: Call,
): AsyncGenerator<T> {
  try {
    for await (const batch of batches) {
      call.signal.throwIfAborted();
      yield batch;
    }
  } catch (error) {
    // The caller is to hear why the call broke off, not what became of that; and soon, however long the store takes.
    await orAborted(call, writer.flush()).catch(() => {});
    throw error;
  }
}
