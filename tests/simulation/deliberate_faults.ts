/**
 * Mistakes that the project does not make, to show that the simulation would find them. Each is made below our code, or
 * around a part of it, by the simulation alone.
 *
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import { aborted } from "../../errors.ts";
import { MAX_REJECTIONS } from "../../limits.ts";
import type { Disk, DiskFile } from "../../store/blob/disk.ts";
import { Committer, ConflictError } from "../../store/kv/committer.ts";
import { KeptHashes, RebuiltHash } from "../../store/kv/running_hash.ts";
import { StreamHandle } from "../../store/kv/stream_handle.ts";
import type { Stores } from "../../store/open.ts";
import type { Platform } from "../../store/platform.ts";
import type { BatchPlace, Stream, StreamInfo } from "../../store/stream_types.ts";
import { COMPACTION_FAULTS } from "./compaction_faults.ts";
import { type OpenKv, withAtomic } from "./faulty_kv.ts";
import type { Wrappers } from "./node.ts";

export interface DeliberateFault extends Partial<Wrappers> {
  /** Changes what cannot be wrapped, until disposed of. */
  install?(): Disposable;
}

/** What says how far streams and files are. */
const RECORDS = new Set(["stream", "open", "streams", "rejections", "blob", "file"]);

export const DELIBERATE_FAULTS: Readonly<Record<string, DeliberateFault>> = {
  "offset-before-data": {
    platform: (platform) => ({ ...platform, openKv: async (path) => offsetBeforeData(await platform.openKv(path)) }),
  },
  "skip-versionstamp-check": {
    platform: (platform) => ({ ...platform, openKv: async (path) => withoutChecks(await platform.openKv(path)) }),
  },
  "skip-fsync": { platform: (platform) => withDisk(platform, { syncData: () => Promise.resolve() }, {}) },
  "skip-directory-fsync": {
    platform: (platform) => withDisk(platform, {}, { syncDirectory: () => Promise.resolve() }),
  },
  "acknowledge-before-commit": { stores: acknowledgeBeforeCommit },
  "resume-without-rehash": { install: resumeWithoutRehash },
  "believe-ok-false": { install: believeOkFalse },
  ...COMPACTION_FAULTS,
};

/** Commits what says how far a stream is, and then, in an atomic of its own, what it says is there. */
function offsetBeforeData(kv: OpenKv): OpenKv {
  return withAtomic(kv, () => {
    const records = kv.atomic(), data = kv.atomic();
    let parts = 0;
    const target = ([kind]: Deno.KvKey) => {
      const isRecord = RECORDS.has(kind as string);
      parts |= isRecord ? 1 : 2;
      return isRecord ? records : data;
    };
    return {
      check: (check) => void records.check(check),
      set: (key, value) => void target(key).set(key, value),
      sum: (key, n) => void target(key).sum(key, n),
      delete: (key) => void target(key).delete(key),
      async commit() {
        const result = await records.commit();
        if (!result.ok || parts !== 3) return parts === 2 && result.ok ? await data.commit() : result;
        await data.commit();
        return result;
      },
    };
  });
}

function withoutChecks(kv: OpenKv): OpenKv {
  return withAtomic(kv, () => {
    const operation = kv.atomic();
    return {
      check: () => {},
      set: (key, value) => void operation.set(key, value),
      sum: (key, n) => void operation.sum(key, n),
      delete: (key) => void operation.delete(key),
      commit: () => operation.commit(),
    };
  });
}

function withDisk(platform: Platform, ofFile: Partial<DiskFile>, ofDisk: Partial<Disk>): Platform {
  const { disk } = platform;
  const file = (opened: DiskFile): DiskFile => ({
    write: (data) => opened.write(data),
    readAt: (buffer, position) => opened.readAt(buffer, position),
    syncData: () => opened.syncData(),
    close: () => opened.close(),
    ...ofFile,
  });
  return {
    ...platform,
    disk: {
      makeDirectory: (path) => disk.makeDirectory(path),
      createNew: async (path) => file(await disk.createNew(path)),
      open: async (path) => file(await disk.open(path)),
      syncDirectory: (path) => disk.syncDirectory(path),
      list: (path) => disk.list(path),
      changedAt: (path) => disk.changedAt(path),
      remove: (path) => disk.remove(path),
      ...ofDisk,
    },
  };
}

/** What a call has written counts as committed from then on, and nobody waits for it. */
function acknowledgeBeforeCommit(stores: Stores): Stores {
  const written = new WeakMap<Stream, BatchPlace[]>();
  const writer = <W extends { write(batch: never, place?: BatchPlace): Promise<void>; flush(): Promise<void> }>(
    real: W,
    stream: Stream | undefined,
  ): W => ({
    ...real,
    write(batch: never, place?: BatchPlace) {
      if (stream && place) written.get(stream)?.push(place);
      return real.write(batch, place);
    },
    flush() {
      real.flush().catch(() => {});
      return Promise.resolve();
    },
  });
  return {
    ...stores,
    points: { ...stores.points, writer: (tenant, stream) => writer(stores.points.writer(tenant, stream), stream) },
    logs: { ...stores.logs, writer: (tenant, stream) => writer(stores.logs.writer(tenant, stream), stream) },
    streams: {
      ...stores.streams,
      async open(tenant, kind, call) {
        const stream = await stores.streams.open(tenant, kind, call);
        written.set(stream, []);
        const durable = Object.getOwnPropertyDescriptor(StreamHandle.prototype, "info")!.get!;
        Object.defineProperty(stream, "info", {
          get: () => (written.get(stream) ?? []).reduce(withWritten, durable.call(stream)),
        });
        return stream;
      },
    },
  };
}

/** What is known of a stream as if this were durable too. */
function withWritten(info: StreamInfo, { first, count, kept, refused }: BatchPlace): StreamInfo {
  if (first < info.committed) return info;
  const accepted = kept?.length ?? count;
  return {
    ...info,
    committed: first + count,
    accepted: info.accepted + accepted,
    rejected: info.rejected + refused.length,
    filtered: info.filtered + count - accepted - refused.length,
    rejections: [...info.rejections, ...refused].slice(0, MAX_REJECTIONS),
  };
}

/** The hash of a file that is gone on with begins where the call begins. */
function resumeWithoutRehash(): Disposable {
  const fresh = new WeakMap<RebuiltHash, Hash>();
  const of = (rebuilt: RebuiltHash) => {
    let hash = fresh.get(rebuilt);
    if (!hash) fresh.set(rebuilt, hash = createHash("sha256"));
    return hash;
  };
  return replaced(
    [KeptHashes.prototype, "take", () => undefined],
    [RebuiltHash.prototype, "update", function (this: RebuiltHash, data: Uint8Array) {
      of(this).update(data);
    }],
    [RebuiltHash.prototype, "digest", function (this: RebuiltHash) {
      return Promise.resolve(new Uint8Array(of(this).copy().digest()));
    }],
  );
}

/** A conflict is a conflict, and nobody looks whether it is one with oneself. */
function believeOkFalse(): Disposable {
  const settle = (Committer.prototype as unknown as { settle(...args: unknown[]): Promise<void> }).settle;
  return replaced(
    [
      Committer.prototype,
      "settle",
      function (this: Committer, waiting: { reject(error: unknown): void }, error: unknown) {
        if (!(error instanceof ConflictError)) return settle.call(this, waiting, error);
        waiting.reject(error);
        return Promise.resolve();
      },
    ],
    [StreamHandle.prototype, "settle", function (this: StreamHandle) {
      this.fail(aborted("Another call has gone on with the stream"));
      return Promise.resolve(undefined);
    }],
  );
}

function replaced(...changes: (readonly [object: object, name: string, value: unknown])[]): Disposable {
  const originals = changes.map(([object, name]) => Object.getOwnPropertyDescriptor(object, name)!);
  for (const [object, name, value] of changes) {
    Object.defineProperty(object, name, { configurable: true, writable: true, value });
  }
  return {
    [Symbol.dispose]: () => changes.forEach(([object, name], i) => Object.defineProperty(object, name, originals[i])),
  };
}
