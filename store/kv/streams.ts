/**
 * Streams: which of them a call may go on with, and what is known of them.
 *
 * A stream whose record is gone must never begin anew, whatever clocks do: its items would be stored twice. So whoever
 * deletes a record raises the tenant's floor to the time at which that stream began, in the same atomic, and an unknown
 * stream that began no later than the floor is refused.
 *
 * @module
 */
import { create } from "@bufbuild/protobuf";
import { failedPrecondition, invalidArgument, outOfRange, overLimit } from "../../errors.ts";
import { StreamRecordSchema, StreamRejectionsSchema } from "../../gen/sluice/store/v1/records_pb.ts";
import { KV_MAX_READS, MAX_STREAM_AHEAD_MS } from "../../limits.ts";
import { FORMAT } from "../format/value.ts";
import type { Stream, StreamCall, StreamInfo, StreamKind, StreamStore } from "../stream_types.ts";
import { Endings } from "./endings.ts";
import { openStreamsPrefix, rejectionsKey, streamCountKey, streamFloorKey, streamKey, streamsPrefix } from "./keys.ts";
import { decodeRecord } from "./records.ts";
import { readFloor } from "./stream_floor.ts";
import { StreamHandle, type StreamHandleOptions } from "./stream_handle.ts";
import { streamInfo, toRejections } from "./stream_record.ts";

export interface StreamStoreOptions extends StreamHandleOptions {
  /** Records that a tenant may have. */
  readonly maxStreams: number;
}

const NO_REJECTIONS = create(StreamRejectionsSchema, {});

export function createStreamStore(options: StreamStoreOptions): StreamStore {
  const { kv, streamLifetime, maxStreams } = options;
  const endings = new Endings(kv.clock);
  const context = { ...options, endings };

  async function open(tenant: string, kind: StreamKind, call: StreamCall): Promise<Stream> {
    const { id, beganAt, start, end } = call;
    await endings.wait(streamKey(tenant, kind, id));
    // One snapshot: a record that is not there because it has just been deleted has raised the floor.
    const [found, rejections, floor, count] = await kv.getMany([
      streamKey(tenant, kind, id),
      rejectionsKey(tenant, kind, id),
      streamFloorKey(tenant),
      streamCountKey(tenant),
    ]);
    const now = kv.clock.now();
    const name = { tenant, kind, id, beganAt };
    if (found.value === null) {
      assertMayBegin(call, now, Math.max(readFloor(floor), now - streamLifetime));
      if (readCount(count) >= maxStreams) {
        throw overLimit(`Cannot begin a stream: there are ${maxStreams} already, and the oldest go with time`);
      }
      return new StreamHandle(context, name, { floor, rejections: NO_REJECTIONS }, end);
    }
    const record = decodeRecord(StreamRecordSchema, FORMAT.stream, now, found.value);
    if (!record) throw tooOld(id);
    const info = streamInfo(kind, id, record, []);
    if (info.state === "expired") {
      throw failedPrecondition(`The stream ${JSON.stringify(id)} stood still for too long and was removed`);
    }
    if (start > info.committed) {
      throw outOfRange(
        "sluice-start",
        `must be at most ${info.committed}, which is what is committed: current value is ${start}`,
      );
    }
    if (end !== undefined && info.end !== undefined && end !== info.end) {
      throw invalidArgument("sluice-end", `must not change: it was ${info.end} and is ${end}`);
    }
    if (end !== undefined && end < info.committed) {
      throw invalidArgument("sluice-end", `must be at least ${info.committed}, which are committed: it is ${end}`);
    }
    return new StreamHandle(
      context,
      name,
      {
        record,
        versionstamp: found.versionstamp,
        rejections: decodeRecord(StreamRejectionsSchema, FORMAT.rejections, now, rejections.value) ?? NO_REJECTIONS,
      },
      end,
    );
  }

  async function get(tenant: string, kind: StreamKind, id: string): Promise<StreamInfo | undefined> {
    await endings.wait(streamKey(tenant, kind, id));
    const [found, rejections] = await kv.getMany([streamKey(tenant, kind, id), rejectionsKey(tenant, kind, id)]);
    const now = kv.clock.now();
    const record = decodeRecord(StreamRecordSchema, FORMAT.stream, now, found.value);
    const refused = decodeRecord(StreamRejectionsSchema, FORMAT.rejections, now, rejections.value) ?? NO_REJECTIONS;
    return record && streamInfo(kind, id, record, toRejections(refused));
  }

  return {
    open,
    get,
    async list(tenant, kind, { open, limit, after }) {
      const prefix = open ? openStreamsPrefix(tenant, kind) : streamsPrefix(tenant, kind);
      // Just behind the last one of the page before.
      const selector = after === undefined ? { prefix } : { prefix, start: [...prefix, `${after}\0`] };
      const streams: StreamInfo[] = [];
      for await (const page of kv.pages(selector)) {
        for (let i = 0; i < page.length; i += KV_MAX_READS) {
          const ids = page.slice(i, i + KV_MAX_READS).map(({ key }) => key[3] as string);
          const entries = open
            ? await kv.getMany(ids.map((id) => streamKey(tenant, kind, id)))
            : page.slice(i, i + KV_MAX_READS);
          for (const [j, entry] of entries.entries()) {
            const record = kv.decodeOrSkip(
              entry,
              () => decodeRecord(StreamRecordSchema, FORMAT.stream, kv.clock.now(), entry.value),
            );
            if (!record) continue;
            if (streams.length === limit) return { streams, next: streams[limit - 1].id };
            streams.push(streamInfo(kind, ids[j], record, []));
          }
        }
      }
      return { streams, next: undefined };
    },
  };
}

/** Throws unless a stream that is not known may be a new one; it must have begun after `floor`. */
function assertMayBegin({ id, beganAt, start }: StreamCall, now: number, floor: number): void {
  if (beganAt > now + MAX_STREAM_AHEAD_MS) {
    throw invalidArgument(
      "sluice-stream-id",
      `must not have begun more than ${MAX_STREAM_AHEAD_MS} ms ahead of the server's clock: it began ${
        beganAt - now
      } ms ahead`,
    );
  }
  if (beganAt <= floor) throw tooOld(id);
  if (start > 0) {
    throw failedPrecondition(
      `Cannot go on at item ${start}: the stream ${JSON.stringify(id)} is not known, or its record has expired`,
    );
  }
}

function tooOld(id: string) {
  return failedPrecondition(`The stream ${JSON.stringify(id)} is older than what is known of streams: begin a new one`);
}

/** A count that is kept as a sum; not a value of ours, for KV does the adding. */
function readCount(entry: Deno.KvEntryMaybe<unknown>): number {
  const { value } = entry;
  // Below zero is only what a store that was put together by hand may have.
  return value instanceof Deno.KvU64 && value.value < 2n ** 63n ? Number(value.value) : 0;
}
