/**
 * Ways in which a store can be wrong, and what a check is to say of each.
 *
 * @module
 */
import { ulid } from "ulid";
import { FileRecordSchema, SeriesRecordSchema, StreamState } from "../../../gen/sluice/store/v1/records_pb.ts";
import { BLOCK_BYTES, HOUR } from "../../../limits.ts";
import { toLogColumns } from "../../../store/format/log_columns.ts";
import { packLogSegments } from "../../../store/format/log_segment.ts";
import { encodeValue, FORMAT } from "../../../store/format/value.ts";
import {
  blobKey,
  blocksKey,
  fileKey,
  openStreamKey,
  rejectionsKey,
  schemaKey,
  streamCountKey,
  streamFloorKey,
} from "../../../store/kv/keys.ts";
import { decodeRecord, encodeRecord } from "../../../store/kv/records.ts";
import { SIZE, type SoundStore, TENANT } from "./sound_store.ts";

export interface Wrong {
  readonly name: string;
  /** Makes it so. */
  readonly make: (store: SoundStore) => Promise<unknown>;
  /** Each finding is `KIND: WHAT` or, of what nobody needs, `garbage KIND: WHAT`. */
  readonly findings: readonly RegExp[];
}

/** Flips one bit of the first value of this kind. */
async function flip(store: SoundStore, kind: string): Promise<void> {
  const { key, value } = await store.entry(kind);
  const bytes = value.slice();
  bytes[bytes.length >> 1] ^= 1;
  await store.db.set(key, bytes);
}

/** The same content under another key. */
async function move(store: SoundStore, kind: string, to: (key: Deno.KvKey) => Deno.KvKey): Promise<void> {
  const { key, value } = await store.entry(kind);
  await store.db.delete(key);
  await store.db.set(to(key), value);
}

async function remove(store: SoundStore, kind: string): Promise<void> {
  await store.db.delete((await store.entry(kind)).key);
}

/** Replaces the index of the log segment by that of other entries. */
async function misindex(store: SoundStore, change: { level?: number; application?: string; message?: string }) {
  const entries = Array.from({ length: 50 }, (_, i) => ({
    application: i % 2 ? "web" : "db",
    level: i % 6,
    timestamp: store.hour * HOUR + i,
    message: `request ${i} is done — ünïcode`,
    fields: [["user", `u${i}`] as const],
  }));
  entries[7] = { ...entries[7], ...change };
  const { key } = await store.entry("logindex");
  const [{ index }] = packLogSegments(toLogColumns(entries), ulid(store.clock.now()));
  await store.db.set(key, encodeValue(FORMAT.logIndex, 0, index));
}

async function changeFile(store: SoundStore, change: { size?: bigint; sha256?: Uint8Array; epoch?: number }) {
  const key = fileKey(TENANT, store.fileId);
  const record = decodeRecord(FileRecordSchema, FORMAT.file, 0, (await store.kv.get(key)).value);
  if (!record) throw new Error("there is no file");
  const pieces = record.pieces.map((piece) => ({ ...piece, epoch: change.epoch ?? piece.epoch }));
  await store.db.set(key, encodeRecord(FileRecordSchema, FORMAT.file, 0, { ...record, ...change, pieces }));
}

/** Puts other bytes in the place of those of a piece. */
async function rewrite(store: SoundStore, blobId: string, bytes: Uint8Array): Promise<void> {
  await store.blobs.remove(blobId, 1);
  const piece = await store.blobs.create(blobId, 1);
  await piece.append(bytes);
  await piece.sync(true);
}

const kindsFlipped = ["file", "blob", "blocks", "stream", "rejections", "floor", "lease", "schema", "series"];

export const WRONGS: readonly Wrong[] = [
  ...kindsFlipped.map((kind) => ({
    name: `a bit of a value of ${kind} is flipped`,
    make: (s: SoundStore) => flip(s, kind),
    findings: [
      new RegExp(`^${kind}: .*checksum is wrong`),
      ...kind === "blocks" ? [/^file: its checksums/, /^file: damaged blocks/] : [],
    ],
  })),
  {
    name: "a bit of a point segment is flipped",
    make: (s) => flip(s, "points"),
    findings: [/^points: .*checksum is wrong/],
  },
  { name: "a bit of a log segment is flipped", make: (s) => flip(s, "logs"), findings: [/^logs: .*checksum is wrong/] },
  {
    name: "a bit of an index of logs is flipped",
    make: (s) => flip(s, "logindex"),
    findings: [/^logindex: .*checksum is wrong/],
  },
  {
    name: "a value is of another kind than its key",
    make: async (s) => s.db.set((await s.entry("points")).key, (await s.entry("logs")).value),
    findings: [/^points: its format is 70, and one of 60 /],
  },
  { name: "a value is no bytes", make: (s) => s.db.set(schemaKey, "x"), findings: [/^schema: .*no bytes/] },
  { name: "a key is of no kind", make: (s) => s.db.set(["other"], 1), findings: [/^other: its key is none of ours/] },
  {
    name: "a key has the wrong parts",
    make: (s) => s.db.set(["points", TENANT, "x"], s.openValue),
    findings: [/^points: its key is none of ours/],
  },
  {
    name: "the schema is of no version",
    make: (s) => s.db.set(schemaKey, encodeValue(FORMAT.schema, 0, new Uint8Array(4))),
    findings: [/^schema: it is no version/],
  },
  {
    name: "a floor has not six bytes",
    make: (s) => s.db.set(streamFloorKey(TENANT), encodeValue(FORMAT.streamFloor, 0, new Uint8Array(5))),
    findings: [/^floor: it has 5 bytes/],
  },
  {
    name: "a segment whose checksum is right does not decode",
    make: async (s) => s.db.set((await s.entry("points")).key, encodeValue(FORMAT.pointSegment, 0, new Uint8Array(9))),
    findings: [/^points: /],
  },
  {
    name: "a point segment stands under another hour",
    make: (s) => move(s, "points", ([a, b, , d]) => [a, b, s.hour - 1, d]),
    findings: [/^points: its times .* are not of its key's hour/],
  },
  {
    name: "a point segment stands under another tenant",
    make: (s) => move(s, "points", ([a, , c, d]) => [a, "other", c, d]),
    findings: [/^points: none of its series is known to the tenant other/],
  },
  {
    name: "a floor stands under another tenant",
    make: (s) => move(s, "floor", ([a]) => [a, "other"]),
    findings: [/^floor: its tenant has no count of streams/],
  },
  {
    name: "a log segment stands without its index",
    make: (s) => remove(s, "logindex"),
    findings: [/^logs: it has no index/],
  },
  {
    name: "an index stands without its log segment",
    make: (s) => remove(s, "logs"),
    findings: [/^logindex: its segment is missing/],
  },
  {
    name: "an index counts another level",
    make: (s) => misindex(s, { level: 5 }),
    findings: [/^logs: .*counts by level/],
  },
  {
    name: "an index counts another application",
    make: (s) => misindex(s, { application: "db" }),
    findings: [/^logs: .*counts by application/],
  },
  {
    name: "an index lacks words",
    make: (s) => misindex(s, { message: "none" }),
    findings: [/^logs: .*the filter lacks \d/],
  },
  {
    name: "a series stands under another id",
    make: async (s) => {
      const { key } = await s.entry("series");
      const record = encodeRecord(SeriesRecordSchema, FORMAT.series, 0, { source: "other", metric: "x" });
      await s.db.set(key, record);
    },
    findings: [/^series: its key is not the id/],
  },
  {
    name: "bytes of a file have changed",
    make: async (s) => {
      const bytes = new Uint8Array(SIZE);
      bytes[BLOCK_BYTES + 5] = 1;
      await rewrite(s, s.fileId, bytes);
    },
    findings: [/^file: damaged blocks .*: 0, 1$/, /^file: its SHA-256/],
  },
  {
    name: "bytes of a file are missing",
    make: (s) => s.blobs.remove(s.fileId, 1),
    findings: [/^file: Committed bytes of blob .* are missing/],
  },
  {
    name: "a file has another size than its pieces",
    make: (s) => changeFile(s, { size: 7n }),
    findings: [/^file: its pieces have \d+ bytes, and its size is 7/],
  },
  {
    name: "a file has another SHA-256 than its bytes",
    make: (s) => changeFile(s, { sha256: new Uint8Array(32) }),
    findings: [/^file: its SHA-256/],
  },
  {
    name: "a file has other pieces than its claim",
    make: (s) => changeFile(s, { epoch: 2 }),
    findings: [/^file: the claim of its blob has other pieces/, /^file: Committed bytes .* are missing/],
  },
  {
    name: "a file has no claim",
    make: (s) => s.db.delete(blobKey(s.fileId)),
    findings: [/^file: its blob has no claim/, /^garbage blocks: /, /^garbage \w+\.1: nobody claims this piece/],
  },
  {
    name: "a finished claim has no file",
    make: (s) => s.db.delete(fileKey(TENANT, s.fileId)),
    findings: [/^blob: it is finished, and there is no such file/],
  },
  {
    name: "a file has no checksums",
    make: (s) => s.db.delete(blocksKey(s.fileId, 0)),
    findings: [/^file: its checksums .* are missing/, /^file: damaged blocks .*: 0, 1$/],
  },
  {
    name: "an upload lacks committed bytes",
    make: (s) => rewrite(s, s.uploadId, new Uint8Array(5)),
    findings: [/^blob: Committed bytes .* are missing/],
  },
  {
    name: "bytes of an upload's last block have changed",
    make: (s) => s.setClaim({ tailSum: 1 }),
    findings: [/^blob: damaged blocks .*: 1$/],
  },
  {
    name: "an upload's pieces are not what it has committed",
    make: (s) => s.setClaim({ committed: 5n }),
    findings: [
      /^blob: its pieces have/,
      /^blob: 5 bytes are committed, and its stream/,
      /^stream: \d+ bytes are committed/,
    ],
  },
  {
    name: "an upload has a piece of an epoch that was not yet",
    make: (s) => s.setClaim({ epoch: 0 }),
    findings: [/^blob: a piece is of an epoch past 0/],
  },
  {
    name: "an upload names a stream that is not there",
    make: (s) => s.setClaim({ streamId: "other" }),
    findings: [/^blob: its stream other has no record/, /^stream: its blob .* is claimed by another stream/],
  },
  {
    name: "a stream of a file has no claim",
    make: async (s) => {
      await s.db.delete(blobKey(s.uploadId));
      await s.db.delete(blocksKey(s.uploadId, 0));
    },
    findings: [/^stream: its blob .* has no claim/, /^garbage \w+\.1: nobody/],
  },
  {
    name: "a finished stream of a file has no SHA-256",
    make: async (s) => {
      await s.setStream("file", { state: StreamState.FINISHED });
      await s.setClaim({ streamId: "" });
      await s.db.delete(openStreamKey(TENANT, "file", s.streamIds.file));
    },
    findings: [/^stream: it is finished, and its record has no SHA-256/],
  },
  {
    name: "an open stream has no open/ entry",
    make: (s) => s.db.delete(openStreamKey(TENANT, "logs", s.streamIds.logs)),
    findings: [/^stream: it is not finished and has no open/],
  },
  {
    name: "a finished stream has an open/ entry",
    make: (s) => s.db.set(openStreamKey(TENANT, "points", s.streamIds.points), s.openValue),
    findings: [/^stream: it is not open and has an open/],
  },
  {
    name: "an open/ entry is of no stream",
    make: (s) => s.db.set(openStreamKey(TENANT, "points", ulid()), s.openValue),
    findings: [/^open: there is no such stream/],
  },
  {
    name: "a stream has committed more than it has",
    make: (s) => s.setStream("points", { end: 9n }),
    findings: [/^stream: 10 items are committed, and its end is 9/, /^stream: it is finished at 10/],
  },
  {
    name: "a stream counts other items than it has committed",
    make: (s) => s.setStream("logs", { accepted: 5n }),
    findings: [/^stream: 5 items are committed, and 6 are counted/],
  },
  {
    name: "the count of streams is wrong",
    make: (s) => s.db.set(streamCountKey(TENANT), new Deno.KvU64(2n)),
    findings: [/^streams: it is 2, and there are 3 streams/],
  },
  {
    name: "there is no count of streams",
    make: (s) => s.db.delete(streamCountKey(TENANT)),
    findings: [
      /^floor: its tenant has no count/,
      /^stream: its tenant has no count/,
      /^stream: its tenant/,
      /^stream: its tenant/,
    ],
  },
  {
    name: "the count of streams is no count",
    make: (s) => s.db.set(streamCountKey(TENANT), s.openValue),
    findings: [/^streams: it is no count/],
  },
  {
    name: "rejections are of no stream",
    make: async (s) => {
      const { value } = await s.entry("rejections");
      await s.db.set(rejectionsKey(TENANT, "logs", ulid()), value);
    },
    findings: [/^rejections: they belong to no stream/],
  },
  {
    name: "there are more rejections than rejected items",
    make: (s) => s.setStream("points", { accepted: 10n, rejected: 0n }),
    findings: [/^rejections: there are 1, and the stream has 0/],
  },
  {
    name: "a piece and checksums are nobody's",
    make: async (s) => {
      const id = ulid();
      await (await s.blobs.create(id, 1)).append(new Uint8Array(1));
      await s.db.set(blocksKey(id, 0), (await s.entry("blocks")).value);
    },
    findings: [/^garbage blocks: nobody claims/, /^garbage \w+\.1: nobody claims this piece/],
  },
];
