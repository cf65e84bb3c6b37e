import { assert, assertEquals, assertRejects } from "@std/assert";
import { Code, ConnectError } from "@connectrpc/connect";
import { ulid } from "ulid";
import { BLOCK_BYTES, DAY, KEPT_HASH_MS } from "../../limits.ts";
import type { FileWriter } from "../../store/types.ts";
import { createFileBlobStore } from "../../store/blob/file.ts";
import { NEVER, openTestStores } from "../support/stores.ts";
import { another, content, pieces, readAll, settle, sha256, type Stores, SUBJECTS } from "./file_stores.ts";

const FILE = { name: "a.txt", contentType: "text/plain", chunkCount: 3 };

/** Goes on with a stream. */
async function open(stores: Stores, id: string, totalSize = 0) {
  const call = { id, beganAt: stores.clock.now(), start: 0, end: undefined };
  const stream = await stores.streams.open("t", "file", call);
  const writer = await stores.files.writer("t", { stream, file: { ...FILE, totalSize } });
  return { stream, writer };
}

const newId = (stores: Stores) => ulid(stores.clock.now());

async function committed(stores: Stores, id: string): Promise<number | undefined> {
  return (await stores.streams.get("t", "file", id))?.committed;
}

async function append(writer: FileWriter, data: Uint8Array, chunk = 100_000): Promise<void> {
  for (let at = 0; at < data.length; at += chunk) await writer.append(data.slice(at, at + chunk));
}

async function codeOf(call: () => Promise<unknown>): Promise<string> {
  return Code[(await assertRejects(call, ConnectError)).code];
}

/** Cuts a file at these places; each call is on `next`, and finds what the one before has committed. */
async function upload(first: Stores, next: () => Promise<Stores>, size: number, cuts: readonly number[]) {
  const data = content(size);
  const id = newId(first);
  for (const [i, end] of [...cuts, size].entries()) {
    const from = i === 0 ? 0 : cuts[i - 1];
    const { writer, stream } = await open(i === 0 ? first : await next(), id, size);
    assertEquals([writer.committed, stream.info.epoch], [from, i + 1]);
    await append(writer, data.subarray(from, end));
    if (end < size) {
      await writer.suspend();
      assertEquals(await committed(first, id), end);
      continue;
    }
    const file = await writer.finish({ ...FILE, sha256: sha256(data) });
    assertEquals([file.size, file.sha256], [size, sha256(data)]);
    assertEquals(sha256(await readAll(first, file.id, 0, size)), file.sha256, `cuts at ${cuts}`);
    const info = await first.streams.get("t", "file", id);
    assertEquals([info?.state, info?.committed, info?.accepted, info?.end], ["finished", size, size, size]);
    const { id: fileId, name, contentType, chunkCount, sha256: hash, createdAt } = file;
    assertEquals(info?.file, { fileId, name, contentType, chunkCount, sha256: hash, createdAt, totalSize: size });
    return file;
  }
}

for (const [name, run] of Object.entries(SUBJECTS)) {
  const contract = (what: string, fn: (stores: Stores) => Promise<void>) =>
    Deno.test(`FileStore (${name}) ${what}`, () => run(fn));

  const B = BLOCK_BYTES;
  const places = [[1], [61_440], [B - 1], [B], [B + 1], [100, 100, 200], [B, 2 * B], [77_777, B + 5, 2 * B, 2 * B + 1]];

  contract("resumes at any offset, on the instance that has the hash", async (stores) => {
    for (const cuts of places) await upload(stores, () => Promise.resolve(stores), 2 * B + 12_345, cuts);
  });

  contract("resumes at any offset, on an instance that has to read what there is", async (stores) => {
    for (const cuts of places) await upload(stores, () => another(stores), 2 * B + 12_345, cuts);
  });

  contract("resumes what has come to its end", async (stores) => {
    for (const size of [1, B, B + 9]) {
      await upload(stores, () => another(stores), size, [size]);
      await upload(stores, () => Promise.resolve(stores), size, [size]);
    }
  });

  contract("forgets a hash in time, and reads again", async (stores) => {
    const data = content(B + 5);
    const id = newId(stores);
    const { writer } = await open(stores, id);
    await append(writer, data.subarray(0, B));
    await writer.suspend();
    stores.clock.advance(KEPT_HASH_MS);
    const next = await open(stores, id);
    await next.writer.append(data.subarray(B));
    assertEquals((await next.writer.finish(FILE)).sha256, sha256(data));
  });

  contract("lets the newer of two writers have the upload, and nothing of the older one counts", async (stores) => {
    const data = content(3 * B);
    const id = newId(stores);
    const old = await open(stores, id);
    await append(old.writer, data.subarray(0, B + 100));
    await settle(stores);
    assertEquals(await committed(stores, id), B + 100);
    // It writes, but has not committed yet.
    await old.writer.append(new Uint8Array(300_000).fill(1));
    const { writer } = await open(await another(stores), id);
    assertEquals(writer.committed, B + 100);
    await append(old.writer, new Uint8Array(B).fill(2)).catch(() => {});
    assertEquals(await codeOf(() => old.writer.finish(FILE)), "Aborted");
    await old.writer.suspend().catch(() => {});
    assertEquals(await committed(stores, id), B + 100);
    await append(writer, data.subarray(B + 100));
    const file = await writer.finish({ ...FILE, sha256: sha256(data) });
    assertEquals(sha256(await readAll(stores, file.id, 0, data.length)), file.sha256);
    assertEquals((await stores.files.list("t", 9, undefined)).length, 1);
    // A third one comes when all is over.
    assertEquals(await codeOf(() => open(stores, id)), "Aborted");
  });

  contract("has one winner where two begin a stream at once", async (stores) => {
    const id = newId(stores);
    const other = await another(stores);
    const both = await Promise.allSettled([open(stores, id), open(other, id)]);
    const lost = both.filter((result) => result.status === "rejected").map(({ reason }) => Code[reason.code]);
    assertEquals(lost, ["Aborted"]);
  });

  contract("commits what has come when nothing more does", async (stores) => {
    const id = newId(stores);
    const { writer } = await open(stores, id);
    assertEquals(await committed(stores, id), 0);
    await writer.append(content(1000));
    await settle(stores);
    assertEquals(await committed(stores, id), 1000);
    await append(writer, content(B));
    await settle(stores);
    assertEquals(await committed(stores, id), B + 1000);
    await writer.suspend();
    const end = { start: 900, end: B + 1000 };
    const { fileId } = (await stores.streams.get("t", "file", id))!.file!;
    let length = 0;
    for await (const part of stores.files.readUpload("t", fileId, end, NEVER)) length += part.length;
    assertEquals(length, B + 100);
    assertEquals(
      await codeOf(() => stores.files.readUpload("u", fileId, end, NEVER)[Symbol.asyncIterator]().next()),
      "NotFound",
    );
  });

  contract("does not go on with an upload that was swept", async (stores) => {
    const id = newId(stores);
    const { writer, stream } = await open(stores, id);
    await writer.append(content(1000));
    await writer.suspend();
    const late = await open(stores, id);
    await late.writer.append(content(10));
    await late.writer.suspend();
    const { writer: paused } = await open(stores, id);
    await paused.append(content(10));
    await settle(stores);
    stores.clock.time += DAY + 1;
    assertEquals((await stores.keepHouse()).uploads, 1);
    assertEquals(await codeOf(() => paused.finish(FILE)), "FailedPrecondition");
    await paused.suspend().catch(() => {});
    const call = { id, beganAt: stores.clock.now(), start: 0, end: undefined };
    assertEquals(await codeOf(() => stores.streams.open("t", "file", call)), "FailedPrecondition");
    // One that had opened the stream before.
    assertEquals(
      await codeOf(() => stores.files.writer("t", { stream, file: { ...FILE, totalSize: 0 } })),
      "FailedPrecondition",
    );
    assertEquals((await stores.streams.get("t", "file", id))?.state, "expired");
    stores.clock.time += 2 * DAY;
    await stores.keepHouse();
    assertEquals(await pieces(stores), 0);
  });

  contract("keeps a stream open whose checksum was wrong", async (stores) => {
    const data = content(B + 7);
    const id = newId(stores);
    const { writer } = await open(stores, id);
    await append(writer, data);
    assertEquals(await codeOf(() => writer.finish({ ...FILE, sha256: "0".repeat(64) })), "DataLoss");
    await writer.suspend();
    assertEquals(await stores.files.list("t", 9, undefined), []);
    const next = await open(stores, id);
    assertEquals((await next.writer.finish({ ...FILE, sha256: sha256(data) })).size, data.length);
  });

  contract("removes all pieces of a file that came in many", async (stores) => {
    const file = await upload(stores, () => Promise.resolve(stores), 300_000, [100, 200_000]);
    assertEquals(await pieces(stores), 3);
    assert(await stores.files.remove("t", file!.id));
    assertEquals(await pieces(stores), 0);
  });
}

Deno.test("FileWriter.finish() says that what is stored is damaged, not that the checksum is wrong", async () => {
  const dir = await Deno.makeTempDir();
  try {
    using stores = await openTestStores({ blobs: () => createFileBlobStore(dir) });
    const data = content(3 * BLOCK_BYTES);
    for (const at of [12_345, 2 * BLOCK_BYTES + 5]) {
      const id = newId(stores);
      const { writer } = await open(stores, id);
      await append(writer, data.subarray(0, 2 * BLOCK_BYTES + 500));
      await writer.suspend();
      const { fileId } = (await stores.streams.get("t", "file", id))!.file!;
      using file = await Deno.open(`${dir}/${fileId.slice(-2)}/${fileId}.1`, { write: true });
      await file.seek(at, Deno.SeekMode.Start);
      await file.write(Uint8Array.of(255, 254, 253));
      const next = await open(await another(stores), id);
      await append(next.writer, data.subarray(2 * BLOCK_BYTES + 500));
      const finish = () => next.writer.finish({ ...FILE, sha256: sha256(data) });
      const error = await assertRejects(
        finish,
        ConnectError,
        `Block ${Math.floor(at / BLOCK_BYTES)} of the upload is damaged`,
      );
      assertEquals(error.code, Code.DataLoss);
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
