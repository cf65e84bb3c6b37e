/**
 * What every blob store must do, whatever it keeps the bytes in.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { ulid } from "ulid";
import type { BlobStore, Mutation, Piece, PieceWriter } from "../../store/types.ts";
import { concat, seededRandom } from "../http2/basics.ts";

/** A store and what stands for the commit that its `sync` belongs to. */
export interface BlobSubject {
  readonly store: BlobStore;
  commit(mutations: readonly Mutation[]): Promise<void>;
  close(): Promise<void>;
}

export function bytes(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(length);
  for (let i = 0; i < length; i++) out[i] = (i * 31 + seed * 17 + (i >> 8) + (i >> 16)) & 0xff;
  return out;
}

/** Syncs, and commits. Returns the durable length. */
export async function sync(subject: BlobSubject, piece: PieceWriter, all: boolean): Promise<number> {
  const { length, mutations } = await piece.sync(all);
  await subject.commit(mutations);
  return length;
}

/** Appends all of it, syncing whenever there is no room; calls `onAppend` with the length of each append. */
export async function append(
  subject: BlobSubject,
  piece: PieceWriter,
  data: Uint8Array,
  onAppend: (length: number) => void = () => {},
): Promise<void> {
  for (let rest = data; rest.length > 0;) {
    if (piece.room === 0) await sync(subject, piece, false);
    const part = rest.slice(0, piece.room);
    rest = rest.subarray(part.length);
    await piece.append(part);
    onAppend(part.length);
    // The buffer is ours again.
    part.fill(0xee);
  }
}

/** Writes a whole piece and returns how long it is. */
export async function write(subject: BlobSubject, id: string, epoch: number, data: Uint8Array): Promise<Piece> {
  const piece = await subject.store.create(id, epoch);
  await append(subject, piece, data);
  const length = await sync(subject, piece, true);
  await piece.seal();
  assertEquals(length, data.length);
  return { epoch, length };
}

export async function read(store: BlobStore, id: string, pieces: readonly Piece[], start: number, end: number) {
  const parts: Uint8Array[] = [];
  for await (const part of store.read(id, pieces, { start, end })) parts.push(part.slice());
  return concat(parts);
}

async function assertDataLoss(store: BlobStore, id: string, pieces: readonly Piece[], start: number, end: number) {
  const error = await assertRejects(() => read(store, id, pieces, start, end), ConnectError);
  assertEquals(error.code, Code.DataLoss);
}

/** Registers the tests of a store that `open` opens anew for each. */
export function blobStoreContract(name: string, open: () => Promise<BlobSubject>): void {
  const contract = (what: string, fn: (subject: BlobSubject) => Promise<void>) =>
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
    const pieces = [await write(subject, id, 1, data)];
    const ranges = [[0, data.length], [0, 1], [61_439, 61_441], [61_440, 122_880], [1_499_999, 1_500_000], [5, 5]];
    for (const [start, end] of ranges) {
      assertEquals(await read(subject.store, id, pieces, start, end), data.subarray(start, end), `${start}-${end}`);
    }
  });

  contract("goes on appending after a sync that ended anywhere", async (subject) => {
    const id = ulid();
    const data = bytes(200_000);
    const piece = await subject.store.create(id, 1);
    let before = 0;
    for (const end of [1, 10, 61_440, 61_441, 122_880, 200_000]) {
      await append(subject, piece, data.subarray(before, end));
      assertEquals(await sync(subject, piece, true), end);
      assertEquals(await sync(subject, piece, true), end);
      assertEquals(await read(subject.store, id, [{ epoch: 1, length: end }], 0, end), data.subarray(0, end));
      before = end;
    }
    await piece.seal();
    assertEquals(await read(subject.store, id, [{ epoch: 1, length: 200_000 }], 0, 200_000), data);
  });

  contract(
    "has at any sync an end of an append, never less than before, and the bytes up to there",
    async (subject) => {
      const id = ulid();
      const random = seededRandom(7);
      const data = bytes(20_000_000);
      const piece = await subject.store.create(id, 1);
      const ends = new Set([0]);
      let appended = 0, durable = 0;
      for (let at = 0, round = 0; at < data.length; round++) {
        const end = Math.min(data.length, at + 1 + Math.floor(random() * 1_048_576));
        await append(subject, piece, data.subarray(at, end), (length) => ends.add(appended += length));
        at = end;
        if (round % 3 !== 0) continue;
        const all = round % 4 === 0;
        const length = await sync(subject, piece, all);
        assert(ends.has(length) && length >= durable, `durable ${length} after ${durable}`);
        if (all) assertEquals(length, appended);
        durable = length;
        // What is committed can be read while the writer goes on.
        const from = Math.max(durable - 100_000, 0);
        const tail = await read(subject.store, id, [{ epoch: 1, length: durable }], from, durable);
        assertEquals(tail, data.subarray(from, durable));
      }
      assertEquals(await sync(subject, piece, true), data.length);
      await piece.seal();
      assert(
        indexOfDifference(await read(subject.store, id, [{ epoch: 1, length: data.length }], 0, data.length), data) < 0,
      );
    },
  );

  contract("keeps what was synced of a piece whose writer vanished", async (subject) => {
    const id = ulid();
    const data = bytes(150_000);
    const piece = await subject.store.create(id, 1);
    await append(subject, piece, data);
    const length = await sync(subject, piece, true);
    await append(subject, piece, bytes(1000, 9));
    await piece.seal();
    const next = await write(subject, id, 2, bytes(5000, 2));
    const whole = concat([data, bytes(5000, 2)]);
    assertEquals(await read(subject.store, id, [{ epoch: 1, length }, next], 0, whole.length), whole);
  });

  contract("reads a blob of several pieces, each only up to its committed length", async (subject) => {
    const id = ulid();
    const [a, b, c] = [bytes(100_000, 1), bytes(70_000, 2), bytes(50_000, 3)];
    await write(subject, id, 1, a);
    await write(subject, id, 2, b);
    await write(subject, id, 11, c);
    const pieces = [{ epoch: 1, length: 90_000 }, { epoch: 2, length: 70_000 }, { epoch: 11, length: 1 }];
    const whole = concat([a.subarray(0, 90_000), b, c.subarray(0, 1)]);
    assertEquals(await read(subject.store, id, pieces, 0, 160_001), whole);
    for (const [start, end] of [[89_990, 90_010], [90_000, 160_000], [159_999, 160_001], [90_000, 90_000]]) {
      assertEquals(await read(subject.store, id, pieces, start, end), whole.subarray(start, end), `${start}-${end}`);
    }
  });

  contract("reads any range of pieces that were synced anywhere", async (subject) => {
    const id = ulid();
    const random = seededRandom(11);
    const below = (limit: number) => Math.floor(random() * limit);
    const pieces: Piece[] = [];
    const parts: Uint8Array[] = [];
    for (let epoch = 1; epoch <= 4; epoch++) {
      const data = bytes(1 + below(400_000), epoch);
      const piece = await subject.store.create(id, epoch);
      for (let at = 0; at < data.length;) {
        const end = Math.min(data.length, at + 1 + below(100_000));
        await append(subject, piece, data.subarray(at, end));
        if (random() < 0.5) await sync(subject, piece, true);
        at = end;
      }
      const length = Math.max(1, await sync(subject, piece, true) - below(2) * below(1000));
      await piece.seal();
      pieces.push({ epoch, length });
      parts.push(data.subarray(0, length));
    }
    const whole = concat(parts);
    for (let n = 0; n < 40; n++) {
      const start = below(whole.length);
      const end = start + below(whole.length - start + 1);
      assertEquals(await read(subject.store, id, pieces, start, end), whole.subarray(start, end), `${start}-${end}`);
    }
  });

  contract("gives an epoch one writer only", async (subject) => {
    const id = ulid();
    await write(subject, id, 1, bytes(10));
    const error = await assertRejects(() => subject.store.create(id, 1), ConnectError);
    assertEquals(error.code, Code.AlreadyExists);
    await write(subject, id, 2, bytes(10));
    assertEquals(await read(subject.store, id, [{ epoch: 1, length: 10 }], 0, 10), bytes(10));
  });

  contract("answers DATA_LOSS for bytes that are missing", async (subject) => {
    const { store } = subject;
    const id = ulid();
    const piece = await write(subject, id, 1, bytes(1000));
    await assertDataLoss(store, id, [{ epoch: 1, length: 2000 }], 0, 2000);
    await assertDataLoss(store, id, [{ epoch: 1, length: 2000 }], 1000, 1001);
    await assertDataLoss(store, id, [{ epoch: 7, length: 10 }], 0, 10);
    await assertDataLoss(store, id, [piece, { epoch: 2, length: 10 }], 999, 1001);
    await assertDataLoss(store, ulid(), [piece], 0, 1);
    // What is there can be read all the same.
    assertEquals(await read(store, id, [{ epoch: 1, length: 2000 }], 0, 1000), bytes(1000));
  });

  contract("lets go of a reader that stops early", async (subject) => {
    const id = ulid();
    const pieces = [await write(subject, id, 1, bytes(3_000_000))];
    for await (const part of subject.store.read(id, pieces, { start: 0, end: 3_000_000 })) {
      assert(part.length > 0);
      break;
    }
  });

  contract("lists pieces and removes them", async (subject) => {
    const { store } = subject;
    const ids = [ulid(), ulid()].sort();
    await write(subject, ids[0], 1, bytes(130_000));
    await write(subject, ids[0], 11, bytes(130_000));
    await write(subject, ids[1], 1, bytes(130_000));
    const list = async () => {
      const found: string[] = [];
      for await (const { blobId, epoch, changedAt } of store.list()) {
        assert(Math.abs(changedAt - Date.now()) < 60_000);
        found.push(`${blobId}.${epoch}`);
      }
      return found.sort();
    };
    assertEquals(await list(), [`${ids[0]}.1`, `${ids[0]}.11`, `${ids[1]}.1`]);
    await store.remove(ids[0], 1);
    await store.remove(ids[0], 1);
    assertEquals(await list(), [`${ids[0]}.11`, `${ids[1]}.1`]);
    await assertDataLoss(store, ids[0], [{ epoch: 1, length: 10 }], 0, 10);
    assertEquals(await read(store, ids[0], [{ epoch: 11, length: 10 }], 0, 10), bytes(10));
    await store.remove(ids[0], 11);
    await store.remove(ids[1], 1);
    await store.remove(ulid(), 1);
    assertEquals(await list(), []);
  });
}

/** Where two arrays differ first; -1 if nowhere. Quicker than a comparison that would print millions of bytes. */
export function indexOfDifference(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) if (a[i] !== b[i]) return i;
  return -1;
}
