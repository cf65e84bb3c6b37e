/**
 * StreamService: how far streams are, for clients that go on with them and for people who watch.
 *
 * @module
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Clock, pause } from "../clock.ts";
import { invalidArgument, notFound } from "../errors.ts";
import {
  type GetStreamRequest,
  type GetStreamResponseSchema,
  type ListStreamsRequest,
  type ListStreamsResponseSchema,
  type StreamInfoSchema,
  StreamKind,
  type StreamProgressSchema,
  StreamState,
  type WatchStreamsRequest,
  type WatchStreamsResponseSchema,
} from "../gen/sluice/v1/stream_pb.ts";
import { MAX_WATCHED_STREAMS, MIN_WATCH_STREAMS_MS, WATCH_STREAMS_MS, WATCHED_MS } from "../limits.ts";
import type { StreamInfo, StreamKind as Kind, StreamStore } from "../store/stream_types.ts";
import type { Call } from "./call.ts";
import { pageSize } from "./paging.ts";
import { logsReceipt, pointsReceipt, uploadReceipt } from "./receipts.ts";
import { parseStreamId } from "./stream_id.ts";
import { quoted } from "./text.ts";

export interface StreamServiceOptions {
  readonly streams: StreamStore;
  readonly clock: Clock;
}

export type StreamService = ReturnType<typeof createStreamService>;

const KINDS = { [StreamKind.FILE]: "file", [StreamKind.POINTS]: "points", [StreamKind.LOGS]: "logs" } as const;
const KIND_VALUES = { file: StreamKind.FILE, points: StreamKind.POINTS, logs: StreamKind.LOGS } as const;
const STATES = { open: StreamState.OPEN, finished: StreamState.FINISHED, expired: StreamState.EXPIRED } as const;

/** A stream in a watch, and when it was looked at. */
interface Look {
  readonly info: StreamInfo;
  /** ms since the epoch. */
  readonly at: number;
}

export function createStreamService({ streams, clock }: StreamServiceOptions) {
  async function find(kind: Kind, id: string, call: Call): Promise<StreamInfo> {
    parseStreamId(id, "stream_id");
    const info = await streams.get(call.tenant, kind, id);
    if (!info) throw notFound(`There is no stream ${quoted(id)}`);
    return info;
  }

  /** The unfinished streams that have moved of late. */
  async function moving(kinds: readonly Kind[], call: Call): Promise<StreamInfo[]> {
    const found: StreamInfo[] = [];
    const since = clock.now() - WATCHED_MS;
    for (const kind of kinds) {
      let after: string | undefined;
      do {
        const page = await streams.list(call.tenant, kind, { open: true, limit: MAX_WATCHED_STREAMS, after });
        found.push(...page.streams.filter(({ updatedAt }) => updatedAt >= since));
        after = page.next;
        call.signal.throwIfAborted();
      } while (after !== undefined && found.length < MAX_WATCHED_STREAMS);
    }
    return found.slice(0, MAX_WATCHED_STREAMS);
  }

  return {
    async getStream(request: GetStreamRequest, call: Call): Promise<MessageInitShape<typeof GetStreamResponseSchema>> {
      return { stream: streamMessage(await find(kindOf(request.kind), request.streamId, call)) };
    },

    async listStreams(
      request: ListStreamsRequest,
      call: Call,
    ): Promise<MessageInitShape<typeof ListStreamsResponseSchema>> {
      const limit = pageSize(request.pageSize);
      const after = request.pageToken || undefined;
      if (after !== undefined) parseStreamId(after, "page_token");
      const page = await streams.list(call.tenant, kindOf(request.kind), { open: request.open, limit, after });
      return { streams: page.streams.map(streamMessage), nextPageToken: page.next ?? "" };
    },

    async *watchStreams(
      request: WatchStreamsRequest,
      call: Call,
    ): AsyncGenerator<MessageInitShape<typeof WatchStreamsResponseSchema>> {
      const interval = request.intervalMs || WATCH_STREAMS_MS;
      if (interval < MIN_WATCH_STREAMS_MS) {
        throw invalidArgument("interval_ms", `must be at least ${MIN_WATCH_STREAMS_MS}: current value is ${interval}`);
      }
      const { streamId } = request;
      const isOne = streamId !== "";
      const kinds = isOne || request.kind !== StreamKind.UNSPECIFIED
        ? [kindOf(request.kind)]
        : (["file", "points", "logs"] as const);
      let before = new Map<string, Look>();
      for (;;) {
        const infos = isOne ? [await find(kinds[0], streamId, call)] : await moving(kinds, call);
        const looks = new Map(infos.map((info) => [`${info.kind}/${info.id}`, { info, at: clock.now() }]));
        yield { streams: Array.from(looks, ([key, look]) => progress(look, before.get(key))) };
        if (isOne && infos[0].state !== "open") return;
        before = looks;
        await pause(clock, interval, call.signal);
      }
    },
  };
}

function kindOf(kind: StreamKind): Kind {
  const known: Kind | undefined = KINDS[kind as keyof typeof KINDS];
  if (known === undefined) throw invalidArgument("kind", "must be that of a stream");
  return known;
}

function progress({ info, at }: Look, before: Look | undefined): MessageInitShape<typeof StreamProgressSchema> {
  const seconds = before ? (at - before.at) / 1000 : 0;
  const rate = (now: number, then: number) => seconds > 0 ? Math.max(now - then, 0) / seconds : 0;
  return {
    stream: streamMessage(info),
    itemsPerSecond: rate(info.committed, before?.info.committed ?? 0),
    bytesPerSecond: rate(info.bytes, before?.info.bytes ?? 0),
  };
}

function streamMessage(info: StreamInfo): MessageInitShape<typeof StreamInfoSchema> {
  return {
    kind: KIND_VALUES[info.kind],
    streamId: info.id,
    state: STATES[info.state],
    committed: BigInt(info.committed),
    end: info.end === undefined ? undefined : BigInt(info.end),
    epoch: BigInt(info.epoch),
    createdAt: BigInt(info.createdAt),
    updatedAt: BigInt(info.updatedAt),
    fileName: info.file?.name ?? "",
    result: resultOf(info),
  };
}

function resultOf(info: StreamInfo): MessageInitShape<typeof StreamInfoSchema>["result"] {
  if (info.kind === "points") return { case: "points", value: pointsReceipt(info, 0) };
  if (info.kind === "logs") return { case: "logs", value: logsReceipt(info) };
  return info.file && info.state === "finished" ? { case: "upload", value: uploadReceipt(info.file) } : undefined;
}
