/**
 * A consistent copy of the stores of a running server: the key-value store as it stood at one moment, and of the blobs all
 * that it counts as committed then.
 *
 * Bytes of a piece that are committed never change, and only what is deleted goes. So pieces are copied first, then the
 * key-value store in one transaction, and then what its claims name beyond what is copied: new pieces, and what grew.
 * What was deleted between that moment and the copying of its bytes is deleted in the copy as well.
 *
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { dirname } from "node:path";
import {
  type BlobRecord,
  BlobRecordSchema,
  StreamRecordSchema,
  StreamState,
} from "../gen/sluice/store/v1/records_pb.ts";
import { createFileBlobStore } from "./blob/file.ts";
import { decodeValue, FORMAT } from "./format/value.ts";
import {
  blobKey,
  blobsPrefix,
  blocksPrefix,
  fileKey,
  openStreamKey,
  runKey,
  type RunKind,
  streamKey,
} from "./kv/keys.ts";
import { KvClient } from "./kv/kv.ts";
import { decodeRecord, encodeRecord } from "./kv/records.ts";
import { isLocalKv, openRaw, type RawConfig } from "./open_raw.ts";
import { PieceCopier, syncDirectory } from "./piece_copier.ts";
import type { Platform } from "./platform.ts";
import type { Mutation } from "./types.ts";

/** Why nothing can be backed up, for the operator. */
export class BackupError extends Error {
  override name = "BackupError";
}

export interface BackedUp {
  /** Of blobs. */
  readonly pieces: number;
  readonly bytes: number;
  /** Blobs that were deleted meanwhile, and are in the copy no more. */
  readonly deleted: number;
  /** What opens the copy. */
  readonly config: RawConfig;
}

/**
 * Copies the stores into `directory`, so that a server runs with it as its data directory: `kv.sqlite` and `blobs/`. All of
 * it is on the disk when `kv.sqlite` appears there.
 *
 * @throws {BackupError} If the key-value store is no file of this machine, or the directory is not empty.
 */
export async function backupStores(config: RawConfig, platform: Platform, directory: string): Promise<BackedUp> {
  const { kv: database } = config;
  if (!isLocalKv(database)) {
    throw new BackupError("the key-value store is no file of this machine: use that database's own backup");
  }
  const live = await openRaw(config, platform);
  try {
    await makeEmpty(directory);
    const blobsDirectory = `${directory}/blobs`;
    await Deno.mkdir(blobsDirectory);
    // Bytes that are kept in KV come with it.
    const copier = config.blobs.kind === "kv" ? undefined : new PieceCopier(live.blobs, blobsDirectory);
    if (copier) { for await (const [id, claim] of claims(live.kv)) await copier.tryCopy(id, claim.pieces); }

    const partial = `${directory}/kv.sqlite.partial`;
    snapshot(database, partial);
    let deleted = 0;
    if (copier) deleted = await completeCopy(live.kv, copier, partial, blobsDirectory, platform);
    toOneFile(partial);
    await syncFile(partial);
    await copier?.syncDirectories();
    await syncDirectory(blobsDirectory);
    await Deno.rename(partial, `${directory}/kv.sqlite`);
    await syncDirectory(directory);
    await syncDirectory(dirname(directory));
    return {
      pieces: copier?.pieces ?? 0,
      bytes: copier?.bytes ?? 0,
      deleted,
      config: {
        kv: `${directory}/kv.sqlite`,
        blobs: copier ? { kind: "file", path: blobsDirectory } : { kind: "kv" },
      },
    };
  } finally {
    live.close();
  }
}

/** Copies what the claims of the snapshot name beyond what is copied; returns how many of them are no more. */
async function completeCopy(
  live: KvClient,
  copier: PieceCopier,
  snapshot: string,
  blobsDirectory: string,
  platform: Platform,
): Promise<number> {
  const db = await platform.openKv(snapshot);
  try {
    const kv = new KvClient(db, platform.clock);
    let deleted = 0;
    for await (const [id, claim] of claims(kv)) {
      if (await copier.tryCopy(id, claim.pieces)) continue;
      // Claims go before their bytes. Where bytes are missing under a claim, they are lost, as the check will say.
      if ((await live.get(blobKey(id))).value !== null) continue;
      await forget(kv, id, claim);
      deleted++;
    }
    // What was copied first and deleted before the snapshot.
    const copied = createFileBlobStore(blobsDirectory);
    for await (const { blobId, epoch } of copied.list()) {
      if ((await kv.get(blobKey(blobId))).value === null) await copied.remove(blobId, epoch);
    }
    return deleted;
  } finally {
    db.close();
  }
}

/** The claims of blobs that can be read. */
async function* claims(kv: KvClient): AsyncGenerator<[id: string, claim: BlobRecord]> {
  for await (const page of kv.pages({ prefix: blobsPrefix })) {
    for (const entry of page) {
      const claim = kv.decodeOrSkip(entry, () => decodeRecord(BlobRecordSchema, FORMAT.blob, 0, entry.value));
      if (claim) yield [entry.key[1] as string, claim];
    }
  }
}

/** Deletes in the copy what was deleted in the store: file, claim and checksums. The stream of an upload has ended. */
async function forget(kv: KvClient, id: string, { tenant, streamId, run }: BlobRecord): Promise<void> {
  const own = run ? runKey(run.kind as RunKind, tenant, Number(run.day), id) : fileKey(tenant, id);
  const mutations: Mutation[] = [{ type: "delete", key: own }, { type: "delete", key: blobKey(id) }];
  for await (const page of kv.pages({ prefix: blocksPrefix(id) })) {
    for (const { key } of page) mutations.push({ type: "delete", key });
  }
  const key = streamKey(tenant, "file", streamId);
  const { value } = await kv.get(key);
  const stream = kv.decodeOrSkip({ key }, () => decodeRecord(StreamRecordSchema, FORMAT.stream, 0, value));
  if (value !== null && stream?.state === StreamState.OPEN) {
    const { expires } = decodeValue(value);
    const ended = encodeRecord(StreamRecordSchema, FORMAT.stream, expires, { ...stream, state: StreamState.EXPIRED });
    mutations.push({ type: "set", key, value: ended }, {
      type: "delete",
      key: openStreamKey(tenant, "file", streamId),
    });
  }
  await kv.atomic([], mutations);
}

/** Makes the directory, or takes it if it is empty. */
async function makeEmpty(directory: string): Promise<void> {
  await Deno.mkdir(directory, { recursive: true });
  for await (const { name } of Deno.readDir(directory)) {
    throw new BackupError(`${directory} is not empty: there is ${JSON.stringify(name)}`);
  }
}

/** Copies the database as it is at one moment, with what stands in its write-ahead log, while others write to it. */
function snapshot(database: string, copy: string): void {
  const db = new DatabaseSync(database, { readOnly: true });
  try {
    // VACUUM reads in one transaction. SQLite's own backup would begin anew with each commit of another connection.
    db.prepare("VACUUM INTO ?").run(copy);
  } finally {
    db.close();
  }
}

/** Takes the write-ahead log, if there is one, into the database. */
function toOneFile(database: string): void {
  const db = new DatabaseSync(database);
  try {
    db.exec("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE");
  } finally {
    db.close();
  }
}

async function syncFile(path: string): Promise<void> {
  using file = await Deno.open(path, { read: true, write: true });
  await file.sync();
}
