/**
 * Points and log entries as the streams of a client.
 *
 * @module
 */
import { StreamKind } from "../../gen/sluice/v1/stream_pb.ts";
import { MAX_REJECTIONS } from "../../limits.ts";
import type { Incoming } from "./network.ts";
import type { Items, Logs, Points } from "./items.ts";
import type { World } from "./world.ts";
import { type Sending, TENANT } from "./stream_client.ts";
import type { StreamCall } from "../../store/stream_types.ts";

export function pointsSending(world: World, points: Points, id: string): Sending {
  return itemsSending(world, points, id, StreamKind.POINTS, async ({ open, signal }, stream, batches) => {
    const receipt = await open.collection.collectDataPoints(batches, { tenant: TENANT, signal, stream });
    return {
      committed: receipt.committed,
      counts: [receipt.successfulCount, receipt.errorCount, 0n],
      rejections: receipt.rejections?.map(({ index }) => index),
    };
  });
}

export function logsSending(world: World, logs: Logs, id: string): Sending {
  return itemsSending(world, logs, id, StreamKind.LOGS, async ({ open, signal }, stream, batches) => {
    const receipt = await open.collection.collectLogs(batches, { tenant: TENANT, signal, stream });
    return {
      committed: receipt.committed,
      counts: [receipt.indexedCount, receipt.errorCount, receipt.filteredCount],
      rejections: receipt.rejections?.map(({ index }) => index),
    };
  });
}

interface Receipt {
  readonly committed: bigint | undefined;
  /** Kept, rejected, filtered. */
  readonly counts: readonly (number | bigint | undefined)[];
  readonly rejections: readonly (bigint | undefined)[] | undefined;
}

function itemsSending<B>(
  world: World,
  items: Items<B>,
  id: string,
  kind: StreamKind,
  collect: (incoming: Incoming, stream: StreamCall, batches: AsyncIterable<B>) => Promise<Receipt>,
): Sending {
  const { random } = world;
  const rejected = items.fates.flatMap((fate, i) => fate === "rejected" ? [i] : []).slice(0, MAX_REJECTIONS);
  const show = (counts: Receipt["counts"], rejections: readonly unknown[]) =>
    `${counts.map(Number).join("+")} (${rejections.join(",")})`;
  return {
    kind,
    id,
    beganAt: world.scheduler.now,
    total: items.count,
    largest: 200,
    expected: show(["kept", "rejected", "filtered"].map((fate) => items.countOf(fate as "kept")), rejected),
    async send(incoming, stream, from, to) {
      const batches: B[] = [];
      for (let at = from; at < to;) {
        const next = Math.min(at + Math.ceil(64 ** random.next()), to);
        batches.push(items.batch(at, next));
        at = next;
      }
      const receipt = await collect(incoming, stream, incoming.receive(batches));
      const committed = Number(receipt.committed ?? 0n);
      return {
        committed,
        finished: committed === items.count && stream.end !== undefined,
        result: show(receipt.counts, receipt.rejections ?? []),
      };
    },
  };
}
