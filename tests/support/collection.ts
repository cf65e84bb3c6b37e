/**
 * The services that serve streams, over stores of their own or over those of another instance.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import type { DataPointSchema } from "../../gen/sluice/v1/data_collection_pb.ts";
import { StreamKind, StreamStatusSchema } from "../../gen/sluice/v1/stream_pb.ts";
import { DAY } from "../../limits.ts";
import { createDataCollectionService } from "../../services/data_collection.ts";
import { parseLogRules } from "../../services/log_rules.ts";
import { createStreamService } from "../../services/streams.ts";
import type { StreamCall } from "../../store/stream_types.ts";
import { FakeClock } from "./fake_clock.ts";
import { decodedLogs } from "./logs.ts";
import { decodedPoints } from "./points.ts";
import { NEVER, openTestStores, type TestStoresOptions } from "./stores.ts";

export type Point = MessageInitShape<typeof DataPointSchema>;
export type Store = Awaited<ReturnType<typeof openTestStores>>;

export const clock = new FakeClock();
export const begin = clock.now();
/** Point `i` of a stream; each is one of its own. */
export const point = (i: number, x = i): Point => ({
  source: "s",
  timestamp: BigInt(begin - i),
  metrics: { x },
  tags: { a: "b" },
});
export const points = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => point(from + i));

export function createInstance(stores: Store) {
  const { points, logs, streams } = stores;
  const logRules = parseLogRules('[{"action":"drop","level":"DEBUG"}]');
  const collection = createDataCollectionService({ points, logs, streams, clock, retention: 7 * DAY, logRules });
  const service = createStreamService({ streams, clock });
  const context = { tenant: "t", signal: NEVER };
  return {
    stores,
    service,
    /** One call that sends batches of points. */
    send(id: string, batches: readonly (readonly Point[])[], options: Partial<StreamCall> = {}, signal = NEVER) {
      const stream = { id, beganAt: clock.now(), start: 0, end: undefined, ...options };
      async function* decoded() {
        for (const batch of batches) yield decodedPoints(batch);
      }
      return collection.collectDataPoints(decoded(), { tenant: "t", signal, stream });
    },
    sendLogs(id: string, levels: readonly string[], options: Partial<StreamCall> = {}) {
      const stream = { id, beganAt: clock.now(), start: 0, end: undefined, ...options };
      async function* decoded() {
        yield decodedLogs(
          levels.map((level, i) => ({ application: "a", level, timestamp: BigInt(begin), message: `${i} ${level}` })),
        );
      }
      return collection.collectLogs(decoded(), { ...context, stream });
    },
    /** A call that stays open: what is pushed is sent. */
    call(id: string, options: Partial<StreamCall> = {}, signal = NEVER) {
      const pushed: PromiseWithResolvers<readonly Point[] | undefined>[] = [Promise.withResolvers()];
      async function* decoded() {
        for (let i = 0;; i++) {
          const batch = await pushed[i].promise;
          if (!batch) return;
          yield decodedPoints(batch);
        }
      }
      const stream = { id, beganAt: clock.now(), start: 0, end: undefined, ...options };
      const push = (batch?: readonly Point[]) => {
        const last = pushed.at(-1);
        pushed.push(Promise.withResolvers());
        last?.resolve(batch);
      };
      const receipt = collection.collectDataPoints(decoded(), { tenant: "t", signal, stream });
      receipt.catch(() => {});
      return { push, receipt };
    },
    async info(id: string, kind = StreamKind.POINTS) {
      const request = { kind, streamId: id } as Parameters<typeof service.getStream>[0];
      return (await service.getStream(request, context)).stream!;
    },
    /** Every stored value of metric x, sorted: what is stored twice stands here twice. */
    async values(): Promise<number[]> {
      const range = { from: begin - DAY, to: begin + DAY, step: 1, quantiles: [], tags: [], metric: "x" };
      const { series } = await stores.points.query("t", range, NEVER);
      return series.flatMap(({ buckets }) => buckets.flatMap(({ count, sum }) => Array(count).fill(sum / count)))
        .sort((a, b) => a - b);
    },
  };
}

export async function open(options: TestStoresOptions = {}) {
  const stores = await openTestStores({ clock, ...options });
  return { ...createInstance(stores), [Symbol.dispose]: () => stores[Symbol.dispose]() };
}

export const range = (n: number) => Array.from({ length: n }, (_, i) => i);
export const turn = () => new Promise<void>((resolve) => setTimeout(resolve));

export async function assertCode(code: Code, work: () => Promise<unknown>): Promise<ConnectError> {
  const error = await assertRejects(work, ConnectError);
  assertEquals(Code[error.code], Code[code], error.message);
  return error;
}

export function committedOf(error: ConnectError): number | undefined {
  const detail = error.details.find((d) => "desc" in d && d.desc === StreamStatusSchema);
  return detail && "desc" in detail ? Number((detail.value as { committed: bigint }).committed) : undefined;
}
