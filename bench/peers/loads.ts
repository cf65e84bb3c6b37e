/**
 * The loads: what every server is sent, the same bytes to each.
 *
 * @module
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { createHash } from "node:crypto";
import { DataPointSchema, LogEntrySchema } from "../../gen/sluice/v1/data_collection_pb.ts";
import { FileChunkSchema } from "../../gen/sluice/v1/file_upload_pb.ts";
import { KIB, MIB, SECOND } from "../../limits.ts";
import { Random } from "../../tests/store/format/random.ts";

/** What a load is of. `connect` is points too, over Connect on HTTP/1.1 instead of gRPC on HTTP/2. */
export const KINDS = ["points", "logs", "file", "one", "connect"] as const;
export type Kind = typeof KINDS[number];

export interface Load {
  readonly name: string;
  readonly kind: Kind;
  readonly title: string;
  /** Streams at once. */
  readonly streams: number;
  /** Connections that carry them. */
  readonly connections: number;
  /** Takes so long that a round is one wave of its streams, and rounds are fewer. */
  readonly heavy: boolean;
}

export const FILE_BYTES = 10 * MIB;
export const ITEMS = 10_000;
const CHUNK_BYTES = 32 * KIB;

const TITLES: Readonly<Record<Kind, string>> = {
  points: "10,000 data points a stream",
  logs: "10,000 log entries a stream",
  file: "A file of 10 MiB in chunks of 32 KiB",
  one: "One data point a stream",
  connect: "10,000 data points a stream, Connect over HTTP/1.1",
};
const STREAMS: Readonly<Record<Kind, readonly number[]>> = {
  points: [1, 16, 256],
  logs: [1, 16, 256],
  file: [1, 16],
  one: [1, 16, 256],
  connect: [16],
};

export const LOADS: readonly Load[] = KINDS.flatMap((kind) =>
  STREAMS[kind].map((streams) => ({
    name: `${kind}-${streams}`,
    kind,
    title: `${TITLES[kind]}, ${streams} at once`,
    streams,
    // Over HTTP/1.1 each stream has a connection of its own.
    connections: kind === "connect" ? streams : Math.sqrt(streams),
    heavy: streams === 256 && kind !== "one",
  }))
);

/** The items of a stream of this kind, and how they are counted: a file by MiB. */
export function amount(kind: Kind): { readonly count: number; readonly unit: string } {
  if (kind === "file") return { count: FILE_BYTES / MIB, unit: "MiB" };
  if (kind === "logs") return { count: ITEMS, unit: "entries" };
  return { count: kind === "one" ? 1 : ITEMS, unit: "points" };
}

export const PATHS: Readonly<Record<Kind, string>> = {
  points: "/sluice.v1.DataCollectionService/CollectDataPoints",
  logs: "/sluice.v1.DataCollectionService/CollectLogs",
  file: "/sluice.v1.FileUploadService/UploadFile",
  one: "/sluice.v1.DataCollectionService/CollectDataPoints",
  connect: "/sluice.v1.DataCollectionService/CollectDataPoints",
};

export interface Bodies {
  /** Files with the body of a request of each kind. */
  readonly paths: Readonly<Record<Kind, string>>;
  /** The bytes of the file alone, for a server that takes them as they are. */
  readonly rawFile: string;
  readonly fileSha256: string;
  /** Mean bytes of a point and of an entry, without their envelopes. */
  readonly pointBytes: number;
  readonly entryBytes: number;
}

/** Writes the bodies into a folder. Timestamps are of now, for older ones are refused some day. */
export async function writeBodies(folder: string): Promise<Bodies> {
  const now = Date.now();
  const points = Array.from({ length: ITEMS }, (_, i) => point(now, i));
  const entries = makeEntries(now);
  const file = makeFile(now);
  const fileSha256 = sha256(file);
  const paths = {
    points: `${folder}/points`,
    logs: `${folder}/logs`,
    file: `${folder}/file`,
    one: `${folder}/one`,
    connect: `${folder}/points`,
  };
  const rawFile = `${folder}/bench.csv`;
  await Deno.writeFile(paths.points, envelopes(points));
  await Deno.writeFile(paths.logs, envelopes(entries));
  await Deno.writeFile(paths.file, envelopes(makeChunks(file, fileSha256)));
  await Deno.writeFile(paths.one, envelopes(points.slice(0, 1)));
  await Deno.writeFile(rawFile, file);
  return { paths, rawFile, fileSha256, pointBytes: meanLength(points), entryBytes: meanLength(entries) };
}

function point(now: number, i: number): Uint8Array {
  return toBinary(
    DataPointSchema,
    create(DataPointSchema, {
      source: `web-${i % 10}.example`,
      timestamp: BigInt(now - i),
      metrics: { cpu_percent: (i * 37 % 1000) / 10, mem: 4_000_000 + i * 7919 % 100_000 },
      tags: { zone: "eu-west-1a", rack: `r${i % 4}` },
    }),
  );
}

/** What some programs of a shop write: requests, queries, jobs, sign-ins; most of it at INFO. */
function makeEntries(now: number): Uint8Array[] {
  const random = new Random(1);
  const pick = <T>(from: readonly T[]): T => from[random.below(from.length)];
  const hex = (digits: number) => Array.from({ length: digits }, () => random.below(16).toString(16)).join("");
  const fields = () => ({ request_id: hex(16), region: pick(["eu-west-1", "us-east-1", "ap-south-1"]) });
  const templates: readonly (() => { application: string; level: string; message: string })[] = [
    () => {
      const status = pick([200, 200, 200, 200, 201, 304, 404, 500]);
      const path = pick(["orders", "customers", "basket/items", "search", "products"]);
      return {
        application: "gateway",
        level: status >= 500 ? "ERROR" : "INFO",
        message: `${pick(["GET", "GET", "POST", "PUT"])} /api/v1/${path}/${random.below(100_000)} answered ${status} ` +
          `in ${random.below(900)} ms, ${random.below(60_000)} bytes`,
      };
    },
    () => ({
      application: "orders-db",
      level: pick(["DEBUG", "WARN"]),
      message: `query on table ${pick(["orders", "stock", "invoices"])} took ${random.below(2000)} ms and ` +
        `returned ${random.below(500)} rows, plan ${hex(8)}`,
    }),
    () => ({
      application: "worker",
      level: "info",
      message: `job ${hex(12)} of queue ${pick(["mail", "thumbnails", "invoices"])} finished after ` +
        `${random.below(5)} retries, ${random.below(400)} jobs are waiting`,
    }),
    () => ({
      application: "auth",
      level: pick(["INFO", "WARNING"]),
      message: `user ${random.below(20_000)} signed in from 10.${random.below(256)}.${random.below(256)}.` +
        `${random.below(256)} with ${pick(["password", "passkey", "token"])}`,
    }),
  ];
  return Array.from({ length: ITEMS }, (_, i) => {
    const entry = { ...pick(templates)(), timestamp: BigInt(now - ITEMS * 3 + i * 3), fields: fields() };
    return toBinary(LogEntrySchema, create(LogEntrySchema, entry));
  });
}

/** Lines of comma-separated values that differ. */
function makeFile(now: number): Uint8Array<ArrayBuffer> {
  let text = "timestamp,host,metric,value\n";
  for (let i = 0; text.length < FILE_BYTES; i++) {
    text += `${now + i * SECOND},host-${i % 97},cpu,${(i * 7919 % 100_000) / 1000}\n`;
  }
  return new TextEncoder().encode(text.slice(0, FILE_BYTES));
}

function makeChunks(file: Uint8Array, fileChecksum: string): Uint8Array[] {
  return Array.from({ length: file.length / CHUNK_BYTES }, (_, i) => {
    const data = file.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES);
    const isLastChunk = (i + 1) * CHUNK_BYTES === file.length;
    return toBinary(
      FileChunkSchema,
      create(FileChunkSchema, {
        fileName: "bench.csv",
        data,
        offset: BigInt(i * CHUNK_BYTES),
        totalSize: BigInt(file.length),
        isLastChunk,
        checksum: sha256(data),
        fileChecksum: isLastChunk ? fileChecksum : "",
      }),
    );
  });
}

function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

function meanLength(messages: readonly Uint8Array[]): number {
  return messages.reduce((sum, { length }) => sum + length, 0) / messages.length;
}

/** Each message after its flags and length, as gRPC, gRPC-Web and Connect have it alike. */
function envelopes(messages: readonly Uint8Array[]): Uint8Array {
  const body = new Uint8Array(messages.reduce((sum, { length }) => sum + 5 + length, 0));
  let at = 0;
  for (const message of messages) {
    new DataView(body.buffer).setUint32(at + 1, message.length);
    body.set(message, at + 5);
    at += 5 + message.length;
  }
  return body;
}
