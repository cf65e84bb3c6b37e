import { assertEquals, assertRejects } from "@std/assert";
import { ulid } from "ulid";
import { systemClock } from "../../clock.ts";
import {
  BlobRecordSchema,
  type StreamRecord,
  StreamRecordSchema,
  StreamState,
} from "../../gen/sluice/store/v1/records_pb.ts";
import { BLOCK_BYTES, DAY, HOUR } from "../../limits.ts";
import { BackupError, backupStores } from "../../store/backup.ts";
import { createFileBlobStore, piecePath } from "../../store/blob/file.ts";
import { checkStore, type Finding } from "../../store/check/check.ts";
import { encodeValue, FORMAT } from "../../store/format/value.ts";
import { blockSum, encodeBlockSums } from "../../store/kv/block_sums.ts";
import { blobKey, blocksKey, fileKey, openStreamKey, streamCountKey, streamKey } from "../../store/kv/keys.ts";
import { KvClient } from "../../store/kv/kv.ts";
import { decodeRecord, encodeRecord } from "../../store/kv/records.ts";
import { openStores } from "../../store/open.ts";
import { openRaw } from "../../store/open_raw.ts";
import { type Platform, systemPlatform } from "../../store/platform.ts";
import { textBytes } from "../support/chunks.ts";

const TENANT = "default";
const PLATFORM = systemPlatform(systemClock);
const SETTINGS = {
  minFreeBytes: 0,
  retention: DAY,
  maxSeries: 10,
  uploadExpiry: HOUR,
  streamLifetime: HOUR,
  maxStreams: 10,
  coldAfter: 6 * 3600_000,
};

/** Stores on disk that are written to while they are copied. */
async function openLive(directory: string) {
  const config = { kv: `${directory}/kv.sqlite`, blobs: { kind: "file" as const, path: `${directory}/blobs` } };
  await Deno.mkdir(config.blobs.path);
  const stores = await openStores({ ...config, ...SETTINGS, data: directory }, PLATFORM);
  const db = await Deno.openKv(config.kv);
  const { files } = stores;
  return {
    config,
    kv: new KvClient(db, systemClock),
    blobs: createFileBlobStore(config.blobs.path),
    files,
    async close() {
      await stores.close();
      db.close();
    },
    async addFile(size: number): Promise<string> {
      const writer = await files.writer(TENANT);
      await writer.append(textBytes(size));
      return (await writer.finish({ name: "a.csv", contentType: "text/csv", chunkCount: 1 })).id;
    },
  };
}

type Live = Awaited<ReturnType<typeof openLive>>;

/** An upload that grows as its client sends. */
async function beginUpload({ kv, blobs }: Live) {
  const id = PLATFORM.newId();
  const streamId = `up-${ulid()}`;
  const bytes = textBytes(3 * BLOCK_BYTES);
  const piece = await blobs.create(id, 1);
  let written = 0;
  return {
    id,
    streamId,
    /** Until `to`, which is a multiple of BLOCK_BYTES. */
    async grow(to: number) {
      await piece.append(bytes.subarray(written, to));
      await piece.sync(true);
      const committed = BigInt(to);
      const sums = Array.from(
        { length: to / BLOCK_BYTES },
        (_, i) => blockSum(bytes.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES)),
      );
      const claim = { tenant: TENANT, epoch: 1, committed, pieces: [{ epoch: 1, length: committed }], streamId };
      const stream = { state: StreamState.OPEN, committed, upload: { blobId: id } };
      const set = (key: Deno.KvKey, value: Uint8Array) => ({ type: "set" as const, key, value });
      await kv.atomic([], [
        set(blobKey(id), encodeRecord(BlobRecordSchema, FORMAT.blob, Date.now() + HOUR, claim)),
        set(blocksKey(id, 0), encodeBlockSums(sums)),
        set(streamKey(TENANT, "file", streamId), encodeRecord(StreamRecordSchema, FORMAT.stream, 0, stream)),
        set(openStreamKey(TENANT, "file", streamId), encodeValue(FORMAT.openStream, 0, new Uint8Array())),
        ...written === 0 ? [{ type: "sum" as const, key: streamCountKey(TENANT), value: 1n }] : [],
      ]);
      written = to;
    },
    end: () => piece.seal(),
  };
}

/** The machine, with something that happens before the key-value store is copied, and something after that. */
function eventful(events: { copying(): Promise<void>; copied(): Promise<void> }): Platform {
  let isFirst = true;
  return {
    ...PLATFORM,
    async openKv(path) {
      if (path?.endsWith(".partial")) await events.copied();
      return await PLATFORM.openKv(path);
    },
    disk: {
      ...PLATFORM.disk,
      // The first piece is copied once its claim, and those around it, have been listed.
      async open(path) {
        if (isFirst) await events.copying();
        isFirst = false;
        return await PLATFORM.disk.open(path);
      },
    },
  };
}

async function inCopy<T>(
  directory: string,
  fn: (kv: KvClient, findings: readonly Finding[]) => Promise<T>,
): Promise<T> {
  const stores = await openRaw({
    kv: `${directory}/kv.sqlite`,
    blobs: { kind: "file", path: `${directory}/blobs` },
  }, PLATFORM);
  try {
    const findings: Finding[] = [];
    const { kv, blobs } = stores;
    await checkStore({ kv, blobs, clock: systemClock, retention: HOUR }, (finding) => findings.push(finding));
    return await fn(kv, findings);
  } finally {
    stores.close();
  }
}

const streamIn = async (kv: KvClient, id: string): Promise<StreamRecord | undefined> => {
  const { value } = await kv.get(streamKey(TENANT, "file", id));
  return decodeRecord(StreamRecordSchema, FORMAT.stream, 0, value);
};

Deno.test("backupStores() copies what came, what grew, and not what was deleted while it copied", async () => {
  const parent = await Deno.makeTempDir();
  const directory = `${parent}/copy`;
  const live = await openLive(parent);
  try {
    const kept = await live.addFile(BLOCK_BYTES + 5);
    const early = await live.addFile(100);
    const growing = await beginUpload(live);
    await growing.grow(BLOCK_BYTES);
    let added = "", late = "";
    const swept = await beginUpload(live);
    const platform = eventful({
      async copying() {
        await live.files.remove(TENANT, early);
        added = await live.addFile(3000);
        late = await live.addFile(4000);
        await growing.grow(2 * BLOCK_BYTES);
        await swept.grow(BLOCK_BYTES);
      },
      async copied() {
        await live.files.remove(TENANT, late);
        await live.kv.atomic([], [{ type: "delete", key: blobKey(swept.id) }]);
        await live.blobs.remove(swept.id, 1);
        await growing.grow(3 * BLOCK_BYTES);
      },
    });
    const { deleted } = await backupStores(live.config, platform, directory);
    assertEquals(deleted, 2);
    await growing.end();
    await swept.end();

    await inCopy(directory, async (kv, findings) => {
      assertEquals(findings, []);
      for (const [id, isThere] of [[kept, true], [early, false], [added, true], [late, false]] as const) {
        assertEquals((await kv.get(fileKey(TENANT, id))).value !== null, isThere);
      }
      const [grown, expired] = [await streamIn(kv, growing.streamId), await streamIn(kv, swept.streamId)];
      assertEquals([grown?.state, grown?.committed], [StreamState.OPEN, BigInt(2 * BLOCK_BYTES)]);
      assertEquals([expired?.state, expired?.committed], [StreamState.EXPIRED, BigInt(BLOCK_BYTES)]);
    });
    assertEquals((await Deno.stat(piecePath(`${directory}/blobs`, growing.id, 1))).size, 2 * BLOCK_BYTES);
    const names = (await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name).sort();
    assertEquals(names, ["blobs", "kv.sqlite"]);
  } finally {
    await live.close();
    await Deno.remove(parent, { recursive: true });
  }
});

Deno.test("backupStores(): what is lost in the store is lost in the copy, and the check of that says so", async () => {
  const parent = await Deno.makeTempDir();
  const live = await openLive(parent);
  try {
    const id = await live.addFile(1000);
    await live.blobs.remove(id, 1);
    await backupStores(live.config, PLATFORM, `${parent}/copy`);
    await inCopy(`${parent}/copy`, (_, findings) => {
      assertEquals(findings.map(({ key }) => key), [`file/${TENANT}/${id}`]);
      return Promise.resolve();
    });
  } finally {
    await live.close();
    await Deno.remove(parent, { recursive: true });
  }
});

Deno.test("backupStores() refuses a directory that is not empty, and changes nothing in it", async () => {
  const parent = await Deno.makeTempDir();
  const live = await openLive(parent);
  try {
    const error = await assertRejects(() => backupStores(live.config, PLATFORM, parent), BackupError);
    assertEquals(error.message.startsWith(`${parent} is not empty`), true);
  } finally {
    await live.close();
    await Deno.remove(parent, { recursive: true });
  }
});
