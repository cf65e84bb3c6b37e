/**
 * DataCollectionService: points and log entries in. A bad item becomes a rejection and the stream goes on.
 *
 * @module
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Clock } from "../clock.ts";
import type { DecodedLogs } from "../decode/logs.ts";
import { type DecodedPoints, skipPoints } from "../decode/points.ts";
import type { CollectionResultSchema, LogCollectionResultSchema } from "../gen/sluice/v1/data_collection_pb.ts";
import { BREAK_FLUSH_MS } from "../limits.ts";
import { joinLogs } from "../store/format/log_columns.ts";
import type { BatchPlace, Stream, StreamKind, StreamStore } from "../store/stream_types.ts";
import type { LogBatch, LogStore, LogWriter } from "../store/log_types.ts";
import type { PointBatch, PointStore, PointWriter } from "../store/types.ts";
import { type Call, orAborted } from "./call.ts";
import { hashFirstLog, hashFirstPoint } from "./first_item.ts";
import type { LogRule } from "./log_rules.ts";
import { LogValidator } from "./log_validator.ts";
import { PointColumns } from "./point_columns.ts";
import { type Counts, logsReceipt, pointsReceipt } from "./receipts.ts";
import { withCommitted } from "./stream_errors.ts";
import { type BatchKind, StreamIntake } from "./stream_intake.ts";
import { Refusals, Tally } from "./tally.ts";
import { timeBounds } from "./time_bounds.ts";

export interface DataCollectionOptions {
  readonly points: PointStore;
  readonly logs: LogStore;
  readonly streams: StreamStore;
  readonly clock: Clock;
  /** How long points and logs are kept, ms. */
  readonly retention: number;
  readonly logRules: readonly LogRule[];
}

export type DataCollectionService = ReturnType<typeof createDataCollectionService>;

const POINTS: BatchKind<DecodedPoints> = {
  count: ({ length }) => length,
  skip: skipPoints,
  hashFirst: hashFirstPoint,
};
const LOGS: BatchKind<DecodedLogs> = {
  count: ({ timestamps }) => timestamps.length,
  skip: (batch, count) => joinLogs([{ batch, first: count, end: batch.timestamps.length }]),
  hashFirst: hashFirstLog,
};

const NO_POINTS: PointBatch = {
  series: [],
  timestamps: new Float64Array(0),
  ends: new Int32Array(0),
  seriesOf: new Int32Array(0),
  values: new Float64Array(0),
};
const NO_LOGS: LogBatch = {
  shapes: [],
  shapeOf: new Int32Array(0),
  timestamps: new Float64Array(0),
  firsts: new Int32Array(0),
  texts: new Uint8Array(0),
  ends: new Int32Array(0),
  units: new Int32Array(0),
};

/** One call's work. */
interface Collection<B, W> {
  readonly streamKind: StreamKind;
  readonly kind: BatchKind<B>;
  writer(stream: Stream | undefined): W;
  /** Writes what is good of a batch whose first item has the sequence `first`; the tally counts the others. */
  write(writer: W, batch: B, first: number, tally: Tally): Promise<void>;
  /** Commits the end of a stream whose items are all durable. */
  writeEnd(writer: W, place: BatchPlace): Promise<void>;
}

export function createDataCollectionService(options: DataCollectionOptions) {
  const { points, logs, streams, clock, retention, logRules } = options;
  const validator = new LogValidator(logRules);

  /** Takes all batches of a call; returns the counts for its receipt when everything is durable. */
  async function collect<B, W extends { flush(): Promise<void> }>(
    batches: AsyncIterable<B>,
    call: Call,
    { streamKind, kind, writer: createWriter, write, writeEnd }: Collection<B, W>,
  ): Promise<Counts> {
    const intake = call.stream && await StreamIntake.open(streams, call, call.stream, streamKind, kind);
    const writer = createWriter(intake?.stream);
    const tally = new Tally();
    try {
      for await (const sent of batches) {
        call.signal.throwIfAborted();
        const accepted = intake ? await orAborted(call, intake.accept(sent)) : { batch: sent, first: tally.total };
        if (!accepted) continue;
        tally.total += kind.count(accepted.batch);
        await orAborted(call, write(writer, accepted.batch, accepted.first, tally));
      }
      if (intake && await orAborted(call, intake.isToBeFinished())) {
        const place = { first: intake.stream.info.committed, count: 0, kept: undefined, refused: [] };
        await orAborted(call, writeEnd(writer, place));
      }
      await orAborted(call, writer.flush());
    } catch (error) {
      // What has been written by then is kept, and stored without delay.
      const flushed = writer.flush().catch(() => {});
      intake?.stream.endWith(flushed);
      // Whoever goes on with the stream is to hear how far it is, but not to wait long for a store that does not answer.
      if (intake || !call.signal.aborted) await orElapsed(clock, BREAK_FLUSH_MS, flushed);
      throw intake ? withCommitted(error, intake.stream.info.committed) : error;
    }
    return intake?.stream.info ?? tally;
  }

  return {
    /** Stores points; the receipt comes when all of them are durable. */
    async collectDataPoints(
      batches: AsyncIterable<DecodedPoints>,
      call: Call,
    ): Promise<MessageInitShape<typeof CollectionResultSchema>> {
      const began = clock.now();
      const counts = await collect<DecodedPoints, PointWriter>(batches, call, {
        streamKind: "points",
        kind: POINTS,
        writer: (stream) => points.writer(call.tenant, stream),
        async write(writer, batch, first, tally) {
          const refusals = new Refusals(first);
          const columns = new PointColumns(batch, timeBounds(clock.now(), retention), refusals.add);
          const noRoom = await writer.refused(columns.batch.series);
          const { batch: good, kept } = columns.without(noRoom, (place, { metric }) =>
            refusals.add(place, {
              code: "RESOURCE_EXHAUSTED",
              field: `metrics[${metric}]`,
              reason: "is a new series, and there is no room for more of them",
            }));
          const refused = refusals.inOrder();
          tally.reject(refused);
          await writer.write(good, { first, count: batch.length, kept, refused });
        },
        writeEnd: (writer, place) => writer.write(NO_POINTS, place),
      });
      return pointsReceipt(counts, clock.now() - began);
    },

    /** Stores log entries; the receipt comes when all of them are durable. */
    async collectLogs(
      batches: AsyncIterable<DecodedLogs>,
      call: Call,
    ): Promise<MessageInitShape<typeof LogCollectionResultSchema>> {
      const counts = await collect<DecodedLogs, LogWriter>(batches, call, {
        streamKind: "logs",
        kind: LOGS,
        writer: (stream) => logs.writer(call.tenant, stream),
        async write(writer, batch, first, tally) {
          const refusals = new Refusals(first);
          const bounds = timeBounds(clock.now(), retention);
          const { batch: good, kept, filtered } = validator.validate(batch, bounds, refusals.add);
          const refused = refusals.inOrder();
          tally.reject(refused);
          tally.filtered += filtered;
          await writer.write(good, { first, count: batch.timestamps.length, kept, refused });
        },
        writeEnd: (writer, place) => writer.write(NO_LOGS, place),
      });
      return logsReceipt(counts);
    },
  };
}

/** Waits for `work`, but no longer than `ms`. */
async function orElapsed(clock: Clock, ms: number, work: Promise<void>): Promise<void> {
  let cancel = () => {};
  const elapsed = new Promise<void>((resolve) => cancel = clock.setTimer(ms, resolve));
  await Promise.race([work, elapsed]);
  cancel();
}
