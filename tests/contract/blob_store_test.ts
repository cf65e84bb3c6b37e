import { assert, assertEquals, assertRejects } from "@std/assert";
import { ConnectError } from "@connectrpc/connect";
import { Code } from "@connectrpc/connect";
import { ulid } from "ulid";
import { createFileBlobStore } from "../../store/blob/file.ts";
import { createKvBlobStore } from "../../store/blob/kv.ts";
import { createMemoryBlobStore } from "../../store/blob/memory.ts";
import { KvClient } from "../../store/kv/kv.ts";
import type { BlobStore, Mutation, Piece, PieceWriter } from "../../store/types.ts";
import { systemClock } from "../../clock.ts";

/** A store and what stands for the commit that its `sync` belongs to. */
interface Subject {
  store: BlobStore;
  commit(mutations: readonly Mutation[]): Promise<void>;
  close(): Promise<void>;
}

const SUBJECTS: Record<string, () => Promise<Subject>> = {
  memory: () =>
    Promise.resolve({
      store: createMemoryBlobStore(systemClock),
      commit: () => Promise.resolve(),
      close: () => Promise.resolve(),
    }),
  file: async () => {
    const dir = await Deno.makeTempDir();
    return {
      store: createFileBlobStore(dir),
      commit: () => Promise.resolve(),
      close: () => Deno.remove(dir, { recursive: true }),
    };
  },
  kv: async () => {
    const db = await Deno.openKv(":memory:");
    const kv = new KvClient(db, systemClock);
    return {
      store: createKvBlobStore(kv),
      commit: async (mutations) => {
        await kv.atomic([], mutations);
      },
      close: () => {
        db.close();
        return Promise.resolve();
      },
    };
  },
};

function bytes(length: number, seed = 1): Uint8Array {
  const out = new Uint8Array(length);
  for (let i = 0; i < length; i++) out[i] = (i * 31 + seed * 17 + (i >> 8)) & 0xff;
  return out;
}

/** Appends all of it, syncing whenever there is no room. */
async function write(subject: Subject, piece: PieceWriter, data: Uint8Array): Promise<number> {
  let rest = data;
  while (rest.length > 0) {
    if (piece.room === 0) await subject.commit((await piece.sync()).mutations);
    const part = rest.subarray(0, piece.room);
    await piece.append(part);
    rest = rest.subarray(part.length);
  }
  const { length, mutations } = await piece.sync();
  await subject.commit(mutations);
  return length;
}

async function read(store: BlobStore, id: string, pieces: Piece[], start: number, end: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of store.read(id, pieces, { start, end })) parts.push(part.slice());
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

for (const [name, open] of Object.entries(SUBJECTS)) {
  const contract = (what: string, fn: (subject: Subject) => Promise<void>) =>
    Deno.test(`BlobStore (${name}) ${what}`, async () => {
      const subject = await open();
      try {
        await fn(subject);
      } finally {
        await subject.close();
      }
    });

  contract("reads what was appended, in any range", async (subject) => {
    const id = ulid();
    const data = bytes(1_500_000);
    const piece = await subject.store.create(id, 1);
    assertEquals(await write(subject, piece, data), data.length);
    await piece.seal();
    const pieces = [{ epoch: 1, length: data.length }];
    const ranges = [[0, data.length], [0, 1], [61_439, 61_441], [61_440, 122_880], [1_499_999, 1_500_000], [5, 5]];
    for (const [start, end] of ranges) {
      assertEquals(await read(subject.store, id, pieces, start, end), data.subarray(start, end), `${start}-${end}`);
    }
  });

  contract("goes on appending after a sync that ended anywhere", async (subject) => {
    const id = ulid();
    const data = bytes(200_000);
    const piece = await subject.store.create(id, 1);
    for (const end of [1, 10, 61_440, 61_441, 122_880, 200_000]) {
      const before = [0, 1, 10, 61_440, 61_441, 122_880, 200_000];
      assertEquals(await write(subject, piece, data.subarray(before[before.indexOf(end) - 1], end)), end);
    }
    await piece.seal();
    assertEquals(await read(subject.store, id, [{ epoch: 1, length: 200_000 }], 0, 200_000), data);
  });

  contract("reads a blob of several pieces, each only up to its committed length", async (subject) => {
    const id = ulid();
    const [a, b] = [bytes(100_000, 1), bytes(70_000, 2)];
    for (const [epoch, data] of [[1, a], [2, b]] as const) {
      const piece = await subject.store.create(id, epoch);
      await write(subject, piece, data);
      await piece.seal();
    }
    const pieces = [{ epoch: 1, length: 90_000 }, { epoch: 2, length: 70_000 }];
    const whole = new Uint8Array(160_000);
    whole.set(a.subarray(0, 90_000));
    whole.set(b, 90_000);
    assertEquals(await read(subject.store, id, pieces, 0, 160_000), whole);
    assertEquals(await read(subject.store, id, pieces, 89_990, 90_010), whole.subarray(89_990, 90_010));
  });

  contract("gives an epoch one writer only", async (subject) => {
    const id = ulid();
    const piece = await subject.store.create(id, 1);
    await write(subject, piece, bytes(10));
    const error = await assertRejects(() => subject.store.create(id, 1), ConnectError);
    assertEquals(error.code, Code.AlreadyExists);
    await piece.seal();
  });

  contract("answers DATA_LOSS for bytes that are missing", async (subject) => {
    const id = ulid();
    const piece = await subject.store.create(id, 1);
    await write(subject, piece, bytes(1000));
    await piece.seal();
    for (const pieces of [[{ epoch: 1, length: 2000 }], [{ epoch: 7, length: 10 }]]) {
      const error = await assertRejects(() => read(subject.store, id, pieces, 0, pieces[0].length), ConnectError);
      assertEquals(error.code, Code.DataLoss);
    }
  });

  contract("lists pieces and removes them", async (subject) => {
    const ids = [ulid(), ulid()].sort();
    for (const [id, epoch] of [[ids[0], 1], [ids[0], 2], [ids[1], 1]] as const) {
      const piece = await subject.store.create(id, epoch);
      await write(subject, piece, bytes(130_000));
      await piece.seal();
    }
    const list = async () => {
      const found: string[] = [];
      for await (const { blobId, epoch, changedAt } of subject.store.list()) {
        assert(Math.abs(changedAt - Date.now()) < 60_000);
        found.push(`${blobId}.${epoch}`);
      }
      return found.sort();
    };
    assertEquals(await list(), [`${ids[0]}.1`, `${ids[0]}.2`, `${ids[1]}.1`]);
    await subject.store.remove(ids[0], 1);
    await subject.store.remove(ids[0], 1);
    assertEquals(await list(), [`${ids[0]}.2`, `${ids[1]}.1`]);
    await assertRejects(() => read(subject.store, ids[0], [{ epoch: 1, length: 10 }], 0, 10), ConnectError);
  });
}
