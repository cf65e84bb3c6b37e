/**
 * Files, points and log entries as the streams of a resuming client.
 *
 * @module
 */
import { type LogInit, type PointInit, writeLog, writePoint } from "../../client/items.ts";
import { type OutgoingChunk, writeChunk } from "../../client/chunks.ts";
import type { Endpoint } from "./stream_call.ts";
import {
  type CollectionResult,
  DataCollectionService,
  type LogCollectionResult,
} from "../../gen/sluice/v1/data_collection_pb.ts";
import { FileUploadService, type UploadResult } from "../../gen/sluice/v1/file_upload_pb.ts";
import { StreamKind } from "../../gen/sluice/v1/stream_pb.ts";
import { KIB } from "../../limits.ts";
import { sha256 } from "./chunks.ts";
import { callStream, newStreamId, type Plan, type ResumingClient } from "./resuming_client.ts";

/** Items between two looks at the pace. */
const PACED_ITEMS = 50;

/** Items that can be made again. */
export interface Items<T> {
  readonly count: number;
  at(index: number): T;
}

/** A file whose bytes can be read again. */
export interface TestFile {
  readonly name: string;
  readonly size: number;
  /** Lower-case hex. */
  readonly sha256: string;
  /** From `start` up to `end`. */
  read(start: number, end: number): Uint8Array<ArrayBuffer>;
}

export function sendPoints(
  client: ResumingClient,
  points: Items<PointInit>,
  id: string = newStreamId(),
): Promise<CollectionResult> {
  return client.run(pointsPlan(client, points, id));
}

export function sendLogs(
  client: ResumingClient,
  entries: Items<LogInit>,
  id: string = newStreamId(),
): Promise<LogCollectionResult> {
  return client.run(logsPlan(client, entries, id));
}

export function uploadFile(client: ResumingClient, file: TestFile, settings?: UploadSettings): Promise<UploadResult> {
  return client.run(uploadPlan(client, file, settings));
}

export function pointsPlan(client: ResumingClient, points: Items<PointInit>, id: string): Plan<CollectionResult> {
  return itemsPlan(client, points, id, {
    kind: StreamKind.POINTS,
    send: (endpoint, headers, items, signal) =>
      callStream(endpoint, DataCollectionService.method.collectDataPoints, headers, {
        items,
        write: writePoint,
        signal,
      }),
    result: (info) => info.result.case === "points" ? info.result.value : undefined,
  });
}

export function logsPlan(client: ResumingClient, entries: Items<LogInit>, id: string): Plan<LogCollectionResult> {
  return itemsPlan(client, entries, id, {
    kind: StreamKind.LOGS,
    send: (endpoint, headers, items, signal) =>
      callStream(endpoint, DataCollectionService.method.collectLogs, headers, { items, write: writeLog, signal }),
    result: (info) => info.result.case === "logs" ? info.result.value : undefined,
  });
}

interface ItemsMethod<T, R> extends Pick<Plan<R>, "kind" | "result"> {
  send(
    endpoint: Endpoint,
    headers: Record<string, string>,
    items: AsyncIterable<T>,
    signal: AbortSignal,
  ): Promise<R>;
}

/** When the end is told: with every call, with the last items, or in a call of its own after them. */
type EndStyle = "always" | "with the last" | "alone";

function itemsPlan<T, R extends { committed: bigint }>(
  client: ResumingClient,
  source: Items<T>,
  id: string,
  { kind, send, result }: ItemsMethod<T, R>,
): Plan<R> {
  const { count } = source;
  const style = client.random.pick<EndStyle>(["always", "with the last", "with the last", "alone"]);
  let highest = 0;
  async function* window(from: number, to: number) {
    for (let i = from; i < to; i++) {
      if ((i - from) % PACED_ITEMS === 0) await client.pace();
      client.traffic.items++;
      if (i < highest) client.traffic.itemsAgain++;
      else highest = i + 1;
      yield source.at(i);
    }
  }
  return {
    kind,
    id,
    total: count,
    sent: () => highest,
    result,
    async call(endpoint, from, to, signal) {
      const headers: Record<string, string> = { "sluice-stream-id": id, "sluice-start": String(from) };
      const ends = to === count && (style !== "alone" || from === to);
      if (ends || style === "always") headers["sluice-end"] = String(count);
      const receipt = await send(endpoint, headers, window(from, to), signal);
      const committed = Number(receipt.committed);
      return { receipt, committed, finished: ends && committed === count };
    },
  };
}

export interface UploadSettings {
  readonly id?: string;
  /** Bytes of a chunk; each call takes another size up to this. */
  readonly chunkSize?: number;
}

/** How the server is told where the file ends. */
type SizeStyle = "size" | "last chunk" | "both";

/** A file, with or without its size and checksums. */
export function uploadPlan(client: ResumingClient, file: TestFile, settings: UploadSettings = {}): Plan<UploadResult> {
  const { id = newStreamId(), chunkSize = 64 * KIB } = settings;
  const { random, traffic } = client;
  const style = file.size === 0 ? "last chunk" : random.pick<SizeStyle>(["size", "last chunk", "both"]);
  const checksums = random.next() < 0.5;
  let highest = 0;

  async function* chunks(from: number, to: number): AsyncGenerator<OutgoingChunk> {
    const size = Math.ceil(chunkSize ** (0.5 + random.next() / 2));
    for (let offset = from; offset < to || offset === from; offset += size) {
      await client.pace();
      const end = Math.min(to, offset + size);
      const data = file.read(offset, end);
      // A file whose bytes are all there but which is not finished wants to be told so.
      const isLastChunk = end === file.size && (style !== "size" || from === to);
      traffic.bytes += data.length;
      traffic.bytesAgain += Math.max(0, Math.min(end, highest) - offset);
      highest = Math.max(highest, end);
      yield {
        fileName: offset === from ? file.name : "",
        contentType: "",
        data,
        offset,
        totalSize: style === "last chunk" ? 0 : file.size,
        isLastChunk,
        checksum: checksums ? sha256(data) : "",
        fileChecksum: checksums && isLastChunk ? file.sha256 : "",
      };
    }
  }
  return {
    kind: StreamKind.FILE,
    id,
    total: file.size,
    sent: () => highest,
    result: (info) => info.result.case === "upload" ? info.result.value : undefined,
    async call(endpoint, from, to, signal) {
      const receipt = await callStream(endpoint, FileUploadService.method.uploadFile, { "sluice-stream-id": id }, {
        items: chunks(from, to),
        write: writeChunk,
        signal,
      });
      return { receipt, committed: Number(receipt.committed), finished: receipt.fileId !== "" };
    },
  };
}
